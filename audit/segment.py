"""A segment: one append-only file of the spool, a record a line.

Where each group of lines waits for the disk, the file is kept longer than what is written: a line that replaces zeros
changes nothing that the file system keeps of the file, and is on disk in two thirds of the time. No record holds a
zero byte (`audit.record`), so that the first one is the end, whatever a power cut left behind it.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self

OPEN = ".jsonl.open"
CLOSED = ".jsonl"
OFFSET = ".offset"
TORN = ".torn"
REJECTED = "rejected"

_MODE = 0o600
_ZEROS = bytes(256 * 1024)
"""By how much a file is lengthened at once; it then has a quarter of that left."""


class Segment:
    """One file, whom it belongs to (its name begins with the owner), how far it is acknowledged and shipped.

    `size` counts what was acknowledged: the shipper reads no further, since what lies beyond may still be taken back.
    """

    __slots__ = (
        "_length", "broken", "descriptor", "directory", "finished", "name", "opened_at", "shipped", "size", "written"
    )  # fmt: skip

    def __init__(self, directory: Path, name: str, *, size: int = 0, shipped: int = 0, finished: bool = True) -> None:
        """Describe a file that exists; `create` makes a new one."""
        self.directory = directory
        self.name = name
        self.size = size
        self.written = size
        self.shipped = shipped
        self.finished = finished
        """Whether nothing more will be written."""
        self.broken = False
        """Whether the disk failed in a way that leaves its end unknown: nothing more may be written."""
        self.opened_at = 0.0
        self.descriptor = -1
        """Of the file while it is open for writing."""
        self._length = size
        """Of the file, where that is more than what is written."""

    @classmethod
    def create(cls, directory: Path, name: str) -> Self:
        """A new, empty file, locked before it can be seen under its name, so that nobody else can take it over."""
        segment = cls(directory, name, finished=False)
        segment.descriptor = create_locked(directory, name, OPEN)
        try:
            sync_directory(directory)
        except OSError:
            os.close(segment.descriptor)
            raise
        return segment

    @property
    def backlog(self) -> int:
        """Bytes acknowledged and not yet shipped."""
        return self.size - self.shipped

    def write(self, data: bytes) -> None:
        """Append the whole of `data`, or nothing: after an error the file ends where it did."""
        rest, end = memoryview(data), self.written
        try:
            while rest:
                done = os.pwrite(self.descriptor, rest, end)
                rest, end = rest[done:], end + done
        except OSError:
            self.take_back()
            raise
        self.written = end

    def take_back(self) -> None:
        """Cut off what was not acknowledged."""
        self.written = self._length = self.size
        try:
            os.ftruncate(self.descriptor, self.size)
        except OSError:
            self.broken = True

    def acknowledge(self) -> None:
        """What is written counts from now on."""
        self.size = self.written

    def sync(self) -> None:
        """Wait for the disk."""
        os.fdatasync(self.descriptor)

    @property
    def lacks_room(self) -> bool:
        """Whether too few zeros are left for the groups to come."""
        return self._length - self.written < len(_ZEROS) // 4

    def sync_ahead(self) -> None:
        """The same, with room for the groups to come. Nothing may be written meanwhile."""
        if self.lacks_room:
            start = max(self._length, self.written)
            with suppress(OSError):  # no room for zeros: the lines themselves may have some
                self._length = start + os.pwrite(self.descriptor, _ZEROS, start)
        self.sync()

    def retire(self) -> None:
        """Close the file for good; an empty one is removed."""
        try:
            os.ftruncate(self.descriptor, self.written)
            self.sync()
        finally:
            os.close(self.descriptor)
            self.descriptor = -1
            path = self._path(OPEN)
            path.rename(self._path(CLOSED)) if self.written else path.unlink()
        sync_directory(self.directory)

    def read(self, most: int) -> bytes:
        """The next lines to ship, whole ones, `most` bytes or a little more where one line is longer."""
        with self._reader() as file:
            file.seek(self.shipped)
            chunk = file.read(min(most, self.backlog))
            if b"\n" not in chunk:
                chunk += file.readline(self.backlog - len(chunk))
        lines = chunk[: chunk.rfind(b"\n") + 1]
        if not lines:
            raise OSError(f"{self.name} is shorter than what was acknowledged")
        return lines

    def remember(self) -> None:
        """Write down how far it is shipped: saves work to whoever goes on after a crash, correctness needs it not."""
        hidden = self.directory / f".{self.name}{OFFSET}"
        hidden.write_text(str(self.shipped), encoding="ascii")
        hidden.rename(self._path(OFFSET))

    def reject(self, line: bytes, offset: int) -> None:
        """Put a line that PostgreSQL refuses aside, on disk, before shipping goes past it."""
        folder = self.directory / REJECTED
        folder.mkdir(mode=0o700, exist_ok=True)
        write_durably(folder / f"{self.name}-{offset}{CLOSED}", line)

    def discard(self) -> None:
        """Remove the file, all of which PostgreSQL has committed."""
        for ending in (OPEN, CLOSED, OFFSET):
            self._path(ending).unlink(missing_ok=True)

    def _path(self, ending: str) -> Path:
        return self.directory / (self.name + ending)

    def _reader(self) -> BinaryIO:
        try:
            return self._path(OPEN).open("rb")
        except FileNotFoundError:  # closed, or being closed at this moment
            return self._path(CLOSED).open("rb")


def create_locked(directory: Path, name: str, ending: str) -> int:
    """A new file held by a lock that lasts as long as this process; returns its descriptor."""
    hidden = directory / f".{name}{ending}"
    descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        hidden.rename(directory / (name + ending))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def write_durably(path: Path, content: bytes) -> None:
    """Write a small file and wait until the disk has it and its name."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Wait until the disk has the names of a directory."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
