"""What the bench asks of the machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.machine import ahead, idle


@pytest.fixture
def childless() -> Iterator[int]:
    """A process without children, which the one that runs the tests may have: a plain file keeps the last written."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.kill()


def test_a_process_is_put_into_a_group_that_runs_when_nobody_else_wants_to(tmp_path: Path, childless: int) -> None:
    with idle(childless, [tmp_path / "absent", tmp_path]) as gives_way:
        assert gives_way
        (group,) = tmp_path.iterdir()
        assert (group / "cpu.idle").read_text() == "1"
        assert (group / "cgroup.procs").read_text() == str(childless)


def test_where_no_group_can_be_made_that_is_told(tmp_path: Path) -> None:
    with idle(os.getpid(), [tmp_path / "absent"]) as gives_way:
        assert not gives_way


def test_a_process_goes_ahead_where_the_system_lets_it(childless: int) -> None:
    goes_ahead = ahead(childless)

    assert os.sched_getscheduler(childless) == (os.SCHED_RR if goes_ahead else os.SCHED_OTHER)
