"""Upkeep of the months: made ahead of time, dropped when their time is over."""

import asyncio

import structlog

from audit.retention import purge_on
from audit.store import Store, StoreUnavailable
from config.clock import Clock

log = structlog.get_logger(__name__)

MONTHS_AHEAD = 2
_EVERY_SECONDS = 3600.0
_AGAIN_SECONDS = 30.0


class Upkeep:
    """Looks after the partitions every hour. `run` it as a task, and cancel it."""

    def __init__(self, store: Store, retention_months: int, clock: Clock) -> None:
        """Settle what to keep; touches nothing."""
        self._store = store
        self._retention_months = retention_months
        self._clock = clock

    async def run(self) -> None:
        """Look after them at once, then every hour; sooner again where PostgreSQL is away."""
        while True:
            pause = _EVERY_SECONDS
            try:
                await self.look_after()
            except StoreUnavailable as error:
                log.warning("audit_upkeep_postponed", reason=str(error))
                pause = _AGAIN_SECONDS
            except Exception:  # a defect in one round must not end the upkeep for good; it is reported as one
                log.exception("audit_upkeep_failed")
            await asyncio.sleep(pause)

    async def look_after(self) -> None:
        """One round."""
        made = await self._store.ensure_partitions(MONTHS_AHEAD)
        if made:
            log.info("audit_months_made", partitions=made)
        async with self._store.connection() as connection:
            await purge_on(connection, self._clock(), self._retention_months)
