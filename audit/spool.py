"""The spool: records on local disk, in segments, until PostgreSQL has them.

All the lines that one turn of the event loop appends are written with one call. With durability `disk` the group then
waits for one synchronisation, done by the kernel or in a thread that does nothing else, while the next group gathers;
with `kernel` it counts at once, and the disk follows within a second. Segments are made, closed and removed in a second
thread: any of these takes the disk as long as ten groups. Each line gets its place in the worker's stream, so that a
gap can be proven later.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal
from uuid import uuid4

import structlog

from audit.adoption import Estate, OwnerLock, take_over
from audit.disk import DiskThread, KernelQueue
from audit.segment import Segment, write_durably
from config.clock import Clock

log = structlog.get_logger(__name__)

Durability = Literal["disk", "kernel"]

_MOST_GATHERED = 20_000
"""Lines that may wait for the disk; past it the spool refuses, as a disk this late is as good as absent."""
_PAUSE_SECONDS = 0.002
"""Between two synchronisations when callers come faster than they end: each costs the processor as much as several
answers, whatever the size of its group. A caller who is alone never waits for it."""
_ENOUGH = 16
"""Lines that end the pause: a group this large is worth its synchronisation."""
_SYNC_SECONDS = 1.0
"""Longest time a record of durability `kernel` is the kernel's alone."""
_PROBE_SECONDS = 1.0
_PROBE_BYTES = 64 * 1024


class SpoolUnavailable(Exception):
    """The record could not be made durable: the request it is about must be refused."""


Told = Callable[[SpoolUnavailable | None], None]
"""Hears None once a line is durable, or why it cannot be; must not raise."""


class Spool:
    """One process's spool. `open` it first, within the event loop that will use it."""

    def __init__(self, directory: Path, durability: Durability, segment_bytes: int, clock: Clock) -> None:
        """Settle where and how; touches nothing."""
        self._directory = directory
        self._durability = durability
        self._segment_bytes = segment_bytes
        self._clock = clock
        self._owner = str(uuid4())
        self._stream = self._owner
        self._sequence = 0
        self._lines: list[bytes] = []
        self._waiting: list[Told] = []
        self._in_flight: list[Told] = []
        self._busy = False
        """Whether a group waits for the disk; what comes meanwhile gathers."""
        self._pause: asyncio.TimerHandle | None = None
        """Of a pause between two groups."""
        self._queue: KernelQueue | None = None
        """Of synchronisations, where the system has one."""
        self._closing = False
        self._sync_planned: asyncio.TimerHandle | None = None
        self._number = 0
        self._spare: Segment | None = None
        self._spare_ordered = False
        self._segments: dict[str, Segment] = {}
        self._locks: dict[str, OwnerLock] = {}
        self.torn_count = 0
        """Lines cut short by the death of the workers adopted so far."""
        self.unavailable_since: float | None = None
        """When the disk began to refuse, if it does."""

    async def open(self) -> None:
        """Take a place in the directory; raises SpoolUnavailable where the disk refuses."""
        self._loop = asyncio.get_running_loop()
        self._groups = DiskThread(self._loop, "audit-groups")
        self._disk = DiskThread(self._loop, "audit-disk")
        try:
            await self._disk.do(self._take_place)
        except OSError as error:
            await self.close()
            raise SpoolUnavailable(f"the audit spool cannot use {self._directory}: {error.strerror}") from error
        if self._durability == "disk":
            self._queue = await KernelQueue.open(self._loop, self._segment.descriptor)
        self._order_spare()

    def append(self, line: bytes) -> asyncio.Future[None]:
        """Add a line of JSON, an object and its newline; done once durable, or failed with SpoolUnavailable.

        Cancelling the future does not take the line back.
        """
        future: asyncio.Future[None] = self._loop.create_future()
        self.put(line, partial(_settle, future))
        return future

    def put(self, line: bytes, told: Told) -> None:
        """As `append`, for those who would rather be told than wait."""
        if self._closing or len(self._lines) >= _MOST_GATHERED:
            told(SpoolUnavailable(self._refusal()))
            return
        if not self._lines and not self._busy:
            self._loop.call_soon(self._write)
        self._lines.append(line)
        self._waiting.append(told)
        if self._pause is not None and len(self._lines) >= _ENOUGH:
            self._pause.cancel()
            self._go_on()

    async def drain(self) -> None:
        """Wait until every line appended so far is durable or refused."""
        pending = self._waiting or self._in_flight
        if not pending:
            return
        last, drained = pending[-1], asyncio.Event()

        def told(error: SpoolUnavailable | None) -> None:
            last(error)
            drained.set()

        pending[-1] = told
        await drained.wait()

    def segments(self) -> Sequence[Segment]:
        """What is owned, oldest first: the estates of dead workers, then our own."""
        return sorted(self._segments.values(), key=lambda segment: segment.name.startswith(self._owner))

    def rotate(self, older_than: float) -> None:
        """Close the current segment if it is that old, in seconds, so that it can be removed once shipped."""
        is_old = self._clock() - self._segment.opened_at >= older_than
        if is_old and self._segment.size and self._spare is not None and not self._busy:
            self._turn_over(self._spare)

    async def adopt(self) -> int:
        """Take over what dead workers left; returns the number of segments."""
        estates = await asyncio.to_thread(take_over, self._directory, frozenset(self._locks))
        for estate in estates:
            self._inherit(estate)
        return sum(len(estate.segments) for estate in estates)

    async def discard(self, segment: Segment) -> None:
        """Remove a finished segment of which nothing is left to ship; with its lock if it was its owner's last."""
        await self._disk.do(segment.discard)
        del self._segments[segment.name]
        owner = segment.name[: len(self._owner)]
        if owner != self._owner and not any(name.startswith(owner) for name in self._segments):
            self._locks.pop(owner).release(remove=True)

    async def finish(self) -> None:
        """Accept no more lines, make durable those that wait, and close the segment."""
        if self._closing:
            return
        self._closing = True
        await self.drain()
        if self._sync_planned is not None:
            self._sync_planned.cancel()
        self._retire(self._segment)
        if not self._segment.size:
            del self._segments[self._segment.name]
        await self._disk.do(self._remove_spare)

    async def close(self) -> None:
        """Let go of everything; what is not shipped goes to whoever adopts it. Call `finish` first."""
        if self._queue is not None:
            self._queue.close()
        await self._groups.close()
        await self._disk.close()
        for owner, lock in self._locks.items():
            lock.release(remove=not any(name.startswith(owner) for name in self._segments))
        self._locks.clear()

    def _write(self) -> None:
        lines, waiting = self._lines, self._waiting
        self._lines, self._waiting = [], []
        try:
            self._make_room()
            self._segment.write(self._numbered(lines))
        except OSError as error:
            self._refuse(waiting, error)
            return
        if self._durability == "kernel":
            self._accept(waiting)
            if self._sync_planned is None:
                self._sync_planned = self._loop.call_later(_SYNC_SECONDS, self._follow)
            return
        self._busy = True
        self._in_flight = waiting
        segment = self._segment
        if segment.lacks_room or self._queue is None or not self._queue.sync(segment.descriptor, self._synced):
            self._groups.submit(segment.sync_ahead, self._synced)

    def _synced(self, error: OSError | None) -> None:
        waiting, self._in_flight = self._in_flight, []
        if error is None:
            self._accept(waiting)
        else:
            self._segment.take_back()
            # After a failed synchronisation the kernel may have dropped what it could not write: this file's end is
            # unknown, whatever a second try says.
            self._segment.broken = True
            self._refuse(waiting, error)
        if 0 < len(self._lines) < _ENOUGH and not self._closing:
            self._pause = self._loop.call_later(_PAUSE_SECONDS, self._go_on)
        else:
            self._go_on()

    def _go_on(self) -> None:
        """To the next group, if there is one by now."""
        self._busy, self._pause = False, None
        if self._lines:
            self._write()

    def _follow(self) -> None:
        """Bring the disk up to date with the kernel."""
        self._sync_planned = None
        segment = self._segment

        def followed(error: OSError | None) -> None:
            if error is not None:
                segment.broken = True
                log.error("audit_sync_failed", segment=segment.name, reason=error.strerror)

        self._disk.submit(segment.sync, followed)

    def _numbered(self, lines: list[bytes]) -> bytes:
        """The lines, each with its place in the stream.

        Numbered when written: a refused group gives its numbers back, so that a gap always means a loss.
        """
        head = b'{"stream":"' + self._stream.encode() + b'","sequence":%d,%b'
        return b"".join([head % (number, line[1:]) for number, line in enumerate(lines, self._sequence)])

    def _accept(self, waiting: list[Told]) -> None:
        self._segment.acknowledge()
        self._sequence += len(waiting)
        if self.unavailable_since is not None:
            self._recover()
        for told in waiting:
            told(None)

    def _refuse(self, waiting: list[Told], error: OSError) -> None:
        self._note_trouble(error.strerror)
        refusal = SpoolUnavailable(f"the audit spool cannot be written: {error.strerror}")
        for told in waiting:
            told(refusal)

    def _refusal(self) -> str:
        if self._closing:
            return "the audit spool is closed"
        self._note_trouble("the disk does not keep up")
        return "the audit spool's disk does not keep up"

    def _note_trouble(self, reason: str | None) -> None:
        if self.unavailable_since is None:
            self.unavailable_since = self._clock()
            log.error("audit_spool_unavailable", directory=str(self._directory), reason=reason)
            self._loop.call_later(_PROBE_SECONDS, self._probe)

    def _probe(self) -> None:
        """Ask the disk again: a gateway taken out of service for its spool gets no request that would find out."""
        if self.unavailable_since is None or self._closing:
            return

        def probed(error: OSError | None) -> None:
            if error is None:
                self._recover()
            else:
                self._loop.call_later(_PROBE_SECONDS, self._probe)

        self._disk.submit(self._try_disk, probed)

    def _try_disk(self) -> None:
        path = self._directory / f".{self._owner}-probe"
        try:
            write_durably(path, b"?" * _PROBE_BYTES)
        finally:
            path.unlink(missing_ok=True)

    def _recover(self) -> None:
        if self.unavailable_since is not None:
            log.info("audit_spool_recovered", refused_seconds=round(self._clock() - self.unavailable_since, 3))
            self.unavailable_since = None

    def _make_room(self) -> None:
        """Go on to the next segment where this one is full, or where its end is unknown."""
        segment = self._segment
        if not segment.broken and segment.written < self._segment_bytes:
            return
        if self._spare is not None:
            self._turn_over(self._spare)
            return
        self._order_spare()
        if segment.broken:
            raise OSError(5, "the segment failed and its successor is not ready")

    def _turn_over(self, spare: Segment) -> None:
        if self._segment.broken:
            # Lines that were refused may have stayed in it, under numbers that must then not be given twice.
            self._stream = str(uuid4())
            self._sequence = 0
        self._retire(self._segment)
        self._install(spare)
        self._spare = None
        self._order_spare()

    def _install(self, segment: Segment) -> None:
        self._segment = self._segments[segment.name] = segment
        segment.opened_at = self._clock()

    def _retire(self, segment: Segment) -> None:
        segment.finished = True

        def retired(error: OSError | None) -> None:
            if error is not None:
                log.error("audit_segment_badly_closed", segment=segment.name, reason=error.strerror)

        self._disk.submit(segment.retire, retired)

    def _take_place(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._locks[self._owner] = OwnerLock.create(self._directory, self._owner)
        self._install(self._next_segment())

    def _next_segment(self) -> Segment:
        self._number += 1
        return Segment.create(self._directory, f"{self._owner}-{self._number:08d}")

    def _order_spare(self) -> None:
        """Have the next segment made ahead of time: turning over to it then costs nothing and cannot fail."""
        if self._spare_ordered or self._spare is not None:
            return
        self._spare_ordered = True

        def make() -> None:
            self._spare = self._next_segment()

        def made(error: OSError | None) -> None:
            self._spare_ordered = False
            if error is not None:
                log.error("audit_segment_not_made", directory=str(self._directory), reason=error.strerror)

        self._disk.submit(make, made)

    def _remove_spare(self) -> None:
        if self._spare is not None:
            self._spare.retire()
            self._spare = None

    def _inherit(self, estate: Estate) -> None:
        self.torn_count += estate.torn_count
        if not estate.segments:
            estate.lock.release(remove=True)
            return
        self._locks[estate.lock.owner] = estate.lock
        self._segments.update((segment.name, segment) for segment in estate.segments)
        backlog = sum(segment.backlog for segment in estate.segments)
        log.info("audit_spool_adopted", owner=estate.lock.owner, segments=len(estate.segments), bytes=backlog)


def _settle(future: "asyncio.Future[None]", error: SpoolUnavailable | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
