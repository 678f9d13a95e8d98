"""What both providers make of the wire in the same way: an address, and the links to documents."""

import re

from pydantic import Field

from providers.api_association import wire
from providers.base import Call, Contract
from providers.base.marks import remote_document

INSIDE = "http://localhost:8181/services"
"""How some addresses of documents begin: they are those of the service behind its gateway."""
OUTSIDE = "/apim/api-asso"
"""Where the same documents are for everybody else, below the provider's address."""

SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}$")


class Adresse(Contract):
    """A postal address. Neither the CEDEX nor the country is told."""

    complement: str | None = Field(title="Complément d'adresse", examples=["BATIMENT A"])
    numero_voie: str | None = Field(title="Numéro dans la voie", examples=["12"])
    type_voie: str | None = Field(title="Type de voie", examples=["RUE"])
    libelle_voie: str | None = Field(title="Nom de la voie", examples=["DE L'EXEMPLE"])
    distribution: str | None = Field(title="Boîte postale ou distribution spéciale", examples=["BP 99"])
    code_insee: str | None = Field(title="Code INSEE de la commune", examples=["35238"])
    code_postal: str | None = Field(title="Code postal", examples=["35000"])
    commune: str | None = Field(title="Commune", examples=["RENNES"])


def adresse(sent: wire.Adresse) -> Adresse:
    """The address; its members are all null where none was sent."""
    # A complement that is missing between two others leaves its spaces.
    complements = " ".join(part or "" for part in (sent.cplt_1, sent.cplt_2, sent.cplt_3))
    return Adresse(
        complement=complements.strip() or None,
        numero_voie=sent.num_voie,
        type_voie=sent.type_voie,
        libelle_voie=sent.voie,
        distribution=sent.bp,
        code_insee=sent.code_insee,
        code_postal=sent.cp,
        commune=sent.commune,
    )


def repaired(url: str | None, call: Call) -> str | None:
    """An address of the service, as it can be reached from outside."""
    if url is None or not url.strip():
        return None
    told = url.strip()
    return call.provider_base + OUTSIDE + told.removeprefix(INSIDE) if told.startswith(INSIDE) else told


def document_url(provider: str, url: str | None, call: Call, *, name: str | None) -> str | None:
    """The mark of a document, or None where no address was sent. Of the name only the kind of file is kept."""
    found = repaired(url, call)
    if found is None:
        return None
    suffix = SUFFIX.search(name or "")
    return remote_document(provider, found, f"document{suffix[0].lower() if suffix else '.pdf'}")
