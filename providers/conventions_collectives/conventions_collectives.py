"""Conventions collectives: the collective agreements that the employees of an establishment come under."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, RootModel

from config.quotas import JSON_RESOURCES
from providers.base import Call, Collection, Contract, Empty, Endpoint, Failure, Get, Provider, Reply, Single, Wire
from providers.base.models import calendar_day

FABRIQUE = Provider(
    slug="conventions_collectives",
    code="14",
    name="Fabrique numérique des Ministères Sociaux",
    base_url="https://conventions-collectives.example",
    headers=lambda call: {"content-type": "application/json"},
)
"""A public service: no token, no account."""


class ConventionEnvoyee(Wire):
    """An agreement, as it is sent. One that is attached to another has neither state nor date."""

    identifiant: str | None = Field(None, alias="id")
    numero: int | None = Field(None, alias="num")
    titre: str | None = Field(None, alias="title")
    titre_court: str | None = Field(None, alias="shortTitle")
    active: bool | None = None
    etat: str | None = None
    url: str | None = None
    synonymes: list[str] | None = None
    publication: Annotated[date | None, BeforeValidator(calendar_day)] = Field(None, alias="date_publi")


class Etablissement(Wire):
    """The agreements of one establishment."""

    conventions: list[ConventionEnvoyee]


class Reponse(RootModel[list[Etablissement]]):
    """What is sent: the service takes several SIRET, and answers a list even for one."""

    root: list[Etablissement] = Field(min_length=1)


class ConventionCollective(Contract):
    """An agreement, as the contract promises it."""

    type: Literal["convention_collective"] = Field(title="Nature du texte", examples=["convention_collective"])
    titre: str | None = Field(
        title="Titre", examples=["Convention collective nationale des fabricants d'exemples du 2 janvier 1970"]
    )
    titre_court: str | None = Field(title="Titre court", examples=["Fabrication d'exemples"])
    numero_idcc: int | None = Field(
        title="Numéro IDCC",
        description="Identifiant de la convention collective, attribué par le ministère du travail.",
        examples=[9998],
    )
    active: bool | None = Field(title="Convention en cours d'application", examples=[True])
    etat: str | None = Field(
        title="État du texte",
        description=(
            "« vigueur », « vigueur_etendue » quand la convention s'impose à toute la branche, ou un autre état tel "
            "que le fournisseur l'écrit. Nul pour une convention rattachée à une autre."
        ),
        examples=["vigueur_etendue"],
    )
    synonymes: list[str] = Field(title="Autres noms sous lesquels la convention est connue", examples=[["exemples"]])
    url: str | None = Field(
        title="Page de la convention sur Légifrance",
        examples=["https://www.legifrance.gouv.fr/affichIDCC.do?idConvention=KALICONT999999999999"],
    )
    date_publication: date | None = Field(
        title="Date de publication",
        description="Nulle pour une convention rattachée à une autre.",
        examples=["1970-01-02"],
    )


class Identifiant(Contract):
    """The meta of an item."""

    internal_id: str | None = Field(
        title="Identifiant de la convention sur Légifrance", examples=["KALICONT999999999999"]
    )


ConventionsCollectives = Collection[ConventionCollective, Empty, Empty, Identifiant]

ETATS = {"VIGUEUR": "vigueur", "VIGUEUR_ETEN": "vigueur_etendue"}
"""The states of the contract; others are told as they come."""


def _convention(sent: ConventionEnvoyee) -> Single[ConventionCollective, Empty, Identifiant]:
    data = ConventionCollective(
        type="convention_collective",
        titre=sent.titre and sent.titre.strip(),
        titre_court=sent.titre_court and sent.titre_court.strip(),
        numero_idcc=sent.numero,
        active=sent.active,
        etat=sent.etat and ETATS.get(sent.etat, sent.etat),
        synonymes=sent.synonymes or [],
        url=sent.url,
        date_publication=sent.publication,
    )
    return Single[ConventionCollective, Empty, Identifiant](
        data=data, links=Empty(), meta=Identifiant(internal_id=sent.identifiant)
    )


def normalise(sent: Reponse, call: Call) -> ConventionsCollectives:
    """The agreements of the only establishment that was asked about, in the order of the wire."""
    del call
    items = [_convention(convention) for convention in sent.root[0].conventions]
    return ConventionsCollectives(data=items, meta=Empty(), links=Empty())


def applies_none(reply: Reply) -> bool:
    """The establishment is known, and comes under no agreement."""
    told = reply.json() if reply.status == 200 and reply.is_json else None
    first = told[0] if isinstance(told, list) and told else None
    return isinstance(first, dict) and not first.get("conventions")


conventions_collectives_v3 = Endpoint(
    operation_id="api_entreprise_v3_fabrique_numerique_ministeres_sociaux_conventions_collectives",
    path="/v3/fabrique_numerique_ministeres_sociaux/etablissements/{siret}/conventions_collectives",
    title="Conventions collectives",
    description="Conventions collectives dont relèvent les salariés d'un établissement.",
    tag="Informations générales",
    scopes=frozenset({"conventions_collectives", "open_data"}),
    quota=JSON_RESOURCES,
    cache=None,
    provider=FABRIQUE,
    request=lambda call: Get(f"/siret2idcc/{call.siret}"),
    wire=Reponse,
    failures=(Failure.NOT_FOUND.when(status=404), Failure.NOT_FOUND.when(applies_none)),
    normalise=normalise,
    deprecated=True,
)
