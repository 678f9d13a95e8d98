"""`octroi demo`: one command starts all, what it prints works in a shell, Ctrl-C ends all that it started."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.office import children_of
from tests.e2e.running import OCTROI, START_SECONDS, _clean

pytestmark = pytest.mark.slow

ALWAYS = '[{"start": "00:00", "end": "23:59:59"}]'
"""Maintenance at any hour, as real providers have at some: it is none of the simulated ones' business."""
END = "Ctrl-C stops everything."


@dataclass
class Shown:
    """What a demonstration printed, and what it wrote down."""

    process: subprocess.Popen[bytes]
    printed: str
    written: dict[str, str]
    folder: Path

    def interrupt(self) -> int:
        """Ctrl-C, which a terminal sends to all its processes; gives the exit status."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(30)

    def family(self) -> set[int]:
        """Itself, its children and theirs, and the servers that keep their data in its folder."""
        found = {self.process.pid}
        for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
            with suppress(OSError):  # it has just ended
                if str(self.folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.add(pid)
        return found | children_of(found)


@contextmanager
def demonstration(folder: Path) -> Iterator[Shown]:
    """`octroi demo`, once it has shown all."""
    out = folder / "out"
    environ = _clean() | {"OCTROI_DATA_DIR": str(folder / "data"), "OCTROI_PROVIDERS__DGFIP__MAINTENANCE": ALWAYS}
    with out.open("wb") as output, (folder / "log").open("ab") as log:
        command = [OCTROI, "demo", "--port", "0", "--latency", "0"]
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=log, start_new_session=True)
    try:
        until = time.monotonic() + 2 * START_SECONDS
        while END not in out.read_text():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.1)
        written = json.loads((folder / "data" / "demo.json").read_text())
        yield Shown(process, out.read_text(), written, folder / "data")
    finally:
        if process.poll() is None:  # the test failed: its servers must end all the same
            os.killpg(process.pid, signal.SIGINT)
            process.wait(30)


def left_of(pids: set[int], seconds: float = 5.0) -> set[int]:
    """Those that still live after a moment."""
    until = time.monotonic() + seconds
    while (left := {pid for pid in pids if lives(pid)}) and time.monotonic() < until:
        time.sleep(0.1)
    return left


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


def test_a_demonstration_works_as_printed_ends_whole_and_goes_on_where_it_was(folder: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("this system has no curl")
    with demonstration(folder) as first:
        statuses = pasted(first.printed)
        family = first.family()
        ended = first.interrupt()
    left = left_of(family)

    with demonstration(folder) as second:
        again = pasted(second.printed)
        family_again = second.family()
        second.interrupt()

    assert set(first.written) == {
        "base_url", "token", "operator_token", "siren", "siret", "rna", "siret_absent",
    }  # fmt: skip
    assert first.written["base_url"] in first.printed
    assert first.written["token"] in first.printed
    assert len(statuses) > 10
    assert {line: status for line, status in statuses.items() if status != "200"} == {}
    assert ended == 0
    assert len(family) >= 5  # itself, a worker, the simulated providers, Valkey, PostgreSQL
    assert left == set()
    assert left_of(family_again) == set()
    assert {name: second.written[name] for name in ("token", "operator_token")} == {
        name: first.written[name] for name in ("token", "operator_token")
    }
    assert {line: status for line, status in again.items() if status != "200"} == {}
    assert (folder / "data" / "demo.json").stat().st_mode & 0o777 == 0o600
    assert "Traceback" not in (folder / "log").read_text()
    assert first.written["token"] not in (folder / "log").read_text()


def pasted(printed: str) -> dict[str, str]:
    """What each printed line of `curl` answers in a shell in which the token was exported as printed."""
    (exported,) = [line for line in printed.split("\n") if line.startswith("export TOKEN=")]
    lines = [line for line in printed.split("\n") if line.startswith("curl ")]
    script = "\n".join([exported, *(f"{line} -o /dev/null -w '%{{http_code}}\\n'" for line in lines)])
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    return dict(zip(lines, done.stdout.split(), strict=True))
