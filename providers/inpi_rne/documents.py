"""The register's documents: asked for when the link to one is followed, then kept for a day."""

import re

from pydantic import Field

from config.quotas import LOW_LATENCY_DOCUMENTS
from providers.base import (
    DOCUMENT_SECONDS,
    Call,
    Contract,
    Document,
    Empty,
    Endpoint,
    Failure,
    Get,
    Parameter,
    Single,
)
from providers.base.marks import deferred_document
from providers.base.parameters import Formats
from providers.inpi_rne.rne import NOT_FOUND, RNE, SATURATED

DOCUMENT_ID = Parameter(
    name="document_id",
    format=Formats.DOCUMENT_ID,
    read=lambda text, _: text if re.fullmatch(r"[0-9a-f]{24}", text, re.ASCII) else None,
    title="Identifiant du document à l'INPI",
)


def link_to_acte(document_id: str, call: Call) -> str:
    """The mark of the link to a deed."""
    return deferred_document("actes", document_id=document_id, siren=call.siren)


def link_to_bilan(document_id: str, call: Call) -> str:
    """The mark of the link to annual accounts."""
    return deferred_document("bilans", document_id=document_id, siren=call.siren)


def link_to_extrait(siren: str) -> str:
    """The mark of the link to a company's extract."""
    return deferred_document("extrait", siren=siren)


class Telechargement(Contract):
    """A document: a link, for a day."""

    document_url: str = Field(
        title="Lien vers le document (PDF)", examples=["https://octroi.example/proxy/files/…/acte.pdf"]
    )
    expires_in: int = Field(title="Durée de vie du lien, en secondes", examples=[DOCUMENT_SECONDS])


DocumentTelecharge = Single[Telechargement, Empty, Empty]


def normalise(_: bytes, call: Call) -> DocumentTelecharge:
    """The link alone."""
    data = Telechargement(document_url=call.document or "", expires_in=DOCUMENT_SECONDS)
    return DocumentTelecharge(data=data, links=Empty(), meta=Empty())


acte = Endpoint(
    operation_id="inpi_rne_telechargement_actes",
    path="/proxy/inpi/download/{document_id}",
    title="Document d'un acte",
    description="Document PDF d'un acte déposé au registre national des entreprises.",
    tag="Informations générales",
    scopes=frozenset(),
    quota=LOW_LATENCY_DOCUMENTS,
    cache=None,
    provider=RNE,
    request=lambda call: Get(f"/api/actes/{call['document_id']}/download"),
    wire=lambda reply: reply.body,
    failures=(NOT_FOUND, SATURATED, Failure.UNAVAILABLE.when(status=403)),
    document=Document(name="actes_download_inpi.pdf"),
    normalise=normalise,
    parameters=(DOCUMENT_ID,),
)

bilan = acte.but(
    operation_id="inpi_rne_telechargement_bilans",
    title="Document de comptes annuels",
    description="Document PDF de comptes annuels déposés au registre national des entreprises.",
    request=lambda call: Get(f"/api/bilans/{call['document_id']}/download"),
    document=Document(name="bilans_download_inpi.pdf"),
)

extrait = acte.but(
    operation_id="inpi_rne_telechargement_extrait",
    path="/proxy/inpi/download/{siren}",
    title="Attestation d'immatriculation",
    description="Attestation PDF d'immatriculation au registre national des entreprises.",
    request=lambda call: Get("https://data.inpi.fr/export/companies", {"format": "pdf", "ids": f'["{call.siren}"]'}),
    document=Document(name="extrait_rne_download_inpi.pdf"),
    parameters=(),
)

DEFERRED = {"actes": acte, "bilans": bilan, "extrait": extrait}
"""By the word that stands in links."""
