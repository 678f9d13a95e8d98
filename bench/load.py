"""Two ways to ask: wrk for speed, and a generator of our own that reads every answer and leaves none unfinished.

The second proves after each timed run that statuses, bodies and records are exact, since wrk cuts off what is in
flight when its time is over; it keeps a steady pace where one is wanted, and stands in for wrk where that is missing.
`python -m bench.load` is its process.
"""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple, cast

import uvloop

from bench.machine import LOOPBACK, ahead

TIMEOUT = 30.0
"""Longest wait, in seconds, beyond the time a load was given."""
CLOSED = 0
"""The status of an answer that never came: the connection was closed instead."""
DESERVED = {429: (200, 429)}
"""What may be answered instead of what an ask names: a metered token is not used up from the start."""


class LoadFailed(Exception):
    """A load that could not be driven at all."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is to be asked: bounded in time, in number, or both."""

    port: int
    asks: str
    """File of requests, one a line, taken in turn over all connections: see `work.Ask.line`."""
    tokens: Mapping[str, str]
    """By the names that asks give them; an ask may also hold its token itself."""
    varying: bool
    connections: int
    seconds: float
    requests: int | None = None
    per_second: int | None = None
    """Pace, whatever the server takes; none: as fast as it answers."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came back."""

    answers: int
    seconds: float
    sent: int
    """How many of the asks were taken, from the first; `unfinished` of them may have had no answer."""
    statuses: Mapping[int, int]
    """Answers by status."""
    wrong: int = 0
    """Answers that were not what their own request deserves, by status or by the company they are about."""
    broken: int = 0
    """Connections that failed, requests that nobody answered."""
    p50_ms: float
    p99_ms: float
    unfinished: int = 0
    """Requests that may have been in flight, hence served but not counted, when the load stopped."""

    @classmethod
    def told(cls, line: str) -> "Outcome":
        """From the JSON that a generator ends with."""
        read = json.loads(line)
        return cls(**{**read, "statuses": {int(status): count for status, count in read["statuses"].items()}})


def has_wrk() -> bool:
    """Whether wrk is installed."""
    return shutil.which("wrk") is not None


def saturate(load: Load) -> Outcome:
    """As many requests as the server takes, by wrk if it is there."""
    return _wrk(load) if has_wrk() and load.per_second is None else exact(load)


def exact(load: Load) -> Outcome:
    """By our own generator, in a process of its own."""
    return Outcome.told(run([sys.executable, "-m", "bench.load"], load.seconds, json.dumps(asdict(load))))


def _wrk(load: Load) -> Outcome:
    script = Path(__file__).with_name("load.lua")
    command = ["wrk", "-t1", f"-c{load.connections}", f"-d{max(1, round(load.seconds))}s", "--timeout", "10s"]
    command += ["-s", str(script), f"http://{LOOPBACK}:{load.port}/", "--", load.asks]
    command += ["varying" if load.varying else "steady", *(f"{name}={token}" for name, token in load.tokens.items())]
    return Outcome.told(run(command, load.seconds))


def run(command: list[str], seconds: float, stdin: str = "") -> str:
    """The last line that a generator prints; raises LoadFailed where it ends badly."""
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds + 2 * TIMEOUT,
            check=False,
            preexec_fn=ahead,
        )
    except subprocess.TimeoutExpired:
        raise LoadFailed(f"{command[0]} did not end {2 * TIMEOUT:.0f} s after its time") from None
    if done.returncode != 0:
        raise LoadFailed(f"{command[0]} ended with {done.returncode}: {done.stderr or done.stdout}")
    return done.stdout.strip().splitlines()[-1]


class Next(NamedTuple):
    """A request about to be sent."""

    text: bytes
    status: int
    company: bytes
    due: float


class Generator:
    """The requests still to be sent, and the answers so far."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self._asks: Iterator[str] = islice(cycle(Path(load.asks).read_text().splitlines()), load.requests)
        self._began = time.perf_counter()
        self._deadline = self._began + load.seconds
        self.latencies: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.wrong = self.broken = self.sent = 0

    def next(self) -> Next | None:
        """The next request, and what its answer must be; None once the load is over."""
        now = time.perf_counter()
        due = now if self.load.per_second is None else max(now, self._began + self.sent / self.load.per_second)
        line = next(self._asks, None) if due < self._deadline else None
        if line is None:
            return None
        self.sent += 1
        status, token, path = line.split(" ", 2)
        own = f"X-Correlation-Id: bench-{self.sent}\r\n" if self.load.varying else ""
        head = f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nAccept: application/json\r\n"
        text = f"{head}Authorization: Bearer {self.load.tokens.get(token, token)}\r\n{own}\r\n"
        return Next(text.encode(), int(status), path.partition("?")[0].rpartition("/")[2].encode(), due)

    def judge(self, asked: Next, status: int, answer: bytes) -> None:
        """Count one answer; what it deserved to wait counts from when it was due."""
        self.latencies.append((time.perf_counter() - asked.due) * 1000)
        self.statuses[status] += 1
        is_right = status in DESERVED.get(asked.status, (asked.status,))
        self.wrong += not (is_right and (status != 200 or asked.company in answer))

    async def run(self) -> Outcome:
        """Ask over all connections until the load is over and every answer is there."""
        try:
            async with asyncio.timeout(self.load.seconds + TIMEOUT), asyncio.TaskGroup() as group:
                for _ in range(self.load.connections):
                    group.create_task(self._keep_asking())
        except TimeoutError:
            self.broken += self.sent - len(self.latencies)
        p50, p99 = percentiles(self.latencies)
        return Outcome(
            answers=len(self.latencies),
            seconds=time.perf_counter() - self._began,
            sent=self.sent,
            statuses=dict(self.statuses),
            wrong=self.wrong,
            broken=self.broken,
            p50_ms=p50,
            p99_ms=p99,
        )

    async def _keep_asking(self) -> None:
        """One connection after another: a server may close one whenever it likes."""
        loop = asyncio.get_running_loop()
        is_over = False
        while not is_over:
            closed: asyncio.Future[bool] = loop.create_future()
            try:
                await loop.create_connection(partial(Connection, self, closed), LOOPBACK, self.load.port)
            except OSError:
                self.broken += 1
                return
            is_over = await closed


def percentiles(latencies: list[float]) -> tuple[float, float]:
    """The median and the 99th percentile."""
    ordered = sorted(latencies) or [0.0]
    return round(ordered[len(ordered) // 2], 3), round(ordered[int(len(ordered) * 0.99)], 3)


class Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, generator: Generator, closed: asyncio.Future[bool]) -> None:
        self.generator = generator
        self.closed = closed
        """Done when the connection is; true if nothing is left to ask."""
        self.asked: Next | None = None
        self.is_waiting = False
        """Whether the request is not due yet."""
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._ask()

    def _ask(self) -> None:
        self.asked = self.generator.next()
        if self.asked is None:
            self.transport.close()
            return
        wait = self.asked.due - time.perf_counter()
        self.is_waiting = wait > 0
        if self.is_waiting:
            asyncio.get_running_loop().call_later(wait, self._send)
        else:
            self._send()

    def _send(self) -> None:
        assert self.asked is not None
        self.is_waiting, self.buffer = False, b""
        self.transport.write(self.asked.text)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if found and _is_whole(head, body):
            assert self.asked is not None
            self.generator.judge(self.asked, int(head[9:12]), body)
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self.asked is not None:
            self.generator.judge(self.asked, CLOSED, b"")
        self.closed.set_result(self.asked is None)


def _is_whole(head: bytes, body: bytes) -> bool:
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return len(body) >= int(value)
        if name == b"transfer-encoding":
            return body.endswith(b"0\r\n\r\n")
    return True


if __name__ == "__main__":
    asked = Load(**json.load(sys.stdin))
    print(json.dumps(asdict(uvloop.run(Generator(asked).run()))))
