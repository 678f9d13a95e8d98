"""Immatriculation EORI: under which number customs know an operator, and whether it is in force."""

from urllib.parse import quote

from pydantic import Field

from config.quotas import JSON_RESOURCES
from providers.base import Call, Contract, Empty, Endpoint, Failure, Get, Key, Provider, Single, Wire

DOUANES = Provider(
    slug="douanes",
    code="16",
    name="DGDDI",
    base_url="https://douanes.example",
    authentication=Key(in_query={"idClient": "client_id"}),
    headers=lambda call: {"content-type": "application/json"},
)
"""Customs know their clients by an identifier, and by the address they call from."""


class Immatriculation(Wire):
    """A registration, as customs send it."""

    identifiant: str | None = None
    actif: bool | None = None
    libelle: str | None = None
    rue: str | None = None
    code_postal: str | None = Field(None, alias="codePostal")
    ville: str | None = None
    pays: str | None = None
    code_pays: str | None = Field(None, alias="codePays")


class Reponse(Wire):
    """What customs send."""

    eori: Immatriculation = Field(alias="EORI")


class ImmatriculationEori(Contract):
    """What the contract promises."""

    id: str | None = Field(title="Numéro EORI", examples=["FR99950000200012"])
    actif: bool | None = Field(
        title="Immatriculation en vigueur",
        description="Faux pour une immatriculation qui a pris fin : la douane en garde la trace.",
        examples=[True],
    )
    libelle: str | None = Field(title="Nom de l'opérateur", examples=["SOCIETE FICTIVE"])
    rue: str | None = Field(title="Numéro et voie", examples=["12 RUE DE L'EXEMPLE"])
    code_postal: str | None = Field(title="Code postal", examples=["35000"])
    ville: str | None = Field(title="Commune", examples=["RENNES"])
    pays: str | None = Field(title="Pays, en toutes lettres", examples=["FRANCE"])
    code_pays: str | None = Field(title="Code du pays, sur deux lettres", examples=["FR"])


Eori = Single[ImmatriculationEori, Empty, Empty]


def normalise(sent: Reponse, call: Call) -> Eori:
    """The registration, its members named as the contract does."""
    del call
    eori = sent.eori
    data = ImmatriculationEori(
        id=eori.identifiant,
        actif=eori.actif,
        libelle=eori.libelle,
        rue=eori.rue,
        code_postal=eori.code_postal,
        ville=eori.ville,
        pays=eori.pays,
        code_pays=eori.code_pays,
    )
    return Eori(data=data, links=Empty(), meta=Empty())


def path(call: Call) -> str:
    """The identifier as it was given; one of another country may hold anything."""
    return f"/eori/{quote(call['siret_or_eori'], safe='')}"


immatriculations_eori_v3 = Endpoint(
    operation_id="api_entreprise_v3_dgddi_eori",
    path="/v3/douanes/etablissements/{siret_or_eori}/immatriculations_eori",
    title="Immatriculation EORI",
    description=(
        "Immatriculation auprès des douanes d'un opérateur qui commerce avec des pays extérieurs à l'Union européenne. "
        "L'opérateur est désigné par le SIRET de son établissement, ou par son numéro EORI, d'un pays ou d'un autre."
    ),
    tag="Informations générales",
    scopes=frozenset({"eori_douanes", "open_data"}),
    quota=JSON_RESOURCES,
    cache=None,
    provider=DOUANES,
    request=lambda call: Get(path(call)),
    wire=Reponse,
    failures=(Failure.NOT_FOUND.when(status=404),),
    normalise=normalise,
)
