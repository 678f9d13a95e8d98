"""What the bench asks of the machine: cores to stand on, the CPU time of a process tree, free ports."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")
LOOPBACK = "127.0.0.1"


def cores() -> list[int]:
    """The cores this process may use, before any pinning."""
    return sorted(os.sched_getaffinity(0))


def pin(chosen: list[int]) -> Callable[[], None]:
    """What a child calls before it becomes the server: it and all its children stay on the chosen cores."""
    return lambda: os.sched_setaffinity(0, chosen)


def cpu_seconds(pid: int) -> float:
    """CPU time taken by a process and all its descendants, ended ones included once they were waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = sum(map(int, fields[11:15])) * TICK  # utime, stime, cutime, cstime
    return own + sum(cpu_seconds(child) for child in _children(pid))


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (thread / "children").read_text().split())
    return found


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, *, seconds: float, is_alive: Callable[[], bool]) -> bool:
    """Whether somebody listens there before the time is over; given up at once when nobody is alive to do it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and is_alive():
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) == 0:
                return True
        time.sleep(0.05)
    return False


class LineCount:
    """How many lines a growing file holds, without reading any of it twice."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.lines = 0

    def __call__(self) -> int:
        if not self.path.exists():
            return 0
        with self.path.open("rb") as file:
            file.seek(self.offset)
            while chunk := file.read(1 << 20):
                self.offset += len(chunk)
                self.lines += chunk.count(b"\n")
        return self.lines
