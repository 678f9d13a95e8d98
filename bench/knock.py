"""A banned client that comes back all the time: a connection, a request, the silence, the next connection.

`python -m bench.knock` is its process. wrk would report each silence as an error of its own.
"""

import asyncio
import json
import socket
import struct
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass

import uvloop

from bench.load import CLOSED, Outcome, percentiles, run
from bench.machine import LOOPBACK

IP_BIND_ADDRESS_NO_PORT = 24
"""Linux: choose the port of a bound socket when it connects, by both ends, so that ports do not run out."""
AT_ONCE = struct.pack("ii", 1, 0)
"""Linger: leave no connection behind that waits for its end."""
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Knock:
    """Who knocks where, with what, for how long."""

    port: int
    source: str
    token: str
    path: str
    connections: int
    seconds: float


def knock(told: Knock) -> Outcome:
    """Run it in a process of its own. Each attempt is an answer, with status 0 where no byte came."""
    return Outcome.told(run([sys.executable, "-m", "bench.knock"], told.seconds, json.dumps(asdict(told))))


class Client:
    """All of its attempts."""

    def __init__(self, told: Knock) -> None:
        self.told = told
        self.latencies: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.broken = 0
        head = f"GET {told.path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nAccept: application/json\r\n"
        self.request = f"{head}Authorization: Bearer {told.token}\r\n\r\n".encode()

    async def run(self) -> Outcome:
        """Until the time is over."""
        began = time.perf_counter()
        self.deadline = began + self.told.seconds
        await asyncio.gather(*(self._keep_knocking() for _ in range(self.told.connections)))
        p50, p99 = percentiles(self.latencies)
        count = len(self.latencies)
        return Outcome(
            answers=count,
            seconds=time.perf_counter() - began,
            sent=count,
            statuses=dict(self.statuses),
            broken=self.broken,
            p50_ms=p50,
            p99_ms=p99,
        )

    async def _keep_knocking(self) -> None:
        while (began := time.perf_counter()) < self.deadline:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    received = await self._attempt()
            except OSError:  # nobody listens, or silence without an end
                self.broken += 1
                continue
            self.latencies.append((time.perf_counter() - began) * 1000)
            self.statuses[int(received[9:12]) if received else CLOSED] += 1

    async def _attempt(self) -> bytes:
        loop = asyncio.get_running_loop()
        with socket.socket() as connection:
            connection.setblocking(False)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            connection.bind((self.told.source, 0))
            try:  # turned away at once, it may learn so before it has said a word
                await loop.sock_connect(connection, (LOOPBACK, self.told.port))
                await loop.sock_sendall(connection, self.request)
                return await loop.sock_recv(connection, 65536)
            except (ConnectionResetError, BrokenPipeError):
                return b""


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(Client(Knock(**json.load(sys.stdin))).run()))))
