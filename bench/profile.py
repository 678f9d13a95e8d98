"""Where the time goes: a worker sampled under load with py-spy, which needs the right to look into other processes."""

import platform
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

SECONDS = 2
PER_SECOND = 200
SHOWN = 8
NATIVE = ["--native"] if platform.machine() == "x86_64" else []
"""C code too, where py-spy can unwind it: half of the time is there."""
MAIN = ": MainThread;"
"""The thread of the event loop, where requests are answered; in the others py-spy takes waiting for work."""

_LINE = re.compile(r":\d+\)$")
_ADDRESS = re.compile(r"^0x[0-9a-f]+")


def tool() -> str | None:
    """Where py-spy is, if it is installed."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy")


def sample(pid: int, path: Path) -> str:
    """Write the stacks of a process, sampled for some seconds, and tell the functions it was found in; or why not."""
    found = tool()
    if found is None:
        return "no profile: py-spy is not installed (pip install py-spy)"
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [found, "record", "--pid", str(pid), "--duration", str(SECONDS), "--rate", str(PER_SECOND)]
    command += [*NATIVE, "--threads", "--format", "raw", "--output", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 60, check=False)
    if done.returncode != 0 or not path.exists():
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        return f"no profile: py-spy was not let in ({reason}); run as root, or set kernel.yama.ptrace_scope to 0"
    return self_times(path.read_text())


def self_times(stacks: str) -> str:
    """The functions in which the main thread was found most often, with their share; of C code, who called it.

    Stacks are lines of `thread;frame;frame;frame count`.
    """
    found: Counter[str] = Counter()
    for line in stacks.splitlines():
        frames, _, count = line.rpartition(" ")
        if MAIN in frames:
            found[_named(frames.split(";"))] += int(count)
    total = found.total() or 1
    return "\n".join(f"  {100 * count / total:5.1f} %  {name}" for name, count in found.most_common(SHOWN))


def _named(frames: Sequence[str]) -> str:
    """The innermost function, without its line; with the one of Python that led there, if it is none."""
    *callers, last = (_LINE.sub(")", _ADDRESS.sub("?", frame)) for frame in frames)
    if last.endswith(".py)"):
        return last
    caller = next((frame for frame in reversed(callers) if frame.endswith(".py)")), "")
    return f"{last} of {caller}" if caller else last
