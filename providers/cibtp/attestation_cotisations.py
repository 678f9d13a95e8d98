"""Attestation de cotisations: the certificate that a building company is up to date with CIBTP, as a PDF."""

from dataclasses import replace
from datetime import timedelta

from pydantic import Field

from config.quotas import HIGH_LATENCY_DOCUMENTS
from providers.base import (
    PERIMETER,
    Call,
    Contract,
    Document,
    Empty,
    Endpoint,
    Failure,
    Get,
    Kind,
    Login,
    Provider,
    Single,
)
from providers.base.pdf import is_another_file

CIBTP = Provider(
    slug="cibtp",
    code="38",
    name="CIBTP",
    base_url="https://cibtp.example",
    token_url="/apientreprise/token",  # noqa: S106  an address, not a secret
    authentication=Login(secrets={"client_id": "client_id", "client_secret": "client_secret"}, as_json=True),
)

LINK_SECONDS = 600
"""CIBTP wants its certificates to be available for ten minutes only."""

UNPAID = Kind(
    "422",
    404,
    "Attestation non disponible",
    "Le réseau CIBTP connaît l'entreprise, mais ne délivre pas d'attestation : elle n'est pas à jour de ses "
    "cotisations.",
)


IMPOSSIBLE = replace(
    Failure.INTERNAL,
    title="Attestation impossible à établir",
    detail="Le réseau CIBTP connaît l'entreprise mais ne peut pas établir son attestation, par exemple parce qu'elle "
    "change de caisse.",
    of_entity=True,
)
"""The contract counts it among the failures of the provider, although it lasts as long as the company's situation."""


class Attestation(Contract):
    """The certificate: a link, for ten minutes."""

    document_url: str = Field(
        title="Lien vers l'attestation de CIBTP (PDF)",
        examples=["https://octroi.example/proxy/files/…/certificat_cibtp.pdf"],
    )
    expires_in: int = Field(
        title="Durée de vie du lien, en secondes",
        description="Durée technique, sans rapport avec la validité de l'attestation.",
        examples=[LINK_SECONDS],
    )


AttestationCotisations = Single[Attestation, Empty, Empty]


def normalise(_: bytes, call: Call) -> AttestationCotisations:
    """The link."""
    data = Attestation(document_url=call.document or "", expires_in=LINK_SECONDS)
    return AttestationCotisations(data=data, links=Empty(), meta=Empty())


attestation_cotisations_v3 = Endpoint(
    operation_id="api_entreprise_v3_cibtp_attestation_cotisations_conges_payes_chomage_intemperies",
    path="/v3/cibtp/etablissements/{siret}/attestation_cotisations_conges_payes_chomage_intemperies",
    title="Attestation de cotisations CIBTP",
    description="Attestation selon laquelle une entreprise du bâtiment, affiliée à l'une des caisses du réseau CIBTP, "
    "est à jour de ses cotisations de congés payés et de chômage-intempéries.",
    tag="Attestations sociales et fiscales",
    scopes=frozenset(
        {
            "certificat_cnetp",
            "certification_cnetp",
            "attestation_cotisations_conges_payes_chomage_intemperies_cibtp_cnetp",
        }
    ),
    quota=HIGH_LATENCY_DOCUMENTS,
    cache=None,
    provider=CIBTP,
    request=lambda call: Get("/apientreprise/attestationmarche", {"siret": call.siret}),
    wire=lambda reply: reply.body,
    failures=(
        Failure.NOT_FOUND.when(
            status=404,
            detail="Le réseau CIBTP ne connaît pas ce SIRET, ou la caisse de l'entreprise n'est pas reliée à cette "
            f"API. {PERIMETER}",
        ),
        UNPAID.when(status=422),
        IMPOSSIBLE.when(status=409),
        Failure.INTERNAL.when(status=500),
        Failure.FILE_TYPE.when(is_another_file),
    ),
    document=Document(name="certificat_cibtp.pdf", lifetime=timedelta(seconds=LINK_SECONDS)),
    normalise=normalise,
)
