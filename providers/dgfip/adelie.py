"""The connection to ADELIE, DGFIP's service for administrations: OAuth2, and the caller's identity in each query."""

from collections.abc import Mapping

from providers.base import Call, Failure, Login, Provider, Reply, daily

OAUTH2 = Login(
    fields={"grant_type": "client_credentials"},
    secrets={"client_id": "client_id", "client_secret": "client_secret"},
)


def _identity(call: Call) -> Mapping[str, str]:
    return {
        "x-correlation-id": call.request_id,
        "x-request-id": call.request_id,
        "content-type": "application/json",
    }


ADELIE = Provider(
    slug="dgfip",
    code="03",
    name="DGFIP - Adélie",
    base_url="https://dgfip-apim.example",
    token_url="https://dgfip-apim.example/token",  # noqa: S106  an address, not a secret
    authentication=OAUTH2,
    headers=_identity,
    maintenance=(daily("01:00", "02:00"),),
)

OPERATIONS = "/adelie/v1"


def is_declared_error(reply: Reply) -> bool:
    """ADELIE names its own passing errors, with a 500."""
    return reply.status == 500 and reply.find("erreur", "code") is not None


DECLARED_ERROR = Failure.TEMPORARY.when(is_declared_error)
