"""Attestation de vigilance: the certificate that a company is up to date with its social contributions, as a PDF."""

import base64
import binascii
import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Literal

import structlog
from pydantic import Field

from config.quotas import URSSAF_ATTESTATIONS
from providers.base import (
    DOCUMENT_SECONDS,
    Cache,
    Call,
    Contract,
    Document,
    Empty,
    Endpoint,
    Failure,
    Post,
    ProviderFailed,
    Reply,
    Request,
    Single,
    Tool,
)
from providers.base.pdf import first_pages
from providers.urssaf.attn import ATTN, NOT_DELIVERED, PENDING, UNDER_ANALYSIS, is_refused, reasons, says, told

log = structlog.get_logger()


@dataclass(frozen=True)
class Extrait:
    """What is read in a certificate: both values, or neither."""

    code_securite: str
    date_debut: date


@dataclass(frozen=True)
class Sent:
    """What URSSAF sends: a refusal, or a certificate, of which something could be read or not."""

    refused: bool
    extrait: Extrait | None


class Attestation(Contract):
    """The certificate: a link, for a day."""

    document_url: str = Field(
        title="Lien vers l'attestation de vigilance (PDF)",
        examples=["https://octroi.example/proxy/files/…/attestation.pdf"],
    )
    expires_in: int = Field(title="Durée de vie du lien, en secondes", examples=[DOCUMENT_SECONDS])


class EntityStatus(Contract):
    """Whether URSSAF delivers the certificate."""

    code: Literal["ok", "refus_de_delivrance"] = Field(title="Délivrance ou refus de l'attestation", examples=["ok"])
    libelle: str = Field(title="Libellé du code", examples=["Attestation délivrée par l'Urssaf"])
    description: str = Field(title="Ce que le code signifie")


class AttestationLue(Contract):
    """The certificate, or its refusal, and what the PDF says."""

    entity_status: EntityStatus = Field(title="Situation de l'entreprise au regard de ses obligations sociales")
    date_debut_validite: date | None = Field(
        title="Début de validité",
        description="Lue dans le document ; nulle si elle n'a pas pu l'être.",
        examples=["2026-03-31"],
    )
    date_fin_validite: date | None = Field(
        title="Fin de validité",
        description="Dernier jour du sixième mois après celui du début de validité.",
        examples=["2026-09-30"],
    )
    code_securite: str | None = Field(
        title="Code de sécurité",
        description="Permet de vérifier l'attestation auprès de l'Urssaf. Lu dans le document ; nul s'il n'a pas pu "
        "l'être.",
        examples=["A1B2C3D4E5F6G7H"],
    )
    document_url: str | None = Field(
        title="Lien vers l'attestation de vigilance (PDF)",
        description="Nul quand l'attestation est refusée.",
        examples=["https://octroi.example/proxy/files/…/attestation.pdf"],
    )
    document_url_expires_in: int | None = Field(
        title="Durée de vie du lien, en secondes",
        description="Durée technique, sans rapport avec la validité de l'attestation.",
        examples=[DOCUMENT_SECONDS],
    )


AttestationVigilance = Single[Attestation, Empty, Empty]
AttestationVigilanceLue = Single[AttestationLue, Empty, Empty]

# The contract fixes these texts: callers show them.
DELIVERED = EntityStatus(
    code="ok",
    libelle="Attestation délivrée par l'Urssaf",
    description="La délivrance de l'attestation de vigilance a été validée par l'Urssaf. L'attestation est délivrée "
    "lorsque l'entité est à jour de ses cotisations et contributions, ou bien dans le cas de situations spécifiques "
    "détaillées dans la documentation métier.",
)
REFUSED = EntityStatus(
    code="refus_de_delivrance",
    libelle="Délivrance de l'attestation refusée par l'Urssaf",
    description="La délivrance de l'attestation de vigilance a été refusée par l'Urssaf car l'entité n'est pas à jour "
    "de ses cotisations sociales.",
)


def normalise_v3(_: bytes, call: Call) -> AttestationVigilance:
    """The link alone."""
    data = Attestation(document_url=call.document or "", expires_in=DOCUMENT_SECONDS)
    return AttestationVigilance(data=data, links=Empty(), meta=Empty())


def normalise_v4(sent: Sent, call: Call) -> AttestationVigilanceLue:
    """The link and what was read, or the refusal; a certificate that could not be read is still delivered."""
    extrait = sent.extrait
    data = AttestationLue(
        entity_status=REFUSED if sent.refused else DELIVERED,
        date_debut_validite=extrait.date_debut if extrait else None,
        date_fin_validite=end_of_validity(extrait.date_debut) if extrait else None,
        code_securite=extrait.code_securite if extrait else None,
        document_url=call.document,
        document_url_expires_in=None if sent.refused else DOCUMENT_SECONDS,
    )
    return AttestationVigilanceLue(data=data, links=Empty(), meta=Empty())


def end_of_validity(start: date) -> date:
    """The last day of the sixth month after that of the start."""
    years, month = divmod(start.month + 5, 12)
    return date(start.year + years, month + 1, monthrange(start.year + years, month + 1)[1])


# What is read in the PDF.

_CODE = re.compile(r"[0-9A-Z]{15}")
_LABEL = re.compile(r"code de s[ée]curit[ée]", re.IGNORECASE)
_START = (
    re.compile(r"à la date du (\d{2}/\d{2}/\d{4})"),
    re.compile(r"professionnelle - CFP\) (?:exigibles )?au (\d{2}/\d{2}/\d{4})"),  # the self-employed's form
)


def extract(content: bytes) -> Extrait | None:
    """The security code of page 1 and the date of page 2; None where either is missing."""
    pages = first_pages(content, 2)
    code = _code_securite(pages[0].splitlines()) if pages else None
    start = _date_debut(pages[1].splitlines()) if len(pages) > 1 else None
    if code is None or start is None:
        log.info("urssaf_certificate_not_read", pages=len(pages), code=code is not None, date=start is not None)
        return None
    return Extrait(code_securite=code, date_debut=start)


def _code_securite(lines: list[str]) -> str | None:
    """The line under its label, else the first that looks like one: a town may be written in fifteen capitals."""
    texts = [line.strip() for line in lines]
    labelled = [below for label, below in pairwise(texts) if _LABEL.search(label)]
    return next((text for text in labelled + texts if _CODE.fullmatch(text)), None)


def _date_debut(lines: list[str]) -> date | None:
    return next(_dates(lines), None)


def _dates(lines: list[str]) -> Iterator[date]:
    for pattern in _START:
        for line in lines:
            if found := pattern.search(line):
                try:
                    yield datetime.strptime(found[1], "%d/%m/%Y").date()  # noqa: DTZ007  a calendar date
                except ValueError:
                    continue


# The rules.


def decoded(reply: Reply) -> bytes:
    """The document: the body is its base64 and nothing else, but for a line end. Raises ProviderFailed (051)."""
    try:
        return base64.b64decode(reply.body.rstrip(b"\r\n"), validate=True)
    except binascii.Error:
        raise Failure.FILE_ENCODING.because() from None


def read(reply: Reply) -> Sent:
    """A refusal, or a certificate and what it says."""
    refused = is_refused(reply)
    return Sent(refused=refused, extrait=None if refused else extract(decoded(reply)))


def is_blank(reply: Reply) -> bool:
    """Nothing was sent."""
    return not reply.body.strip()


def is_error_page(reply: Reply) -> bool:
    """The page of errors of URSSAF's site, in the place of an answer."""
    return reply.status == 404 and "Une erreur est survenue sur le serveur" in reply.text


def is_object(reply: Reply) -> bool:
    """JSON that is not the list of reasons it should be."""
    return reply.is_json and isinstance(reply.json(), dict)


def is_neither(reply: Reply) -> bool:
    """Neither a refusal nor a document."""
    return not is_refused(reply) and is_not_base64(reply)


def is_not_base64(reply: Reply) -> bool:
    """No document."""
    try:
        decoded(reply)
    except ProviderFailed:
        return True
    return False


def request(call: Call) -> Request:
    """The certificate of vigilance is one of several that ATTN gives, and each asking says for whom."""
    return Post(
        "/attn/entreprise/v1/demandes/api_entreprise",
        json={
            "typeAttestation": "AVG_UR",
            "siren": call.siren,
            "idClient": call.user_id,
            "beneficiaire": call.recipient,
        },
    )


NOTHING_SENT = (
    Failure.INTERNAL.when(
        is_blank, detail="L'Urssaf a répondu sans rien transmettre. Renouvelez votre appel plus tard."
    ),
    Failure.INTERNAL.when(is_error_page),
)

REASONS = (
    UNDER_ANALYSIS.when(says("FUNC503")),
    PENDING.when(says("FUNC504")),
    Failure.RATE_LIMITED.when(says("FUNC429"), meta=told),
    Failure.INTERNAL.when(says(*(f"FUNC{number}" for number in range(510, 517))), meta=told),
    Failure.NOT_FOUND.when(says("FUNC501", "FUNC517"), meta=told),
    Failure.UNKNOWN.when(lambda reply: bool(reasons(reply)) and not is_refused(reply), meta=told),
    Failure.UNKNOWN.when(is_object, detail="L'Urssaf a répondu par un objet JSON qui n'est pas une liste de motifs."),
)

_ADVICE = """
Cet outil demande à l'Urssaf l'attestation que l'entreprise doit à qui la paie. La réponse prend parfois plusieurs
secondes.

- `entity_status` dit si l'attestation est délivrée. Un refus n'est pas une erreur : l'entreprise n'est pas à jour.
- L'attestation est un PDF, à l'adresse donnée par `document_url` ; ce lien vit le temps annoncé, et quiconque l'a peut
  lire le document : ne le publiez pas.
- Une erreur 404 ne dit rien de la situation de l'entreprise.
"""

attestation_vigilance_v4 = Endpoint(
    operation_id="api_entreprise_v4_acoss_attestations_sociales",
    path="/v4/urssaf/unites_legales/{siren}/attestation_vigilance",
    mcp=Tool(name="urssaf.attestations_sociales", advice=_ADVICE),
    title="Attestation de vigilance",
    description="Attestation de l'Urssaf selon laquelle l'entreprise est à jour de ses cotisations sociales, ou refus "
    "de la délivrer. Le code de sécurité et la date de début de validité sont lus dans le document.",
    tag="Attestations sociales et fiscales",
    scopes=frozenset({"attestations_sociales", "attestation_sociale_urssaf"}),
    quota=URSSAF_ATTESTATIONS,
    cache=Cache.until_next_day(8),
    provider=ATTN,
    request=request,
    wire=read,
    success=None,  # the body decides, whatever the status
    failures=(*NOTHING_SENT, *REASONS, Failure.UNKNOWN.when(is_neither)),
    document=Document(name="attestation-vigilance-urssaf.pdf", content=decoded, absent=is_refused),
    normalise=normalise_v4,
    accumulates=True,
    key="urssaf/attestation_vigilance",
)

attestation_vigilance_v3 = attestation_vigilance_v4.but(
    operation_id="api_entreprise_v3_acoss_attestations_sociales",
    path="/v3/urssaf/unites_legales/{siren}/attestation_vigilance",
    description="Attestation de l'Urssaf selon laquelle l'entreprise est à jour de ses cotisations sociales.",
    wire=lambda reply: reply.body,
    failures=(*NOTHING_SENT, NOT_DELIVERED.when(is_refused), *REASONS, Failure.FILE_ENCODING.when(is_not_base64)),
    normalise=normalise_v3,
    deprecated=True,
)
