"""Adoption: the segments of a dead worker go to a living one.

Each worker holds a lock that dies with it; whoever obtains the lock owns the segments that bear its name.
"""

import fcntl
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog

from audit.segment import CLOSED, OFFSET, OPEN, TORN, Segment, create_locked, sync_directory, write_durably

log = structlog.get_logger(__name__)

LOCK = ".lock"
_OWNED = re.compile(r"(?P<owner>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:-\d+(?:\.jsonl|\.jsonl\.open)|\.lock)")


class OwnerLock:
    """The lock of one worker, living (our own) or dead (taken over)."""

    def __init__(self, directory: Path, owner: str, descriptor: int) -> None:
        """Wrap a descriptor that holds the lock."""
        self.owner = owner
        self._path = directory / (owner + LOCK)
        self._descriptor = descriptor

    @classmethod
    def create(cls, directory: Path, owner: str) -> Self:
        """The lock of a new worker, held before it can be seen."""
        return cls(directory, owner, create_locked(directory, owner, LOCK))

    @classmethod
    def seize(cls, directory: Path, owner: str) -> Self | None:
        """The lock of another worker, if it is dead."""
        path = directory / (owner + LOCK)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if _holds(descriptor) and _is_still(path, descriptor):
            return cls(directory, owner, descriptor)
        os.close(descriptor)
        return None

    def release(self, *, remove: bool) -> None:
        """Let go; `remove` where nothing is left to own."""
        if remove:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


@dataclass(frozen=True, slots=True)
class Estate:
    """What a dead worker left."""

    lock: OwnerLock
    segments: tuple[Segment, ...]
    torn_count: int
    """Lines cut short by its death, kept aside."""


def take_over(directory: Path, owned: frozenset[str]) -> list[Estate]:
    """Every estate whose owner is dead, mended; `owned` names the owners that this process stands for already."""
    found = (_OWNED.fullmatch(path.name) for path in sorted(directory.iterdir()))
    owners = dict.fromkeys(match["owner"] for match in found if match)
    estates = []
    for owner in owners:
        if owner in owned:
            continue
        try:
            estate = _take_over_from(directory, owner)
        except OSError as error:  # one estate that cannot be mended leaves the others to be taken
            log.error("audit_spool_not_adopted", owner=owner, reason=error.strerror)
            continue
        if estate is not None:
            estates.append(estate)
    return estates


def _take_over_from(directory: Path, owner: str) -> Estate | None:
    lock = OwnerLock.seize(directory, owner)
    if lock is None:
        return None
    try:
        for draft in directory.glob(f".{owner}-*"):
            draft.unlink(missing_ok=True)
        # A lock file may have been removed by hand: the file being written says for itself whether its owner lives.
        if any(_is_being_written(path) for path in directory.glob(f"{owner}-*{OPEN}")):
            lock.release(remove=False)
            return None
        names = sorted({path.name.partition(".")[0] for path in directory.glob(f"{owner}-*{CLOSED}*")})
        mended = [mend(directory, name) for name in names]
    except OSError:
        lock.release(remove=False)
        raise
    segments = tuple(segment for segment, _ in mended if segment is not None)
    return Estate(lock, segments, sum(is_torn for _, is_torn in mended))


def mend(directory: Path, name: str) -> tuple[Segment | None, bool]:
    """A dead worker's file, closed, ending with a whole line; and whether a torn one was cut off.

    What is torn was never acknowledged where durability is `disk`; it is kept beside all the same, for whoever looks
    into the accident. Zeros that awaited lines are no loss.
    """
    path, was_open = directory / (name + CLOSED), False
    with suppress(FileNotFoundError):
        (directory / (name + OPEN)).rename(path)
        was_open = True
    with path.open("r+b") as file:
        content = file.read()
        # In a file that was closed all lines were durable: one with a zero byte is damaged, those after it count.
        end = content.find(b"\0") if was_open else -1
        whole = content.rfind(b"\n", 0, end if end >= 0 else len(content)) + 1
        torn = content[whole:].strip(b"\0")
        if torn:
            write_durably(directory / (name + TORN), torn)
            log.warning("audit_line_torn", segment=name, offset=whole, length=len(torn))
        if whole < len(content):
            file.truncate(whole)
            os.fsync(file.fileno())
    if whole == 0:
        path.unlink()
    sync_directory(directory)
    if whole == 0:
        return None, bool(torn)
    return Segment(directory, name, size=whole, shipped=_shipped(directory, name, whole)), bool(torn)


def _shipped(directory: Path, name: str, size: int) -> int:
    """Where its owner's shipping stood; from the start where that cannot be believed, as shipping twice is harmless."""
    try:
        offset = int((directory / (name + OFFSET)).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return 0
    if not 0 < offset <= size:
        return 0
    with (directory / (name + CLOSED)).open("rb") as file:
        file.seek(offset - 1)
        return offset if file.read(1) == b"\n" else 0


def _is_being_written(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _holds(descriptor)
    finally:
        os.close(descriptor)


def _holds(descriptor: int) -> bool:
    """Try to lock a file; false where somebody alive has the lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the file locked is the one that bears the name: another adopter may have removed it meanwhile."""
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
