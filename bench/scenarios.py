"""What is asked of the peers: one value a scenario; one more is one more line."""

from dataclasses import dataclass
from typing import Literal

from bench.work import KINDS, Mix


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A load, and what every answer to it must be."""

    name: str
    title: str
    mix: Mix = (("hit", 100),)
    companies: int = 256
    """Distinct SIRENs among what is cached beforehand."""
    headers: Literal["steady", "varying"] = "steady"
    """Whether a client repeats its header bytes, or sends an identifier of its own with each request."""
    upstream_ms: int = 0
    connections: int = 50
    per_second: int | None = None
    """A steady pace, instead of as fast as the server goes."""
    workers: int | None = None
    """Where it is about that; else what the run was told."""
    is_banned: bool = False
    """Asked by a banned address, which makes a new connection for each attempt and gets no byte."""
    rounds: int = 3
    """Fewest rounds of a usual run."""
    usual: bool = True
    """Run when no scenario is named."""
    quick: bool = True
    """Run by `--quick`."""

    @property
    def is_metered(self) -> bool:
        """Whether it uses tokens up."""
        return any(KINDS[name].token == "metered" for name, _ in self.mix)


SCENARIOS = (
    Scenario(name="hit", title="cache hit, one company", companies=1, quick=False),
    Scenario(name="hit256", title="cache hit, 256 companies", rounds=5),
    Scenario(name="hit256-varying", title="cache hit, 256 companies, varying headers", headers="varying", rounds=5),
    Scenario(name="miss", title="miss, upstream of 5 ms", mix=(("miss", 100),), upstream_ms=5),
    Scenario(
        name="mixed",
        title="mixed: 90 % hits, 5 % misses (upstream of 5 ms), 3 % forged tokens, 2 % without context",
        mix=(("hit", 90), ("miss", 5), ("forged", 3), ("untraced", 2)),
        upstream_ms=5,
    ),
    Scenario(name="401", title="refused (401): forged token", mix=(("forged", 100),)),
    Scenario(name="429", title="refused (429): a token used up", mix=(("metered", 100),)),
    Scenario(name="banned", title="banned address, a connection an attempt", is_banned=True),
    Scenario(name="low", title="low load: 200 requests/s", connections=20, per_second=200),
    Scenario(name="hit100k", title="cache hit, 100 000 companies", companies=100_000, quick=False),
    Scenario(name="hit256-2w", title="cache hit, 256 companies, two workers", workers=2, quick=False),
    Scenario(name="quiet", title="cache hit, one connection", connections=1, usual=False, quick=False),
)
