"""How Data.Subvention is spoken to: an account, a JSON login, and a token in a header of its own."""

from datetime import UTC, datetime

from providers.base import Login, Provider, Reply

UNDATED_SECONDS = 1800
"""How long a token is kept whose end cannot be read."""


def token(reply: Reply, now: float) -> tuple[str, int] | None:
    """The token, and the seconds until the date at which it says it ends."""
    found = reply.find("user", "jwt", "token")
    if not isinstance(found, str) or not found:
        return None
    try:
        end = datetime.fromisoformat(str(reply.find("user", "jwt", "expirateDate")))
    except ValueError:
        return found, UNDATED_SECONDS
    dated = end if end.tzinfo else end.replace(tzinfo=UTC)
    return found, int(dated.timestamp() - now)


DATA_SUBVENTION = Provider(
    slug="data_subvention",
    code="52",
    name="DataSubvention",
    base_url="https://data-subvention.example",
    token_url="/auth/login",  # noqa: S106  an address
    authentication=Login(
        secrets={"email": "username", "password": "password"},
        as_json=True,
        read=token,
        renewed_on=(401,),
        header=lambda told: {"x-access-token": told},
    ),
    headers=lambda call: {"content-type": "application/json"},
)
