"""Conformité des cotisations: whether an establishment of the agricultural scheme has paid what it owes."""

from typing import Literal

from pydantic import Field

from config.quotas import JSON_RESOURCES
from providers.base import (
    PERIMETER,
    Call,
    Contract,
    Empty,
    Endpoint,
    Failure,
    Get,
    Provider,
    Reply,
    Single,
    Wire,
    daily,
)

MSA = Provider(
    slug="msa",
    code="10",
    name="MSA",
    base_url="https://msa.example/conformites",
    headers=lambda call: {"content-type": "application/json"},
    maintenance=(daily("03:00", "03:30"),),
)
"""It lets in by the address of the caller: no token, no account."""

Status = Literal["up_to_date", "outdated", "under_investigation"]

STATUSES: dict[str, Status] = {"O": "up_to_date", "N": "outdated", "A": "under_investigation"}
UNKNOWN_DEBTOR = "S"


class Situation(Wire):
    """One letter."""

    lettre: Literal["O", "N", "A"] = Field(alias="topRegMarchePublic")


class Reponse(Wire):
    """What MSA sends."""

    situation: Situation = Field(alias="TopRMPResponse")


class Conformite(Contract):
    """Where the establishment stands."""

    status: Status = Field(
        title="Situation au regard des cotisations",
        description="`up_to_date` : à jour ; `outdated` : pas à jour ; `under_investigation` : un agent de la MSA "
        "examine la situation.",
        examples=["up_to_date"],
    )


ConformiteCotisations = Single[Conformite, Empty, Empty]


def normalise(sent: Reponse, call: Call) -> ConformiteCotisations:
    """The letter, in the contract's words."""
    del call
    return ConformiteCotisations(data=Conformite(status=STATUSES[sent.situation.lettre]), links=Empty(), meta=Empty())


def says_unknown(reply: Reply) -> bool:
    """A debtor that MSA does not know, or of which it will say nothing, is told with a 200."""
    return reply.status == 200 and reply.find("TopRMPResponse", "topRegMarchePublic") == UNKNOWN_DEBTOR


def relays_a_failure(reply: Reply) -> bool:
    """The relay before MSA tells in its body that what stands behind it failed."""
    return reply.status != 200 and reply.find("Erreur", "Message") in ("502 Bad Gateway", "504 Gateway Timeout")


conformite_cotisations_v3 = Endpoint(
    operation_id="api_entreprise_v3_msa_conformites_cotisations",
    path="/v3/msa/etablissements/{siret}/conformite_cotisations",
    title="Conformité des cotisations agricoles",
    description="Situation d'un établissement du régime agricole au regard de ses cotisations sociales.",
    tag="Attestations sociales et fiscales",
    scopes=frozenset({"msa_cotisations", "cotisations_msa"}),
    quota=JSON_RESOURCES,
    cache=None,
    provider=MSA,
    request=lambda call: Get(f"/{call.siret}"),
    wire=Reponse,
    failures=(
        Failure.NOT_FOUND.when(
            says_unknown,
            detail=f"La MSA ne connaît pas l'établissement de ce SIRET, ou ne se prononce pas sur lui. {PERIMETER}",
        ),
        Failure.INTERNAL.when(relays_a_failure, status=500),
    ),
    normalise=normalise,
)
