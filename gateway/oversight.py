"""How bans and quotas are shown to operators, by `/admin` and by the command line alike."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.registry.state import TokenState
from providers.base import Endpoint
from ratelimit.ban import Ban
from ratelimit.limiter import Counter, Limiter, TokenSeen, window_end

CUSTOM = "custom"
"""Name of the counter of a habilitation's own limit."""


def ban_row(ban: Ban, now: float) -> dict[str, Any]:
    """A ban: `ip` is an address, or a /64 of IPv6."""
    return {
        "ip": ban.ip_block,
        "reason": ban.reason,
        "banned_at": _iso(ban.banned_at),
        "until": _iso(ban.until),
        "seconds_left": ban.seconds_left(now),
    }


def counters_of(limiter: Limiter, endpoints: Iterable[Endpoint], state: TokenState) -> tuple[Counter, ...]:
    """Every allowance of a token: the custom one, then those of the endpoints its scopes open."""
    found = {Counter(CUSTOM, state.rate_limit)} if state.rate_limit is not None else set()
    for endpoint in endpoints:
        if not endpoint.scopes or not endpoint.scopes.isdisjoint(state.scopes):
            found.add(Counter(endpoint.quota_name, limiter.limit_of(endpoint.quota)))
    return tuple(sorted(found))


def quota_rows(counters: Sequence[Counter], seen: TokenSeen, now: float) -> list[dict[str, Any]]:
    """Each allowance with what is used of it in the running minute."""
    return [
        {
            "group": counter.name,
            "limit": counter.limit,
            "used": count,
            "remaining": max(counter.limit - count, 0),
            "reset": window_end(seen.now or now),
        }
        for counter, count in zip(counters, seen.counts, strict=False)
    ]


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
