"""The connection to ATTN, URSSAF's service of certificates: OAuth2, and reasons in a list where it gives none."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from providers.base import Kind, Login, Provider, Reply

OAUTH2 = Login(
    fields={"grant_type": "client_credentials", "scope": "attn.api_entreprise"},
    secrets={"client_id": "client_id", "client_secret": "client_secret"},
)

ATTN = Provider(
    slug="urssaf",
    code="04",
    name="ACOSS",
    base_url="https://urssaf.example",
    token_url="https://urssaf.example/api/oauth/v1/token",  # noqa: S106  an address, not a secret
    authentication=OAUTH2,
    connect_timeout=timedelta(seconds=20),
    read_timeout=timedelta(seconds=20),
)

UNDER_ANALYSIS = Kind(
    "501",
    502,
    "Demande en cours d'analyse par l'Urssaf",
    "Un agent de l'Urssaf doit examiner la situation de l'entreprise. Renouvelez votre appel dans deux jours.",
    retry_in=172800,
)
PENDING = Kind(
    "502",
    502,
    "Demande en cours de traitement par l'Urssaf",
    "L'Urssaf n'a pas fini de traiter la demande. Renouvelez votre appel plus tard.",
)
NOT_DELIVERED = Kind(
    "503",
    502,
    "Attestation non délivrée par l'Urssaf",
    "L'Urssaf ne délivre pas d'attestation : l'entreprise n'est pas à jour de ses cotisations. "
    "Elle peut régulariser sa situation auprès de l'Urssaf.",
)

REFUSED = "FUNC502"


def reasons(reply: Reply) -> list[Any]:
    """The reasons of a failure, as they were sent; none where the body is anything else than a list."""
    sent = reply.json() if reply.is_json else None
    return sent if isinstance(sent, list) else []


def codes(reply: Reply) -> frozenset[str]:
    """The codes of the reasons. A refusal decides alone, whatever stands beside it."""
    found = frozenset(str(reason.get("code")) for reason in reasons(reply) if isinstance(reason, dict))
    return frozenset({REFUSED}) if REFUSED in found else found


def says(*wanted: str) -> Callable[[Reply], bool]:
    """A predicate: one of these codes is among the reasons."""
    return lambda reply: not codes(reply).isdisjoint(wanted)


def is_refused(reply: Reply) -> bool:
    """The company is not up to date with its contributions."""
    return REFUSED in codes(reply)


def told(reply: Reply) -> Mapping[str, Any]:
    """The reasons, for the caller, where there are any."""
    sent = reasons(reply)
    return {"provider_errors": sent} if sent else {}
