"""Upkeep of the months: made ahead of time, dropped when their time is over."""

import asyncio

import asyncpg
import structlog

from audit.retention import purge
from audit.store import PoolSource, Store, StoreUnavailable, Unacceptable
from config.clock import Clock

log = structlog.get_logger(__name__)

MONTHS_AHEAD = 2
_EVERY_SECONDS = 3600.0
_AGAIN_SECONDS = 30.0


class Upkeep:
    """Looks after the partitions every hour. `run` it as a task, and cancel it."""

    def __init__(self, store: Store, source: PoolSource, retention_months: int, clock: Clock) -> None:
        """Settle what to keep; touches nothing."""
        self._store = store
        self._source = source
        self._retention_months = retention_months
        self._clock = clock

    async def run(self) -> None:
        """Look after them at once, then every hour; sooner again where PostgreSQL is away."""
        while True:
            pause = _EVERY_SECONDS
            try:
                await self.look_after()
            except (StoreUnavailable, Unacceptable, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                log.warning("audit_upkeep_postponed", reason=f"{type(error).__name__}: {error}")
                pause = _AGAIN_SECONDS
            except Exception:  # a defect in one round must not end the upkeep for good; it is reported as one
                log.exception("audit_upkeep_failed")
            await asyncio.sleep(pause)

    async def look_after(self) -> None:
        """One round."""
        made = await self._store.ensure_partitions(MONTHS_AHEAD)
        if made:
            log.info("audit_months_made", partitions=made)
        await purge(await self._source(), self._clock(), self._retention_months)
