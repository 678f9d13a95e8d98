"""Entreprise artisanale: how a craftsman plies his trade, as the trades register has it."""

from pydantic import Field

from config.quotas import JSON_RESOURCES
from providers.base import Call, Contract, Empty, Endpoint, Failure, Get, Provider, Single, Wire

CMA = Provider(
    slug="cma_rnm",
    code="15",
    name="CMA France",
    base_url="https://cma-rnm.example",
    headers=lambda call: {"content-type": "application/json"},
)
"""A public service: no token, no account."""


class Inscription(Wire):
    """What the register sends: some fifty values, of which the contract wants two. Without `id` there is no entry."""

    numero: str = Field(alias="id", pattern=r"\S")
    modalite: str | None = Field(None, alias="ent_act_modalite_exercice")
    non_sedentaire: str | None = Field(None, alias="ent_act_non_sedentaire")


class EntrepriseArtisanale(Contract):
    """What the contract promises."""

    modalite_exercice: str | None = Field(
        title="Modalité d'exercice",
        description="« P » pour une activité permanente, « S » saisonnière, « NR » si elle n'est pas renseignée.",
        examples=["P"],
    )
    non_sedentaire: str | None = Field(
        title="Activité non sédentaire",
        description="« 1 » si l'activité est exercée hors d'un lieu fixe, sur des marchés par exemple ; sinon « 0 ».",
        examples=["0"],
    )


Entreprise = Single[EntrepriseArtisanale, Empty, Empty]


def normalise(sent: Inscription, call: Call) -> Entreprise:
    """Both values as the register holds them, blank ones included."""
    del call
    data = EntrepriseArtisanale(modalite_exercice=sent.modalite, non_sedentaire=sent.non_sedentaire)
    return Entreprise(data=data, links=Empty(), meta=Empty())


entreprises_artisanales_v3 = Endpoint(
    operation_id="api_entreprise_v3_rnm_entreprises_artisanales",
    path="/v3/cma_france/rnm/unites_legales/{siren}",
    title="Inscription au répertoire des métiers",
    description=(
        "Conditions dans lesquelles une entreprise artisanale exerce, telles que l'ancien répertoire national des "
        "métiers (RNM) les a enregistrées. Une entreprise radiée y figure encore."
    ),
    tag="Informations générales",
    scopes=frozenset({"entreprises_artisanales", "open_data"}),
    quota=JSON_RESOURCES,
    cache=None,
    provider=CMA,
    request=lambda call: Get(f"/v2/entreprises/{call.siren}", {"format": "json"}),
    wire=Inscription,
    failures=(Failure.NOT_FOUND.when(status=404),),
    normalise=normalise,
    deprecated=True,
)
