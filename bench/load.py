"""Two ways to ask: wrk for speed, and a generator of our own that reads every answer and leaves none unfinished.

The second proves after each timed run that statuses, bodies and records are exact, since wrk cuts off what is in
flight when its time is over; and it stands in for wrk where that is missing. `python -m bench.load` is its process.
"""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import cast

import uvloop

from bench.machine import LOOPBACK

TIMEOUT = 30.0
"""Longest wait, in seconds, beyond the time a load was given."""
CLOSED = 0
"""The status of an answer that never came: the connection was closed instead."""


class LoadFailed(Exception):
    """A load that could not be driven at all."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is to be asked: bounded in time, in number, or both."""

    port: int
    addresses: str
    """File of paths, one a line, taken in turn over all connections."""
    token: str
    status: int
    varying: bool
    connections: int
    seconds: float
    requests: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What came back."""

    answers: int
    seconds: float
    unexpected: int
    """Answers of another status, or about another company than the one asked for."""
    broken: int
    """Connections that failed, requests that nobody answered."""
    p50_ms: float
    p99_ms: float
    unfinished: int = 0
    """Requests that may have been in flight, hence served but not counted, when the load stopped."""


def has_wrk() -> bool:
    """Whether wrk is installed."""
    return shutil.which("wrk") is not None


def saturate(load: Load) -> Outcome:
    """As many requests as the server takes, by wrk if it is there."""
    return _wrk(load) if has_wrk() else exact(load)


def exact(load: Load) -> Outcome:
    """By our own generator, in a process of its own."""
    return _told([sys.executable, "-m", "bench.load"], load, stdin=json.dumps(asdict(load)))


def _wrk(load: Load) -> Outcome:
    script = Path(__file__).with_name("load.lua")
    command = ["wrk", "-t1", f"-c{load.connections}", f"-d{max(1, round(load.seconds))}s", "--timeout", "10s"]
    command += ["-s", str(script), f"http://{LOOPBACK}:{load.port}/", "--", load.addresses, load.token]
    told = _told([*command, str(load.status), "varying" if load.varying else "steady"], load)
    return Outcome(**{**asdict(told), "unfinished": load.connections})


def _told(command: list[str], load: Load, stdin: str = "") -> Outcome:
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=load.seconds + 2 * TIMEOUT, check=False
    )
    if done.returncode != 0:
        raise LoadFailed(f"{command[0]} ended with {done.returncode}: {done.stderr or done.stdout}")
    return Outcome(**json.loads(done.stdout.strip().splitlines()[-1]))


class Generator:
    """The requests still to be sent, and the answers so far."""

    def __init__(self, load: Load) -> None:
        self.load = load
        addresses = cycle(Path(load.addresses).read_text().splitlines())
        self.targets: Iterator[str] = islice(addresses, load.requests)
        self.deadline = time.perf_counter() + load.seconds
        self.latencies: list[float] = []
        self.unexpected = self.broken = self.sent = 0

    def next(self) -> tuple[bytes, bytes] | None:
        """The next request and the SIREN its answer must name; None once the load is over."""
        target = next(self.targets, None) if time.perf_counter() < self.deadline else None
        if target is None:
            return None
        self.sent += 1
        own = f"X-Correlation-Id: bench-{self.sent}\r\n" if self.load.varying else ""
        head = f"GET {target} HTTP/1.1\r\nHost: {LOOPBACK}\r\nAccept: application/json\r\n"
        request = f"{head}Authorization: Bearer {self.load.token}\r\n{own}\r\n"
        return request.encode(), target.partition("?")[0].rpartition("/")[2].encode()

    def judge(self, status: int, answer: bytes, siren: bytes, began: float) -> None:
        """Count one answer."""
        self.latencies.append((time.perf_counter() - began) * 1000)
        is_right = status == self.load.status and (status != 200 or siren in answer)
        self.unexpected += not is_right

    async def run(self) -> Outcome:
        """Ask over all connections until the load is over and every answer is there."""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self.load.seconds + TIMEOUT), asyncio.TaskGroup() as group:
                for _ in range(self.load.connections):
                    group.create_task(self._keep_asking())
        except TimeoutError:
            self.broken += self.sent - len(self.latencies)
        seconds = time.perf_counter() - began
        ordered = sorted(self.latencies) or [0.0]
        p50, p99 = (ordered[int(len(ordered) * part)] for part in (0.5, 0.99))
        return Outcome(len(self.latencies), seconds, self.unexpected, self.broken, round(p50, 3), round(p99, 3))

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


class Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, generator: Generator, closed: asyncio.Future[bool]) -> None:
        self.generator = generator
        self.closed = closed
        """Done when the connection is; true if nothing is left to ask."""
        self.is_over = False
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._ask()

    def _ask(self) -> None:
        asked = self.generator.next()
        if asked is None:
            self.is_over = True
            self.transport.close()
            return
        request, self.siren = asked
        self.buffer, self.began = b"", time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if found and _is_whole(head, body):
            self.generator.judge(int(head[9:12]), body, self.siren, self.began)
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self.is_over:
            self.generator.judge(CLOSED, b"", self.siren, self.began)
        self.closed.set_result(self.is_over)


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
