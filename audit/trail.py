"""The trail: what the gateway holds to have a request recorded.

`append` gives a future that is done once the record is on local disk; an answer leaves after that, or not at all.
The rest, PostgreSQL included, goes on behind and may be away.
"""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Self

import asyncpg
import structlog

from audit.partitions import Pool
from audit.record import Record
from audit.shipper import Shipper
from audit.spool import Spool, Told
from audit.store import PoolSource, Store, StoreUnavailable
from audit.upkeep import Upkeep
from config.clock import Clock, system_clock
from config.settings import AuditSettings

log = structlog.get_logger(__name__)

CLOSING_SECONDS = 5.0


class Trail:
    """One process's share in the audit trail; `open` it, and `close` it last."""

    def __init__(self, settings: AuditSettings, directory: Path, source: PoolSource, clock: Clock) -> None:
        """Put the parts together; `open` sets them going."""
        self._spool = Spool(directory, settings.durability, settings.segment_bytes, clock)
        store = Store(source, clock)
        self._shipper = Shipper(self._spool, store, settings.ship_every_seconds, clock)
        self._upkeep = Upkeep(store, settings.retention_months, clock)
        self._every = settings.ship_every_seconds
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    @classmethod
    async def open(
        cls,
        settings: AuditSettings,
        directory: Path,
        pool: Pool | PoolSource | None,
        clock: Clock = system_clock,
    ) -> Self:
        """A trail that records into `directory` and ships to `pool`, which may come later or, with None, never.

        Raises SpoolUnavailable where nothing can be recorded.
        """
        trail = cls(settings, directory, _source(pool), clock)
        await trail._spool.open()
        await trail._spool.adopt()
        shipping = asyncio.create_task(trail._shipper.run(), name="audit-shipper")
        upkeep = asyncio.create_task(trail._upkeep.run(), name="audit-upkeep")
        trail._tasks = (shipping, upkeep)
        return trail

    def append(self, record: Record) -> asyncio.Future[None]:
        """Record; done once durable, failed with SpoolUnavailable where it cannot be."""
        return self._spool.append(record.to_line())

    def put(self, line: bytes, told: Told) -> None:
        """Record a line; `told` hears None once it is durable, or SpoolUnavailable."""
        self._spool.put(line, told)

    @property
    def backlog_bytes(self) -> int:
        """Bytes on local disk that PostgreSQL does not have yet."""
        return self._shipper.backlog_bytes

    @property
    def backlog_seconds(self) -> float:
        """Age of the oldest record that PostgreSQL does not have yet."""
        return self._shipper.backlog_seconds

    @property
    def shipped_count(self) -> int:
        """Records this process brought to PostgreSQL."""
        return self._shipper.shipped_count

    @property
    def rejected_count(self) -> int:
        """Lines put aside because PostgreSQL refuses them: each is a defect to look into."""
        return self._shipper.rejected_count

    @property
    def torn_count(self) -> int:
        """Lines cut short by the death of workers adopted so far."""
        return self._spool.torn_count

    @property
    def unavailable_since(self) -> float | None:
        """When the disk began to refuse records, if it does."""
        return self._spool.unavailable_since

    async def flush(self, time_limit: float | None = None) -> bool:
        """Wait until all that was appended is in PostgreSQL; false where the time limit, in seconds, came first."""
        with suppress(TimeoutError):
            async with asyncio.timeout(time_limit):
                await self._spool.drain()
                while not await self._ship():  # noqa: ASYNC110 - PostgreSQL announces its return to nobody
                    await asyncio.sleep(self._every)
                return True
        return False

    async def close(self, time_limit: float = CLOSING_SECONDS) -> None:
        """Make durable what was appended, ship what can be within the limit, and leave the rest on disk.

        Whoever opens a trail in the same directory next takes it from there.
        """
        if not self._tasks:
            return
        shipping, upkeep = self._tasks
        self._tasks = ()
        self._shipper.stop()
        try:
            await self._spool.finish()
            with suppress(TimeoutError):
                async with asyncio.timeout(time_limit):
                    await shipping
                    await self._ship()
        finally:
            await _end(shipping)
            await _end(upkeep)
            if backlog := self.backlog_bytes:
                log.warning("audit_backlog_left", bytes=backlog)
            await self._spool.close()

    async def _ship(self) -> bool:
        try:
            await self._shipper.ship()
        except StoreUnavailable:
            return False
        return True


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def _source(pool: Pool | PoolSource | None) -> PoolSource:
    if pool is None:
        return _none
    if not isinstance(pool, asyncpg.Pool):
        return pool

    async def given() -> Pool:
        return pool

    return given


async def _none() -> Pool:
    raise ConnectionError("no database was given")
