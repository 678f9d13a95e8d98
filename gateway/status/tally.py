"""Counts the traffic of providers by the hour, every five minutes, in whichever worker of any machine comes first."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import orjson
import structlog

from config.clock import Clock
from gateway.database import Pool, within
from gateway.health import CONCLUSIVE, FAILED, Probe

log = structlog.get_logger()

PERIOD = timedelta(minutes=5)
RECENT = timedelta(minutes=15)
"""Traffic and probes of so long ago tell the present state."""
DAYS = 90
LOCK = 0x0C7204
"""The advisory lock under which one worker counts while the others go their way."""

_JUST_NOW = PERIOD - timedelta(seconds=30)
_HOUR = timedelta(hours=1)
_LATE = timedelta(hours=6)
"""How far back each first count of an hour goes, for records that a database away made late."""
_STRIDE = timedelta(days=1)
"""The most that is counted in one transaction, where there is a backlog."""
_STATEMENT_SECONDS, _STEP_SECONDS = 60.0, 150.0

_JUDGED = """
    provider IS NOT NULL AND status >= 200
    AND coalesce(left(codes[1], 2), '') <> '00' AND coalesce(right(codes[1], 3), '') <> '020'
"""
"""Calls that say something of a provider: not what the gateway refuses by itself, nor an announced maintenance."""

_COUNTS = "count(*) AS calls, count(*) FILTER (WHERE status IN (502, 503, 504)) AS failures"

_COUNT_HOURS = f"""
INSERT INTO provider_hours (provider, hour, calls, failures)
SELECT provider, date_trunc('hour', at, 'UTC'), {_COUNTS}
FROM audit_records WHERE at >= $1 AND at < $2 AND {_JUDGED} GROUP BY 1, 2
ON CONFLICT (provider, hour) DO UPDATE SET calls = excluded.calls, failures = excluded.failures
"""  # noqa: S608  constants of ours

_COUNT_RECENT = f"""
SELECT provider, {_COUNTS} FROM audit_records WHERE at >= $1 AND at < $2 AND {_JUDGED} GROUP BY provider
"""  # noqa: S608  constants of ours

_OLDEST = "SELECT min(at) FROM audit_records"

_COUNT_PROBE = """
INSERT INTO provider_hours (provider, hour, probes, probe_failures) VALUES ($1, $2, 1, $3)
ON CONFLICT (provider, hour) DO UPDATE
SET probes = provider_hours.probes + 1, probe_failures = provider_hours.probe_failures + $3
"""

_KEEP = """
INSERT INTO provider_tally (counted_until, recent) VALUES ($1, $2)
ON CONFLICT (is_only_row) DO UPDATE SET counted_until = excluded.counted_until, recent = excluded.recent
"""


@dataclass(frozen=True, slots=True)
class _Step:
    """What one transaction counts."""

    start: datetime
    end: datetime
    is_last: bool


class Tally:
    """The task that counts. `run` it, and cancel it."""

    def __init__(self, pool: Pool, probes: Callable[[], Awaitable[Sequence[Probe]]], clock: Clock) -> None:
        """`probes` gives the latest result of each ping."""
        self._pool = pool
        self._probes = probes
        self._clock = clock

    async def run(self) -> None:
        """Count, until cancelled."""
        while True:
            try:
                await self.count()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                log.warning("traffic_not_counted", reason=type(error).__name__)
            await asyncio.sleep(PERIOD.total_seconds())

    async def count(self) -> bool:
        """Count what has not been, and again what may have come late; false where another worker does or just did."""
        probes = await self._probes()
        while True:
            step = await within(_STEP_SECONDS, self._count_step(probes))
            if step is None:
                return False
            if step.is_last:
                return True

    async def _count_step(self, probes: Sequence[Probe]) -> _Step | None:
        now = datetime.fromtimestamp(self._clock(), UTC)
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK):
                return None
            until = await connection.fetchval("SELECT counted_until FROM provider_tally")
            step = _next(until, now) if until is not None else _first(await connection.fetchval(_OLDEST), now)
            if step is None:
                return None
            await connection.execute(_COUNT_HOURS, step.start, step.end, timeout=_STATEMENT_SECONDS)
            recent = {}
            if step.is_last:
                rows = await connection.fetch(_COUNT_RECENT, now - RECENT, now, timeout=_STATEMENT_SECONDS)
                recent = {row["provider"]: [row["calls"], row["failures"]] for row in rows}
                for probe in probes:
                    if probe.status in CONCLUSIVE and (until is None or probe.at > until):
                        failed = int(probe.status == FAILED)
                        await connection.execute(_COUNT_PROBE, probe.provider, _hour(probe.at), failed)
                await connection.execute("DELETE FROM provider_hours WHERE hour < $1", now - timedelta(days=DAYS + 1))
            await connection.execute(_KEEP, step.end, orjson.dumps(recent).decode())
        return step


def _next(until: datetime, now: datetime) -> _Step | None:
    """What is to be counted, after what was counted until then; None where that was just now."""
    if timedelta() <= now - until < _JUST_NOW:
        return None
    return _first(_hour(until) - (_LATE if _hour(until) < _hour(now) else _HOUR), now)


def _first(oldest: datetime | None, now: datetime) -> _Step:
    """What is to be counted from some moment on; of what is older than ninety days, nothing."""
    earliest, this_hour = _hour(now) - timedelta(days=DAYS), _hour(now)
    start = this_hour if oldest is None else max(earliest, min(_hour(oldest), this_hour))
    end = start + _HOUR + _STRIDE
    is_last = now - end < PERIOD
    return _Step(start, now if is_last else end, is_last)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
