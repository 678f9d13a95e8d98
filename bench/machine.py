"""What the bench asks of the machine: cores to stand on, the cost of a process tree, free ports, minutes with room."""

import os
import platform
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

LOOPBACK = "127.0.0.1"
CONTROL_GROUPS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))
"""Where those of the processor are made, in the first and second version of the interface."""
MINUTE = 60
"""Length of the windows in which every peer counts."""


def cores() -> list[int]:
    """The cores this process may use, before any pinning."""
    return sorted(os.sched_getaffinity(0))


def pin(chosen: list[int]) -> Callable[[], None]:
    """What a child calls before it becomes the server: it and all its children stay on the chosen cores."""
    return lambda: os.sched_setaffinity(0, chosen)


def model() -> str:
    """What kind of processor this is."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def tree(pid: int) -> Iterator[int]:
    """A process and its descendants."""
    yield pid
    for thread in _threads(pid):
        with suppress(OSError):  # ended meanwhile
            for child in (thread / "children").read_text().split():
                yield from tree(int(child))


def cpu_seconds(pid: int) -> float:
    """CPU time that the living threads of a process tree have taken, to the nanosecond."""
    return sum(map(_own_seconds, tree(pid)))


def _own_seconds(pid: int) -> float:
    nanoseconds = 0
    for thread in _threads(pid):
        with suppress(OSError):  # ended meanwhile
            nanoseconds += int((thread / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


@contextmanager
def idle(pid: int, roots: Sequence[Path] = CONTROL_GROUPS) -> Iterator[bool]:
    """Have a process tree run only where nobody else wants to; tells whether the system lets us.

    A priority would not do: Linux compares those within a session only (`sched_autogroup`), and servers begin sessions
    of their own.
    """
    for root in roots:
        group = root / f"octroi-bench-{pid}"
        try:
            group.mkdir()
            (group / "cpu.idle").write_text("1")
            for process in tree(pid):
                (group / "cgroup.procs").write_text(str(process))
        except OSError:
            with suppress(OSError):
                group.rmdir()
            continue
        try:
            yield True
        finally:
            with suppress(OSError):  # its processes may take a moment to be gone
                group.rmdir()
        return
    yield False


def ahead(pid: int = 0) -> bool:
    """Have a process (0: this one) go before all that others run on its core; tells whether the system lets us.

    Even one that gives way may keep a core until the kernel's next tick, 4 ms later. Not where there is one core only,
    since the servers would be the ones to wait.
    """
    if os.cpu_count() == 1:
        return False
    try:
        os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))
    except OSError:
        return False
    return True


def worker(pid: int) -> tuple[int, int]:
    """The busiest child of a server, or the server itself where it has none, and the bytes that it holds."""
    process = max([child for child in tree(pid) if child != pid] or [pid], key=_own_seconds)
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return process, pages * os.sysconf("SC_PAGE_SIZE")


def _threads(pid: int) -> Iterator[Path]:
    with suppress(OSError):
        yield from Path(f"/proc/{pid}/task").iterdir()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def wait_for_port(port: int, *, seconds: float, is_alive: Callable[[], bool]) -> bool:
    """Whether somebody listens there before the time is over; given up at once when nobody is alive to do it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and is_alive():
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) == 0:
                return True
        time.sleep(0.05)
    return False


def minute() -> int:
    """The number of the running minute, which is that of the running window."""
    return int(time.time()) // MINUTE


def wait_for_room(seconds: float) -> None:
    """Wait for the next minute where the running one has not that long to go: its counters are read before its end."""
    left = MINUTE - time.time() % MINUTE
    if left < seconds:
        time.sleep(left + 0.05)


class LineCount:
    """How many lines a growing file holds, without reading any of it twice."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.lines = 0

    def length(self) -> int:
        """So far."""
        if not self.path.exists():
            return 0
        with self.path.open("rb") as file:
            file.seek(self.offset)
            while chunk := file.read(1 << 20):
                self.offset += len(chunk)
                self.lines += chunk.count(b"\n")
        return self.lines

    def settle(self) -> None:
        """Nothing to do: what was counted is not read again."""
