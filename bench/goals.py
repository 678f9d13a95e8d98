"""The goals of the design, what this run says of each, and where the time goes of those that are missed."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.report import Sample, aligned, cpu, cpu_with_redis, p99, ratios, short

OURS = "octroi"
MOST_MEGABYTES = 150
FLAT_MEGABYTES = 5.0
"""Growth of a worker, from the second sample of an endurance run to the last, that still counts as flat."""


@dataclass(frozen=True)
class Bound:
    """A figure that is to be reached, or not to be passed."""

    value: float
    is_most: bool = False

    def holds(self, value: float) -> bool:
        """Whether it does."""
        return value <= self.value if self.is_most else value >= self.value

    def __str__(self) -> str:
        return f"{'≤' if self.is_most else '≥'} {self.value:g}"


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A promise: how Octroi stands to a peer, at the first door and then."""

    title: str
    scenario: str
    against: str
    value: Callable[[Sequence[Sample], str, str], list[float]]
    first: Bound | None
    then: Bound

    def ours(self, samples: Sequence[Sample]) -> float | None:
        """The median over the rounds; None where the run did not measure it."""
        values = self.value(samples, self.scenario, self.against)
        return statistics.median(values) if values else None

    def is_missed(self, samples: Sequence[Sample]) -> bool:
        """Whether it was measured, and either bound does not hold."""
        ours = self.ours(samples)
        return ours is not None and not all(bound.holds(ours) for bound in (self.first, self.then) if bound)


def _fewer(samples: Sequence[Sample], scenario: str, against: str) -> list[float]:
    return ratios(samples, scenario, OURS, against, cpu)


def _of_all(samples: Sequence[Sample], scenario: str, against: str) -> list[float]:
    return ratios(samples, scenario, against, OURS, cpu_with_redis)


def _waits(samples: Sequence[Sample], scenario: str, against: str) -> list[float]:
    return ratios(samples, scenario, against, OURS, p99)


GOALS = (
    Goal(
        title="hit, CPU against plain FastAPI (×)",
        scenario="hit256",
        against="plain-fastapi",
        value=_fewer,
        first=Bound(20),
        then=Bound(60),
    ),
    Goal(
        title="hit, CPU against HAProxy, steady headers (×)",
        scenario="hit256",
        against="haproxy",
        value=_fewer,
        first=Bound(0.35),
        then=Bound(1.25),
    ),
    Goal(
        title="hit, CPU against HAProxy, varied headers (×)",
        scenario="hit256-varying",
        against="haproxy",
        value=_fewer,
        first=Bound(0.35),
        then=Bound(1.0),
    ),
    Goal(
        title="hit, CPU against nginx + Lua + Redis (×)",
        scenario="hit256",
        against="nginx-lua",
        value=_fewer,
        first=Bound(0.6),
        then=Bound(2),
    ),
    Goal(
        title="hit, gateway and Redis together, of HAProxy's CPU",
        scenario="hit256",
        against="haproxy",
        value=_of_all,
        first=None,
        then=Bound(1.0, is_most=True),
    ),
    Goal(
        title="hit, p99 at saturation, of HAProxy's",
        scenario="hit256",
        against="haproxy",
        value=_waits,
        first=Bound(2, is_most=True),
        then=Bound(1, is_most=True),
    ),
    Goal(
        title="miss, CPU against HAProxy (×)",
        scenario="miss",
        against="haproxy",
        value=_fewer,
        first=Bound(0.15),
        then=Bound(0.5),
    ),
)


def table(samples: Sequence[Sample], megabytes: Sequence[float] = ()) -> str:
    """Every goal, both of its columns, what this run measured, and the verdict; memory as an endurance run saw it."""
    rows = [["goal", "first door", "then", "ours", "verdict"]]
    rows += ([goal.title, *_bounds(goal), *_verdict(goal, samples)] for goal in GOALS)
    rows.append(["memory of a worker over 10⁶ requests", "flat", f"flat, < {MOST_MEGABYTES} MB", *_memory(megabytes)])
    rows.append(["growth: 10⁵ tokens, 10⁶ kept answers", "constant", "constant", "", "python -m bench.scale tells"])
    return aligned(rows)


def missed(samples: Sequence[Sample]) -> Iterator[Goal]:
    """The goals that were measured and do not hold."""
    return (goal for goal in GOALS if goal.is_missed(samples))


def is_flat(megabytes: Sequence[float]) -> bool:
    """Whether memory stays where it was once everything has been used a first time."""
    return megabytes[-1] - megabytes[1] <= FLAT_MEGABYTES


def _bounds(goal: Goal) -> tuple[str, str]:
    return str(goal.first) if goal.first else "", str(goal.then)


def _verdict(goal: Goal, samples: Sequence[Sample]) -> tuple[str, str]:
    ours = goal.ours(samples)
    if ours is None:
        return "", "not measured"
    if goal.then.holds(ours):
        return short(ours), "both hold" if goal.first else "holds"
    if goal.first and goal.first.holds(ours):
        return short(ours), "first door holds, then MISSED"
    return short(ours), "MISSED"


def _memory(megabytes: Sequence[float]) -> tuple[str, str]:
    if len(megabytes) < 2:
        return "", "not measured: --endurance"
    ours = f"{megabytes[1]:.0f} to {megabytes[-1]:.0f} MB"
    if not is_flat(megabytes):
        return ours, "MISSED: it grows"
    return ours, "both hold" if megabytes[-1] < MOST_MEGABYTES else "flat, but MISSED"
