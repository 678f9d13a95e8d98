"""From calls per second to machines: `python -m bench.capacity`.

The calculation multiplies a load by what a call was measured to cost. The simulation then lets calls arrive at random,
each at one of the workers, since a connection stays with the worker that accepted it, and tells how long they wait
there for their turn: a worker does one thing at a time.
"""

import argparse
import math
import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LOADS = (10, 100, 1_000, 10_000)
SIMULATED_CALLS = 200_000
SECONDS_A_DAY = 86_400


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What a call costs, in µs of CPU: of a worker and of Redis, for a kept answer and for one asked of a provider."""

    hit: float
    miss: float
    redis_hit: float
    redis_miss: float
    record_bytes: int
    """Of its line in the spool."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a load needs. `wait_ms` are the median and the 99th percentile of the wait for a worker's turn."""

    calls_per_second: int
    worker_cores: float
    redis_cores: float
    workers: int
    wait_ms: tuple[float, float]
    audit_gigabytes_a_day: float


def need(calls_per_second: int, hits: float, costs: Costs, most_busy: float, chance: random.Random) -> Need:
    """`hits` is the share of kept answers, `most_busy` the share of its time that a worker may be at work."""
    cores = calls_per_second * (hits * costs.hit + (1 - hits) * costs.miss) / 1e6
    workers = max(2, math.ceil(cores / most_busy))
    waits = sorted(_waits(calls_per_second / workers, hits, costs, chance))
    return Need(
        calls_per_second=calls_per_second,
        worker_cores=cores,
        redis_cores=calls_per_second * (hits * costs.redis_hit + (1 - hits) * costs.redis_miss) / 1e6,
        workers=workers,
        wait_ms=(statistics.median(waits) * 1e3, waits[int(len(waits) * 0.99)] * 1e3),
        audit_gigabytes_a_day=calls_per_second * SECONDS_A_DAY * costs.record_bytes / 1e9,
    )


def _waits(rate: float, hits: float, costs: Costs, chance: random.Random) -> Iterator[float]:
    """Seconds that calls wait at one worker where they come at random, `rate` a second (Lindley's recursion)."""
    wait = 0.0
    for _ in range(SIMULATED_CALLS):
        yield wait
        service = (costs.hit if chance.random() < hits else costs.miss) / 1e6
        wait = max(0.0, wait + service - chance.expovariate(rate))


def table(needs: Sequence[Need]) -> str:
    """A line each, in Markdown."""
    lines = [
        "| calls/s | cores of workers | cores of Redis | workers | wait for a worker, ms: p50, p99 | audit, GB/day |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in needs:
        waits = ", ".join(f"{wait:.2f}" for wait in one.wait_ms)
        lines.append(
            f"| {one.calls_per_second} | {one.worker_cores:.3f} | {one.redis_cores:.3f} | {one.workers} | {waits} | "
            f"{one.audit_gigabytes_a_day:.1f} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.capacity", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--calls", type=int, action="append", help="calls per second (repeatable)")
    parser.add_argument("--hits", type=float, default=0.5, help="share of answers that the cache gives, 0 to 1")
    parser.add_argument("--busy", type=float, default=0.5, help="share of its time that a worker may be at work")
    parser.add_argument("--hit", type=float, default=38, help="CPU of a worker for a kept answer, µs")
    parser.add_argument("--miss", type=float, default=346, help="the same for one asked of a provider, µs")
    parser.add_argument("--redis-hit", type=float, default=7, help="CPU of Redis for a kept answer, µs")
    parser.add_argument("--redis-miss", type=float, default=51, help="the same for one asked of a provider, µs")
    parser.add_argument("--record", type=int, default=750, help="bytes of a record's line")
    options = parser.parse_args(arguments)
    if not 0 <= options.hits <= 1 or not 0 < options.busy < 1:
        parser.error("--hits is a share from 0 to 1, --busy one between 0 and 1")
    costs = Costs(
        hit=options.hit,
        miss=options.miss,
        redis_hit=options.redis_hit,
        redis_miss=options.redis_miss,
        record_bytes=options.record,
    )
    chance = random.Random(0)
    print(table([need(calls, options.hits, costs, options.busy, chance) for calls in options.calls or LOADS]))


if __name__ == "__main__":
    main()
