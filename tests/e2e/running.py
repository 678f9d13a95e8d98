"""A gateway as its operators start it: `octroi serve` in a process of its own, before simulated providers."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

OCTROI = str(Path(sys.executable).with_name("octroi"))
RECIPIENT = "13002526500013"
TRACE = {"context": "test", "object": "test", "recipient": RECIPIENT}
START_SECONDS = 60.0


@dataclass
class Served:
    """A process that serves, and where."""

    process: subprocess.Popen[bytes]
    url: str
    environ: dict[str, str]
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def stop(self, sig: int = signal.SIGTERM) -> int:
        self.process.send_signal(sig)
        return self.process.wait(40)


def start_gateway(folder: Path, environ: dict[str, str], *, workers: int = 1, port: int = 0) -> Served:
    """`octroi serve`, once it is ready."""
    port = port or free_port()
    told = {**_clean(), "OCTROI_DATA_DIR": str(folder), **environ}
    log = folder / "serve.log"
    folder.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        began_at = output.tell()
        process = subprocess.Popen(
            [OCTROI, "serve", "--port", str(port), "--workers", str(workers)], env=told, stdout=output, stderr=output
        )
    served = Served(process, f"http://127.0.0.1:{port}", told, log)
    if workers > 1:
        wait_until(lambda: b"all_workers_serve" in log.read_bytes()[began_at:], process, log)
    wait_until(lambda: answers(f"{served.url}/livez"), process, log)
    return served


def start_simulator(folder: Path, latency: float = 0.0) -> Served:
    """`octroi simulate`, once it answers."""
    port = free_port()
    log = folder / "simulate.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [OCTROI, "simulate", "--port", str(port), "--latency", str(latency)],
            env=_clean(),
            stdout=output,
            stderr=output,
        )
    served = Served(process, f"http://127.0.0.1:{port}", {}, log)
    wait_until(lambda: answers(f"{served.url}/_simulator"), process, log)
    return served


def wait_until(serves: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Raises AssertionError, with what was logged, where a process that starts ends or takes too long."""
    until = time.monotonic() + START_SECONDS
    while not serves():
        if process.poll() is not None:
            raise AssertionError(f"ended with {process.returncode}: {log.read_text()[-2000:]}")
        if time.monotonic() > until:
            process.kill()  # its workers end with it; left alone, they would take over the spools of later runs
            process.wait()
            raise AssertionError(f"it does not serve: {log.read_text()[-2000:]}")
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=1)
    except httpx.HTTPError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def command(environ: dict[str, str], *words: str, given: str = "") -> str:
    """Run `octroi …`; gives its standard output. Raises AssertionError where it fails."""
    done = subprocess.run([OCTROI, *words], env=environ, capture_output=True, text=True, input=given, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def refused_command(environ: dict[str, str], *words: str, given: str = "") -> str:
    """Run `octroi …`, which must fail; gives its standard error."""
    done = subprocess.run([OCTROI, *words], env=environ, capture_output=True, text=True, input=given, check=False)
    assert done.returncode != 0, done.stdout
    return done.stderr.strip()


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("OCTROI_")}


@dataclass
class Caller:
    """A client of the gateway, from one loopback address."""

    url: str
    token: str
    source: str = "127.0.0.1"
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(self, path: str, /, *, headers: dict[str, str] | None = None, **parameters: str) -> httpx.Response:
        """GET a path with the usual trace, which a parameter may change; None in `parameters` leaves one out."""
        told = {name: value for name, value in {**TRACE, **parameters}.items() if value is not None}
        async with self.client() as client:
            return await client.get(path, params=told, headers={**self.authorization, **(headers or {})})

    async def many(self, path: str, count: int, **parameters: str) -> list[httpx.Response]:
        """The same call, `count` times at once, each with an object of its own."""
        async with self.client() as client:

            async def one(index: int) -> httpx.Response:
                told = {**TRACE, **parameters, "object": f"test {index}"}
                return await client.get(path, params=told, headers=self.authorization)

            return await asyncio.gather(*(one(index) for index in range(count)))

    async def in_turn(self, path: str, count: int, headers: dict[str, str] | None = None) -> list[httpx.Response]:
        """The same call, `count` times one after the other, over one connection."""
        async with self.client() as client:
            return [
                await client.get(path, params=TRACE, headers={**self.authorization, **(headers or {})})
                for _ in range(count)
            ]

    @property
    def authorization(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"} if self.token else {}

    def client(self) -> httpx.AsyncClient:
        transport = httpx.AsyncHTTPTransport(
            local_address=self.source, limits=httpx.Limits(max_connections=100, max_keepalive_connections=100)
        )
        return httpx.AsyncClient(base_url=self.url, transport=transport, timeout=30)


def code_of(answer: httpx.Response) -> str:
    return str(answer.json()["errors"][0]["code"])


def codes_of(answer: httpx.Response) -> list[str]:
    return [error["code"] for error in answer.json()["errors"]]


def bytes_from(port: int, request: bytes, source: str = "127.0.0.1", seconds: float = 3.0) -> bytes:
    """Everything that comes back on a socket, up to its end."""
    with socket.socket() as connection:
        connection.settimeout(seconds)
        connection.bind((source, 0))
        received = b""
        try:
            connection.connect(("127.0.0.1", port))
            connection.sendall(request)
            while chunk := connection.recv(65536):
                received += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass
        return received


async def in_one_minute(seconds: float = 12.0) -> None:
    """Wait for the next minute where the running one has not that long to go; a busy machine needs twice as long."""
    left = 60 - time.time() % 60
    if left < 2 * seconds:
        await asyncio.sleep(left + 0.05)
