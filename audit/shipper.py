"""The shipper: takes the spool's lines to PostgreSQL, in order, as often as it takes.

A segment is removed only after PostgreSQL has committed all of it. How far a segment is shipped is noted beside it,
but nothing depends on the note: a line shipped twice is inserted once.
"""

import asyncio
import random

import orjson
import structlog

from audit.segment import Segment
from audit.spool import Spool
from audit.store import Store, StoreUnavailable, Unacceptable
from config.clock import Clock

log = structlog.get_logger(__name__)

_BATCH_BYTES = 512 * 1024
"""Smaller batches cost the worker more a record, and PostgreSQL a transaction each."""
_LONGEST_PAUSE_SECONDS = 5.0
_ADOPT_EVERY_SECONDS = 30.0
_SEGMENT_SECONDS = 60.0
"""Age at which a segment is closed, so that what is shipped does not stay on local disk."""


class Shipper:
    """Ships one spool to one store. `run` it as a task."""

    def __init__(self, spool: Spool, store: Store, every_seconds: float, clock: Clock) -> None:
        """Join the two; nothing moves yet."""
        self._spool = spool
        self._store = store
        self._every = every_seconds
        self._clock = clock
        self._turn = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._oldest_at: float | None = None
        self._adopted_at = clock()
        self._failures = 0
        self._unreadable: set[str] = set()
        self.rejected_count = 0
        """Lines put aside because PostgreSQL refuses them."""
        self.shipped_count = 0
        """Records inserted that were not there yet."""

    @property
    def backlog_bytes(self) -> int:
        """Bytes on local disk that PostgreSQL does not have yet."""
        return sum(segment.backlog for segment in self._spool.segments())

    @property
    def backlog_seconds(self) -> float:
        """Age of the oldest record that PostgreSQL does not have yet."""
        if self._oldest_at is None or not self.backlog_bytes:
            return 0.0
        return max(0.0, self._clock() - self._oldest_at)

    async def run(self) -> None:
        """Ship until told to stop."""
        while not self._stopping.is_set():
            try:
                await self._keep_house()
                await self.ship()
                pause = self._every
            except StoreUnavailable as error:
                pause = self._back_off(error)
            except Exception:  # a defect here must not end the shipping for good; it is reported as one
                log.exception("audit_shipper_failed")
                pause = _LONGEST_PAUSE_SECONDS
            try:
                await asyncio.wait_for(self._stopping.wait(), pause)
            except TimeoutError:
                continue

    def stop(self) -> None:
        """Let `run` end after the batch it is at."""
        self._stopping.set()

    async def ship(self) -> None:
        """Ship everything acknowledged so far; raises StoreUnavailable where PostgreSQL is away."""
        async with self._turn:
            for segment in list(self._spool.segments()):
                try:
                    await self._ship_segment(segment)
                except OSError as error:  # of the disk: the other segments need not wait
                    self._report(segment, error)
            self._oldest_at = None
        if self._failures:
            log.info("audit_shipping_resumed", failures=self._failures)
            self._failures = 0

    async def _keep_house(self) -> None:
        now = self._clock()
        if not 0 <= now - self._adopted_at < _ADOPT_EVERY_SECONDS:
            self._adopted_at = now
            await self._spool.adopt()
        self._spool.rotate(_SEGMENT_SECONDS)

    async def _ship_segment(self, segment: Segment) -> None:
        """What it holds now: what comes meanwhile is left to the next turn, so that no batch is made of a few lines."""
        start, end = segment.shipped, segment.size
        while segment.shipped < end:
            lines = await asyncio.to_thread(segment.read, _BATCH_BYTES)
            if self._oldest_at is None:
                self._oldest_at = _moment(lines)
            await self._insert(segment, lines, segment.shipped)
            segment.shipped += len(lines)
            self._oldest_at = None
        if segment.finished and not segment.backlog:
            await self._spool.discard(segment)
        elif segment.shipped > start:
            await asyncio.to_thread(_remember, segment)

    async def _insert(self, segment: Segment, lines: bytes, offset: int) -> None:
        """Insert; where a line is refused for what it is, halve until it stands alone, and put it aside."""
        try:
            self.shipped_count += await self._store.insert(lines)
        except Unacceptable as error:
            middle = lines.find(b"\n", len(lines) // 2) + 1
            if middle == len(lines):
                middle = lines.rfind(b"\n", 0, len(lines) - 1) + 1
            if not middle:
                await self._reject(segment, lines, offset, error.reason)
                return
            await self._insert(segment, lines[:middle], offset)
            await self._insert(segment, lines[middle:], offset + middle)

    async def _reject(self, segment: Segment, line: bytes, offset: int, reason: str) -> None:
        await asyncio.to_thread(segment.reject, line, offset)
        self.rejected_count += 1
        log.error("audit_line_rejected", segment=segment.name, offset=offset, length=len(line), reason=reason)

    def _report(self, segment: Segment, error: OSError) -> None:
        if segment.name not in self._unreadable:
            self._unreadable.add(segment.name)
            log.error("audit_segment_unreadable", segment=segment.name, reason=str(error))

    def _back_off(self, error: StoreUnavailable) -> float:
        if not self._failures:
            log.warning("audit_shipping_interrupted", reason=str(error), backlog_bytes=self.backlog_bytes)
        self._failures += 1
        longest = min(_LONGEST_PAUSE_SECONDS, self._every * 2 ** min(self._failures, 10))
        return random.uniform(longest / 2, longest)  # noqa: S311 - spreads the workers, guards nothing


def _remember(segment: Segment) -> None:
    try:
        segment.remember()
    except OSError as error:  # a full disk must not stop what empties it
        log.warning("audit_offset_not_noted", segment=segment.name, reason=error.strerror)


def _moment(lines: bytes) -> float | None:
    try:
        return float(orjson.loads(lines[: lines.index(b"\n")])["at"])
    except (ValueError, KeyError, TypeError):
        return None
