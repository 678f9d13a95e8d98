"""What is asked of the peers: one value a scenario; one more is one more line."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A load, and what every answer to it must be."""

    name: str
    title: str
    companies: int | None
    """Distinct SIRENs asked for in turn, all cached beforehand; None: a new one at each request, hence a miss."""
    status: int = 200
    token: Literal["good", "forged"] = "good"
    headers: Literal["steady", "varying"] = "steady"
    """Whether a client repeats its header bytes, or sends an identifier of its own with each request."""
    upstream_ms: int = 0
    connections: int = 50
    usual: bool = True
    """Run when no scenario is named."""

    @property
    def is_cached(self) -> bool:
        """Whether the provider must not be called at all."""
        return self.companies is not None or self.status != 200


SCENARIOS = (
    Scenario(name="hit", title="cache hit, one company", companies=1),
    Scenario(name="hit256", title="cache hit, 256 companies", companies=256),
    Scenario(
        name="hit256-varying", title="cache hit, 256 companies, varying headers", companies=256, headers="varying"
    ),
    Scenario(name="hit100k", title="cache hit, 100 000 companies", companies=100_000, usual=False),
    Scenario(name="miss", title="miss, upstream of 5 ms", companies=None, upstream_ms=5),
    Scenario(name="401", title="refused, forged token", companies=256, token="forged", status=401, usual=False),
    Scenario(name="quiet", title="cache hit, one connection", companies=256, connections=1, usual=False),
)
