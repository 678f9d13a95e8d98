"""Successions: the establishments that one took over from, and those that took over from it, by SIRET."""

from pydantic import Field

from config.quotas import JSON_RESOURCES
from providers.base import EMPTY, Cache, Call, Contract, Empty, Endpoint, Single, Wire
from providers.base.models import CONTRACT_DATE
from providers.insee.sirene import FAILURES, SIRENE, ask_successions


class Lien(Wire):
    """What Sirene sends: a link, told from outside."""

    predecesseur: str = Field(alias="siretEtablissementPredecesseur")
    successeur: str = Field(alias="siretEtablissementSuccesseur")
    date_effet: str | None = Field(None, alias="dateLienSuccession")
    is_transfert_siege: bool | None = Field(None, alias="transfertSiege")
    is_continuite: bool | None = Field(None, alias="continuiteEconomique")


class LiensSent(Wire):
    """All links in which the establishment takes part, on either side."""

    liens: list[Lien] = Field(alias="liensSuccession")


class Succession(Contract):
    """What the contract promises: a link, told from the establishment that was asked about."""

    siret: str = Field(title="SIRET de l'autre établissement", examples=["99950000200020"])
    date_succession: str | None = Field(
        title="Date d'effet de la succession",
        description="Date calendaire telle que l'INSEE la donne.",
        examples=["2024-01-01"],
        json_schema_extra={"format": "date", **CONTRACT_DATE},
    )
    transfert_siege: bool | None = Field(
        title="Transfert de siège",
        description="Vrai si le siège de l'unité légale est passé d'un établissement à l'autre.",
        examples=[False],
    )
    continuite_economique: bool | None = Field(
        title="Continuité économique",
        description="Vrai si le successeur a gardé l'essentiel de l'activité et des moyens du prédécesseur.",
        examples=[True],
    )


class Successions(Contract):
    """Both sides, each in the order of Sirene."""

    predecesseurs: list[Succession] = Field(
        title="Établissements prédécesseurs", description="Ceux dont l'établissement demandé a pris la suite."
    )
    successeurs: list[Succession] = Field(
        title="Établissements successeurs", description="Ceux qui ont pris la suite de l'établissement demandé."
    )


SuccessionsResponse = Single[Successions, Empty, Empty]


def normalise(sent: LiensSent, call: Call) -> SuccessionsResponse:
    """Each link stands on the side where the other establishment is."""
    return SuccessionsResponse(
        data=Successions(
            predecesseurs=[_seen(lien, lien.predecesseur) for lien in sent.liens if lien.successeur == call.siret],
            successeurs=[_seen(lien, lien.successeur) for lien in sent.liens if lien.predecesseur == call.siret],
        ),
        links=EMPTY,
        meta=EMPTY,
    )


def _seen(lien: Lien, other: str) -> Succession:
    return Succession(
        siret=other,
        date_succession=lien.date_effet,
        transfert_siege=lien.is_transfert_siege,
        continuite_economique=lien.is_continuite,
    )


successions_v3 = Endpoint(
    operation_id="api_entreprise_v3_insee_successions",
    path="/v3/insee/sirene/etablissements/{siret}/successions",
    title="Liens de succession d'un établissement",
    description="Les établissements dont celui-ci a pris la suite, et ceux qui ont pris la sienne.",
    tag="Informations générales",
    scopes=frozenset({"etablissements", "open_data"}),
    quota=JSON_RESOURCES,
    cache=Cache.during(hours=1),
    provider=SIRENE,
    request=ask_successions,
    wire=LiensSent,
    failures=FAILURES,
    normalise=normalise,
)
