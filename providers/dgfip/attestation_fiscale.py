"""Attestation fiscale: the certificate that a company has met its tax obligations, as a PDF."""

from dataclasses import replace
from datetime import date, timedelta

from pydantic import Field

from config.quotas import HIGH_LATENCY_DOCUMENTS
from providers.base import (
    COMMON,
    DOCUMENT_SECONDS,
    PERIMETER,
    Cache,
    Call,
    Contract,
    Document,
    Empty,
    Endpoint,
    Failure,
    Get,
    Reply,
    Single,
    Tool,
)
from providers.base.models import CONTRACT_DATE
from providers.base.pdf import first_pages, is_pdf
from providers.dgfip.adelie import ADELIE, DECLARED_ERROR, OPERATIONS

SLOW_ADELIE = replace(ADELIE, connect_timeout=timedelta(seconds=15), read_timeout=timedelta(seconds=15))
"""ADELIE writes a certificate at each call, and takes longer over it than over data."""

REFUSAL = "Impossible de délivrer votre attestation de régularité fiscale"


class Attestation(Contract):
    """The certificate: a link, for a day."""

    document_url: str = Field(
        title="Lien vers l'attestation fiscale (PDF)", examples=["https://octroi.example/proxy/files/…/attestation.pdf"]
    )
    expires_in: int = Field(title="Durée de vie du lien, en secondes", examples=[DOCUMENT_SECONDS])


class AttestationDatee(Contract):
    """The certificate, with the dates that say what it holds for."""

    document_url: str = Field(
        title="Lien vers l'attestation fiscale (PDF)", examples=["https://octroi.example/proxy/files/…/attestation.pdf"]
    )
    document_url_expires_in: int = Field(
        title="Durée de vie du lien, en secondes",
        description="Durée technique, sans rapport avec la validité de l'attestation.",
        examples=[DOCUMENT_SECONDS],
    )
    date_delivrance_attestation: date = Field(
        json_schema_extra=CONTRACT_DATE,
        title="Date de délivrance",
        description="Jour où l'attestation a été demandée à la DGFIP.",
        examples=["2026-04-28"],
    )
    date_periode_analysee: date = Field(
        json_schema_extra=CONTRACT_DATE,
        title="Date à laquelle la situation est appréciée",
        description="Dernier jour du mois qui précède la délivrance.",
        examples=["2026-03-31"],
    )


AttestationFiscale = Single[Attestation, Empty, Empty]
AttestationFiscaleDatee = Single[AttestationDatee, Empty, Empty]


def normalise_v3(_: bytes, call: Call) -> AttestationFiscale:
    """The link alone."""
    data = Attestation(document_url=call.document or "", expires_in=DOCUMENT_SECONDS)
    return AttestationFiscale(data=data, links=Empty(), meta=Empty())


def normalise_v4(_: bytes, call: Call) -> AttestationFiscaleDatee:
    """The link, and dates that are computed: the document is not asked for them."""
    data = AttestationDatee(
        document_url=call.document or "",
        document_url_expires_in=DOCUMENT_SECONDS,
        date_delivrance_attestation=call.today,
        date_periode_analysee=call.today.replace(day=1) - timedelta(days=1),
    )
    return AttestationFiscaleDatee(data=data, links=Empty(), meta=Empty())


def says_refused(reply: Reply) -> bool:
    """A refusal is a PDF too, and only its first page says so."""
    return any(REFUSAL in " ".join(page.split()) for page in first_pages(reply.body, 1))


attestation_fiscale_v4 = Endpoint(
    operation_id="api_entreprise_v4_dgfip_attestations_fiscales",
    path="/v4/dgfip/unites_legales/{siren}/attestation_fiscale",
    mcp=Tool(name="dgfip.attestation_fiscale"),
    title="Attestation fiscale",
    description="Attestation de régularité fiscale de l'entreprise, délivrée par la DGFIP, et dates qui la situent.",
    tag="Attestations sociales et fiscales",
    scopes=frozenset({"attestations_fiscales", "attestation_fiscale_dgfip"}),
    quota=HIGH_LATENCY_DOCUMENTS,
    cache=Cache.until_next_day(8),
    provider=SLOW_ADELIE,
    request=lambda call: Get(
        f"{OPERATIONS}/attestationFiscale",
        {"userId": call.user_id, "siren": call.siren, "groupeIS": "NON", "groupeTVA": "NON"},
    ),
    wire=lambda reply: reply.body,
    common=(),
    failures=(
        Failure.NOT_FOUND.when(
            says_refused,
            status=404,
            detail=f"La DGFIP ne délivre pas d'attestation fiscale pour cette entreprise. {PERIMETER}",
        ),
        DECLARED_ERROR,
        *COMMON,
        Failure.UNKNOWN.when(lambda reply: not is_pdf(reply.body)),
    ),
    document=Document(name="attestation_fiscale_dgfip.pdf"),
    normalise=normalise_v4,
    accumulates=True,
    key="dgfip/attestation_fiscale",
)

attestation_fiscale_v3 = attestation_fiscale_v4.but(
    operation_id="api_entreprise_v3_dgfip_attestations_fiscales",
    path="/v3/dgfip/unites_legales/{siren}/attestation_fiscale",
    description="Attestation de régularité fiscale de l'entreprise, délivrée par la DGFIP.",
    normalise=normalise_v3,
    deprecated=True,
)
