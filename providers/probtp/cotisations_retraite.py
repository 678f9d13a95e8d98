"""Cotisations retraite: whether a building company has paid its pension contributions, and the certificate of it."""

import base64
import binascii
from collections.abc import Callable

from pydantic import Field

from config.quotas import JSON_RESOURCES, LOW_LATENCY_DOCUMENTS
from providers.base import (
    DOCUMENT_SECONDS,
    PERIMETER,
    Call,
    Contract,
    Document,
    Empty,
    Endpoint,
    Failure,
    Post,
    Provider,
    Reply,
    Request,
    Rule,
    Single,
    Wire,
)

PROBTP = Provider(
    slug="probtp",
    code="09",
    name="ProBTP",
    base_url="https://probtp.example",
    wants_certificate=True,
    headers=lambda call: {"content-type": "application/json"},
)

SERVICES = "/ws_ext/rest/certauth/mpsservices"


class Statut(Wire):
    """What ProBTP sends of an account: two digits, then a sentence."""

    corps: str


class Attestation(Contract):
    """The certificate: a link, for a day."""

    document_url: str = Field(
        title="Lien vers l'attestation de ProBTP (PDF)",
        examples=["https://octroi.example/proxy/files/…/attestation_cotisation_retraite_probtp.pdf"],
    )
    expires_in: int = Field(
        title="Durée de vie du lien, en secondes",
        description="Durée technique, sans rapport avec la validité de l'attestation.",
        examples=[DOCUMENT_SECONDS],
    )


class Conformite(Contract):
    """Whether the certificate would be delivered."""

    eligible: bool | None = Field(
        title="Entreprise à jour de ses cotisations",
        description="Si ProBTP délivre une attestation à cette entreprise. Nul quand sa réponse n'est ni oui ni non.",
        examples=[True],
    )


AttestationCotisationsRetraite = Single[Attestation, Empty, Empty]
ConformiteCotisationsRetraite = Single[Conformite, Empty, Empty]


def normalise_attestation(_: bytes, call: Call) -> AttestationCotisationsRetraite:
    """The link."""
    data = Attestation(document_url=call.document or "", expires_in=DOCUMENT_SECONDS)
    return AttestationCotisationsRetraite(data=data, links=Empty(), meta=Empty())


def normalise_conformite(sent: Statut, call: Call) -> ConformiteCotisationsRetraite:
    """What the two digits say."""
    del call
    data = Conformite(eligible={"00": True, "01": False}.get(sent.corps[:2]))
    return ConformiteCotisationsRetraite(data=data, links=Empty(), meta=Empty())


# The rules.


def says(code: str) -> Callable[[Reply], bool]:
    """A predicate: the code in the body, which is looked at before the HTTP status."""
    return lambda reply: str(reply.find("entete", "code")) == code


def says_nothing(reply: Reply) -> bool:
    """No JSON, or JSON without anything in it."""
    return not reply.is_json or not reply.json()


def has_no_document(reply: Reply) -> bool:
    """A success that brings none."""
    return reply.status == 200 and not isinstance(reply.find("data"), str)


def is_empty(reply: Reply) -> bool:
    """A document of no bytes."""
    return reply.status == 200 and reply.find("data") == ""


def decoded(reply: Reply) -> bytes:
    """The document, out of its strict base64. Raises ProviderFailed (051)."""
    try:
        return base64.b64decode(str(reply.find("data")), validate=True)
    except (binascii.Error, ValueError):
        raise Failure.FILE_ENCODING.because() from None


def ask(operation: str) -> Callable[[Call], Request]:
    """A question of ProBTP's: the SIRET, in a body."""
    return lambda call: Post(f"{SERVICES}/{operation}", json={"corps": call.siret})


def rules(absent: str) -> tuple[Rule, ...]:
    """Those of both operations, in their order; `absent` tells what an absence means."""
    return (
        Failure.INTERNAL.when(status=500),
        Failure.UNKNOWN.when(says_nothing),
        Failure.INTERNAL.when(says("4")),
        Failure.NOT_FOUND.when(says("8"), detail=f"{absent} {PERIMETER}"),
    )


attestation_cotisations_retraite_v3 = Endpoint(
    operation_id="api_entreprise_v3_probtp_attestations_cotisation_retraite",
    path="/v3/probtp/etablissements/{siret}/attestation_cotisations_retraite",
    title="Attestation de cotisations retraite",
    description="Attestation de ProBTP selon laquelle une entreprise du bâtiment est à jour de ses cotisations de "
    "retraite complémentaire.",
    tag="Attestations sociales et fiscales",
    scopes=frozenset({"probtp", "cotisations_probtp"}),
    quota=LOW_LATENCY_DOCUMENTS,
    cache=None,
    provider=PROBTP,
    request=ask("getAttestationCotisation"),
    wire=lambda reply: reply.body,
    failures=(
        *rules("ProBTP ne connaît pas ce SIRET, ou ne délivre pas d'attestation à cette entreprise."),
        Failure.FILE_TYPE.when(is_empty),
        Failure.UNKNOWN.when(has_no_document),
    ),
    document=Document(name="attestation_cotisation_retraite_probtp.pdf", content=decoded),
    normalise=normalise_attestation,
)

conformite_cotisations_retraite_v3 = Endpoint(
    operation_id="api_entreprise_v3_probtp_conformites_cotisations_retraite",
    path="/v3/probtp/etablissements/{siret}/conformite_cotisations_retraite",
    title="Conformité des cotisations retraite",
    description="Situation d'une entreprise du bâtiment au regard de ses cotisations de retraite complémentaire.",
    tag="Attestations sociales et fiscales",
    scopes=frozenset({"probtp", "cotisations_probtp"}),
    quota=JSON_RESOURCES,
    cache=None,
    provider=PROBTP,
    request=ask("getStatutCotisation"),
    wire=Statut,
    failures=rules("ProBTP ne connaît pas ce SIRET."),
    normalise=normalise_conformite,
)
