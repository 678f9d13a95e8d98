"""What a run says: a table a scenario, everything measured as JSON."""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.scenarios import Scenario

_QUOTED = (0, 4)
"""Columns whose extremes are told beside the ratios'."""
REFERENCES = ("plain-fastapi", "node", "nginx-lua", "haproxy")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One peer, one scenario, one round."""

    scenario: str
    peer: str
    round: int
    requests: int
    """Requests served, by its own audit trail where that is whole; of a banned client, its attempts."""
    cpu_us: float
    """CPU of its process tree, per request."""
    redis_us: float
    per_second: float
    p50_ms: float
    p99_ms: float
    megabytes: float
    """Resident memory of its busiest worker, after the round."""
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
        if self.low == self.high:
            return short(self.median)
        return f"{short(self.median)} ({short(self.low)}-{short(self.high)})"


Measure = Callable[[Sample], float]


def cpu(sample: Sample) -> float:
    """CPU of the gateway, per request."""
    return sample.cpu_us


def cpu_with_redis(sample: Sample) -> float:
    """CPU of the gateway and of Redis, per request."""
    return sample.cpu_us + sample.redis_us


def p99(sample: Sample) -> float:
    """The 99th percentile of waiting times."""
    return sample.p99_ms


def ratios(samples: Sequence[Sample], scenario: str, peer: str, against: str, value: Measure = cpu) -> list[float]:
    """How many times less `peer` takes than `against`, round by round: rounds share the machine's mood."""
    of = {(s.peer, s.round): value(s) for s in samples if s.scenario == scenario}
    rounds = sorted(number for name, number in of if name == peer and (against, number) in of)
    return [of[against, number] / of[peer, number] for number in rounds]


def table(scenario: Scenario, samples: Sequence[Sample]) -> str:
    """The peers side by side, medians and, of what is to be quoted, extremes; ratios are of CPU, higher is better."""
    own = [sample for sample in samples if sample.scenario == scenario.name]
    peers = list(dict.fromkeys(sample.peer for sample in own))
    references = [name for name in REFERENCES if name in peers]
    unit = "attempt" if scenario.is_banned else "request"
    head = ["", f"CPU µs/{unit}", "Redis µs", f"{unit}s/s", "p50 ms", "p99 ms", "MB"]
    rows = [[*head, *(f"× {name}" for name in references)]]
    for peer in peers:
        of_peer = [sample for sample in own if sample.peer == peer]
        figures = [
            Spread.of([getattr(s, name) for s in of_peer])
            for name in ("cpu_us", "redis_us", "per_second", "p50_ms", "p99_ms", "megabytes")
        ]
        told = [str(spread) if number in _QUOTED else short(spread.median) for number, spread in enumerate(figures)]
        against = (ratios(own, scenario.name, peer, name) for name in references)
        rows.append([peer, *told, *(str(Spread.of(values)) if values else "" for values in against)])
    return f"{scenario.title} ({scenario.name}), {scenario.connections} connections\n{aligned(rows)}"


def memory(samples: Sequence[Sample], at_start: dict[str, float]) -> str:
    """Resident memory of each peer's busiest worker, before the run and after its most demanding round."""
    rows = [["memory of a worker, MB", "at start", "at most"]]
    for peer, before in at_start.items():
        held = [sample.megabytes for sample in samples if sample.peer == peer]
        rows.append([peer, short(before), short(max(held)) if held else ""])
    return aligned(rows)


def write(path: Path, samples: Sequence[Sample], about: dict[str, object]) -> None:
    """Everything measured, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"about": about, "samples": [asdict(sample) for sample in samples]}, indent=1) + "\n")


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as columns, the first to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def short(value: float) -> str:
    """Two decimals at most."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
