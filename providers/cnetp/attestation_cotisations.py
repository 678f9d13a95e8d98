"""Attestation de cotisations: the certificate that a public works company is up to date with CNETP, as a PDF."""

from pydantic import Field

from config.quotas import LOW_LATENCY_DOCUMENTS
from providers.base import (
    DOCUMENT_SECONDS,
    PERIMETER,
    Call,
    Contract,
    Document,
    Empty,
    Endpoint,
    Failure,
    Get,
    Key,
    Provider,
    Single,
    daily,
)
from providers.base.pdf import is_another_file

CNETP = Provider(
    slug="cnetp",
    code="08",
    name="CNETP",
    base_url="https://cnetp.example",
    authentication=Key(in_query={"id": "client_id", "jeton": "api_key"}),
    headers=lambda call: {"content-type": "application/octet-stream"},
    maintenance=(daily("06:00", "06:30"),),
)


class Attestation(Contract):
    """The certificate: a link, for a day."""

    document_url: str = Field(
        title="Lien vers l'attestation de la CNETP (PDF)",
        examples=["https://octroi.example/proxy/files/…/certificat_cnetp.pdf"],
    )
    expires_in: int = Field(
        title="Durée de vie du lien, en secondes",
        description="Durée technique, sans rapport avec la validité de l'attestation.",
        examples=[DOCUMENT_SECONDS],
    )


AttestationCotisations = Single[Attestation, Empty, Empty]


def normalise(_: bytes, call: Call) -> AttestationCotisations:
    """The link."""
    data = Attestation(document_url=call.document or "", expires_in=DOCUMENT_SECONDS)
    return AttestationCotisations(data=data, links=Empty(), meta=Empty())


attestation_cotisations_v3 = Endpoint(
    operation_id="api_entreprise_v3_cnetp_attestation_cotisations_conges_payes_chomage_intemperies",
    path="/v3/cnetp/unites_legales/{siren}/attestation_cotisations_conges_payes_chomage_intemperies",
    title="Attestation de cotisations CNETP",
    description="Attestation de la CNETP selon laquelle une entreprise de travaux publics est à jour de ses "
    "cotisations de congés payés et de chômage-intempéries.",
    tag="Attestations sociales et fiscales",
    scopes=frozenset(
        {
            "certificat_cnetp",
            "certification_cnetp",
            "attestation_cotisations_conges_payes_chomage_intemperies_cibtp_cnetp",
        }
    ),
    quota=LOW_LATENCY_DOCUMENTS,
    cache=None,
    provider=CNETP,
    request=lambda call: Get("/webservice/doc/attestations/entreprises", {"siren": call.siren}),
    wire=lambda reply: reply.body,
    failures=(
        Failure.NOT_FOUND.when(
            status=404, detail=f"La CNETP ne référence pas ce SIREN, ou ce SIREN n'existe pas. {PERIMETER}"
        ),
        Failure.MAINTENANCE.when(
            status=401,
            detail="La CNETP n'ouvre pas son service à la passerelle : elle est sans doute en maintenance. "
            "Renouvelez votre appel plus tard.",
        ),
        Failure.FILE_TYPE.when(is_another_file),
    ),
    document=Document(name="certificat_cnetp.pdf"),
    normalise=normalise,
)
