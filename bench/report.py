"""What a run says at its end: a table a scenario, the goals, and everything measured as JSON."""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from bench.scenarios import Scenario

REFERENCES = ("plain-fastapi", "haproxy", "nginx-lua")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One peer, one scenario, one round."""

    scenario: str
    peer: str
    round: int
    requests: int
    """Requests served, by its own audit trail."""
    cpu_us: float
    """CPU of its process tree, per request."""
    redis_us: float
    per_second: float
    p50_ms: float
    p99_ms: float
    load_average: float
    """Of the machine, before the round: well above the bench's own two, the round was disturbed."""


@dataclass(frozen=True)
class Spread:
    """A median between its extremes."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """That of at least one value."""
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{_short(self.median)} ({_short(self.low)}-{_short(self.high)})"


@dataclass(frozen=True)
class Goal:
    """A promise of the design: how Octroi stands to a peer."""

    scenario: str
    against: str
    measure: Literal["cpu", "p99"]
    at_least: float

    def says(self, samples: Sequence[Sample]) -> str | None:
        """A sentence on whether it holds; None where the run did not measure it."""
        found = ratios(samples, self.scenario, "octroi", self.against, self.measure)
        if not found:
            return None
        median = statistics.median(found)
        verdict = "holds" if median >= self.at_least else "MISSED"
        return f"{verdict}: {self.scenario}, {self.measure} against {self.against} {median:.2f}, goal {self.at_least}"


GOALS = (
    Goal("hit256", "plain-fastapi", "cpu", 20),
    Goal("hit256", "haproxy", "cpu", 0.35),
    Goal("hit256", "nginx-lua", "cpu", 0.6),
    Goal("hit256", "haproxy", "p99", 0.5),
    Goal("miss", "haproxy", "cpu", 0.15),
)
MEASURES: dict[str, Callable[[Sample], float]] = {"cpu": lambda s: s.cpu_us, "p99": lambda s: s.p99_ms}


def ratios(samples: Sequence[Sample], scenario: str, peer: str, against: str, measure: str) -> list[float]:
    """How many times less `peer` takes than `against`, round by round: rounds share the machine's mood."""
    value = MEASURES[measure]
    of = {(s.peer, s.round): value(s) for s in samples if s.scenario == scenario}
    rounds = sorted(number for name, number in of if name == peer and (against, number) in of)
    return [of[against, number] / of[peer, number] for number in rounds]


def table(scenario: Scenario, samples: Sequence[Sample]) -> str:
    """The peers side by side, medians and, in brackets, extremes; ratios are of CPU, higher is better."""
    own = [sample for sample in samples if sample.scenario == scenario.name]
    peers = list(dict.fromkeys(sample.peer for sample in own))
    references = [name for name in REFERENCES if name in peers]
    rows = [["", "CPU µs/request", "Redis µs", "requests/s", "p50 ms", "p99 ms", *(f"× {name}" for name in references)]]
    for peer in peers:
        of_peer = [sample for sample in own if sample.peer == peer]
        columns = (
            [getattr(s, name) for s in of_peer] for name in ("cpu_us", "redis_us", "per_second", "p50_ms", "p99_ms")
        )
        against = (ratios(own, scenario.name, peer, name, "cpu") for name in references)
        rows.append([peer, *(str(Spread.of(values)) for values in (*columns, *against))])
    return f"{scenario.title} ({scenario.name}), {scenario.connections} connections\n{_aligned(rows)}"


def goals(samples: Sequence[Sample]) -> str:
    """Which of the goals hold, a line each."""
    return "\n".join(said for goal in GOALS if (said := goal.says(samples)))


def write(path: Path, samples: Sequence[Sample], about: dict[str, object]) -> None:
    """Everything measured, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"about": about, "samples": [asdict(sample) for sample in samples]}, indent=1) + "\n")


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) if index == 0 else cell.rjust(width) for index, (cell, width) in enumerate(line))
        for line in (list(zip(row, widths, strict=True)) for row in rows)
    )


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"
