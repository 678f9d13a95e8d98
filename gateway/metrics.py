"""Prometheus metrics. The hot path counts in plain dictionaries, which are handed over once a second."""

import asyncio
import os
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
    start_http_server,
)

from providers.base import Endpoint

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable by which the library knows where the workers meet."""
PERIOD_SECONDS = 1.0
RESERVED_BYTES = 1024 * 1024
"""Room made for each of a worker's files, as much as the library maps at first."""
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def prepare(folder: Path) -> None:
    """Make the folder in which the workers of one gateway share their counts. To be called before the first worker."""
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("*.db"):
        left.unlink()
    os.environ[FOLDER] = str(folder)


def join() -> None:
    """Take this worker's place among those who count: with room on disk, and without the state of the dead.

    A mapped page for which the disk has no room would kill the process.
    """
    if FOLDER not in os.environ:
        return
    folder = Path(os.environ[FOLDER])
    for kind in ("counter", "histogram", "gauge_livesum"):
        path = folder / f"{kind}_{os.getpid()}.db"
        if not path.exists():
            path.write_bytes(bytes(RESERVED_BYTES))
    for path in folder.glob("gauge_live*_*.db"):
        if not _lives(int(path.stem.rpartition("_")[2])):
            path.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def serve(host: str, port: int) -> None:
    """Serve all workers' metrics on a port of their own, from a thread of the parent process.

    Raises OSError where the port is taken.
    """
    start_http_server(port, host, registry=_all_workers())


def _all_workers() -> CollectorRegistry:
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


class Tally:
    """Durations since the last handing over: how many fell into each bucket, and their sum in seconds."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        """None yet."""
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds


class TalliedHistogram(Histogram):
    """A histogram that takes a tally at once; what it touches of its base is guarded by a test."""

    def add(self, tally: Tally) -> None:
        """Take a tally over the same buckets."""
        self._sum.inc(tally.seconds)
        for bucket, number in zip(self._buckets, tally.buckets, strict=True):
            if number:
                bucket.inc(number)


class Metrics:
    """Counts of this worker. `gauges` are read at each handing over."""

    def __init__(self) -> None:
        """Counts start at nought; the registry's families are shared by all workers through files."""
        join()
        registry = CollectorRegistry()
        self._requests = Counter(
            "octroi_requests", "Answers given", ["operation_id", "status", "cached"], registry=registry
        )
        self._duration = TalliedHistogram(
            "octroi_request_duration_seconds", "Time to answer", ["operation_id"], buckets=BUCKETS, registry=registry
        )
        self._values = Gauge(
            "octroi_worker", "State of the workers", ["what"], registry=registry, multiprocess_mode="livesum"
        )
        self.gauges: dict[str, Callable[[], float]] = {}
        self._tallies: dict[tuple[str, int, bool], Tally] = {}
        """By operation, status, and whether the answer was a kept one."""

    def count(self, endpoint: Endpoint | None, status: int, cached: bool, seconds: float) -> None:
        """One answer, silence (0) included."""
        kind = ("other" if endpoint is None else endpoint.operation_id, status, cached)
        tally = self._tallies.get(kind)
        if tally is None:
            tally = self._tallies[kind] = Tally()
        tally.add(seconds)

    def hand_over(self) -> None:
        """Give the counts to the registry."""
        tallies, self._tallies = self._tallies, {}
        for (name, status, cached), tally in tallies.items():
            self._requests.labels(name, str(status), str(cached).lower()).inc(sum(tally.buckets))
            self._duration.labels(name).add(tally)
        for what, read in self.gauges.items():
            self._values.labels(what).set(read())

    async def run(self) -> None:
        """Hand over, until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            self.hand_over()

    def exposition(self) -> bytes:
        """All workers' metrics, in Prometheus's text format."""
        self.hand_over()
        return generate_latest(_all_workers())
