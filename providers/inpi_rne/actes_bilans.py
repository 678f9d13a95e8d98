"""Actes et bilans: what a company has filed, deed by deed and year by year, with a link to each document."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from config.quotas import INPI_RNE
from providers.base import Call, Contract, Empty, Endpoint, Failure, Get, OneOrMany, Reply, Single, Wire
from providers.base.models import calendar_day
from providers.inpi_rne.documents import link_to_acte, link_to_bilan
from providers.inpi_rne.rne import COMPANIES, NOT_FOUND, NOT_FOUND_DETAIL, RNE, SATURATED, is_empty, is_page, sent

TypeDeBilan = Literal[
    "bilan complet",
    "bilan simplifié",
    "bilan consolidé",
    "bilan de type banque",
    "bilan de type assurance",
    "bilan de type agricole simplifié",
]
TYPES: dict[str, TypeDeBilan] = {
    "C": "bilan complet",
    "S": "bilan simplifié",
    "K": "bilan consolidé",
    "B": "bilan de type banque",
    "A": "bilan de type assurance",
    "AS": "bilan de type agricole simplifié",
}

Day = Annotated[date | None, BeforeValidator(calendar_day)]


class TypeEnvoye(Wire):
    """What a deed is, and what it decides where it decides something."""

    acte: str | None = Field(None, alias="typeActe")
    decision: str | None = None


class Depot(Wire):
    """What INPI sends of any document."""

    id: str
    nom: str | None = Field(None, alias="nomDocument")
    depot: Day = Field(None, alias="dateDepot")
    mise_a_jour: Day = Field(None, alias="updatedAt")
    supprime: bool | None = Field(None, alias="deleted")


class ActeEnvoye(Depot):
    """A deed."""

    types: list[TypeEnvoye] | None = Field(None, alias="typeRdd")


class BilanEnvoye(Depot):
    """Annual accounts."""

    cloture: Day = Field(None, alias="dateCloture")
    type: str | None = Field(None, alias="typeBilan")


class Sent(Wire):
    """What INPI sends: either list may be left out."""

    actes: OneOrMany[ActeEnvoye] = Field(default_factory=list)
    bilans: OneOrMany[BilanEnvoye] = Field(default_factory=list)


class TypeActe(Contract):
    """What a deed is."""

    type_acte: str | None = Field(title="Type d'acte", examples=["Statuts mis à jour"])


class TypeActeDecide(TypeActe):
    """What a deed is, and what it decides."""

    type_decision: str | None = Field(title="Type de décision", examples=["Augmentation du capital social"])


_URL = Field(
    title="Lien de téléchargement",
    description="Vaut une heure. Le suivre rend un lien vers le PDF, qui vaut un jour.",
    examples=["https://octroi.example/proxy/inpi/download/…"],
)


class Acte(Contract):
    """A deed."""

    id: str = Field(title="Identifiant de l'acte", examples=["0123456789abcdef01234567"])
    nom_document: str | None = Field(title="Nom du document à l'INPI", examples=["EXEMPLE_C0022A1001L000001D20260101"])
    date_depot: date | None = Field(title="Date du dépôt", examples=["2026-01-15"])
    date_mise_a_jour: date | None = Field(title="Date de la dernière mise à jour", examples=["2026-01-20"])
    types_actes: list[TypeActeDecide | TypeActe] | None = Field(
        title="Actes que le document contient", description="Nul quand l'INPI ne les dit pas."
    )
    url: str = _URL


class Bilan(Contract):
    """Annual accounts."""

    id: str = Field(title="Identifiant du bilan", examples=["0123456789abcdef01234567"])
    nom_document: str | None = Field(title="Nom du document à l'INPI", examples=["CA_999500002_7501_EXEMPLE_2025_D"])
    date_depot: date | None = Field(title="Date du dépôt", examples=["2026-06-30"])
    date_cloture: date | None = Field(title="Date de clôture de l'exercice", examples=["2025-12-31"])
    date_mise_a_jour: date | None = Field(title="Date de la dernière mise à jour", examples=["2026-07-02"])
    type: TypeDeBilan | None = Field(
        title="Type de bilan", description="Nul pour un type que l'INPI n'a pas publié.", examples=["bilan complet"]
    )
    url: str = _URL


class Depots(Contract):
    """All that a company has filed and that is public."""

    actes: list[Acte] = Field(title="Actes déposés")
    bilans: list[Bilan] = Field(title="Comptes annuels déposés")


ActesEtBilans = Single[Depots, Empty, Empty]


def normalise(sent: Sent, call: Call) -> ActesEtBilans:
    """All but what was deleted since."""
    actes = [
        Acte(
            id=one.id,
            nom_document=one.nom,
            date_depot=one.depot,
            date_mise_a_jour=one.mise_a_jour,
            types_actes=None if one.types is None else [_type(of) for of in one.types],
            url=link_to_acte(one.id, call),
        )
        for one in sent.actes
        if not one.supprime
    ]
    bilans = [
        Bilan(
            id=one.id,
            nom_document=one.nom,
            date_depot=one.depot,
            date_cloture=one.cloture,
            date_mise_a_jour=one.mise_a_jour,
            type=TYPES.get(one.type or ""),
            url=link_to_bilan(one.id, call),
        )
        for one in sent.bilans
        if not one.supprime
    ]
    return ActesEtBilans(data=Depots(actes=actes, bilans=bilans), links=Empty(), meta=Empty())


def _type(sent: TypeEnvoye) -> TypeActe:
    if sent.decision is None:
        return TypeActe(type_acte=sent.acte)
    return TypeActeDecide(type_acte=sent.acte, type_decision=sent.decision)


def has_no_list(reply: Reply) -> bool:
    """An object in which neither list holds anything, deleted documents included."""
    body = sent(reply) if reply.status == 200 else None
    return reply.status == 200 and not (isinstance(body, dict) and (body.get("actes") or body.get("bilans")))


actes_bilans_v3 = Endpoint(
    operation_id="api_entreprise_v3_inpi_rne_actes_bilans",
    path="/v3/inpi/rne/unites_legales/open_data/{siren}/actes_bilans",
    title="Actes et bilans",
    description="Documents publics qu'une entreprise a déposés au registre national des entreprises : actes (statuts, "
    "procès-verbaux, décisions) et comptes annuels, avec le lien pour télécharger chacun.",
    tag="Informations générales",
    scopes=frozenset({"open_data"}),
    quota=INPI_RNE,
    cache=None,
    provider=RNE,
    request=lambda call: Get(f"{COMPANIES}/{call.siren}/attachments"),
    wire=lambda reply: Sent.model_validate(sent(reply)),
    failures=(
        NOT_FOUND,
        SATURATED,
        Failure.INTERNAL.when(status=500),
        Failure.UNAVAILABLE.when(is_page),
        Failure.NOT_FOUND.when(is_empty, detail=NOT_FOUND_DETAIL),
        Failure.UNKNOWN.when(has_no_list),
    ),
    normalise=normalise,
    marks=True,
)
