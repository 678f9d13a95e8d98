"""Reads what was counted: hours of the last week, days of the last ninety, and the last minutes."""

from datetime import datetime, time, timedelta

import asyncpg
import orjson
import structlog

from config.clock import PARIS
from gateway.database import Pool, within
from gateway.status.board import Figures, Hour, Share

log = structlog.get_logger()

PATIENCE_SECONDS = 2.0

_TALLY = "SELECT counted_until, recent FROM provider_tally"
_HOURS = """
SELECT provider, hour, calls, failures, probes, probe_failures FROM provider_hours WHERE hour >= $1
"""
_DAYS = """
SELECT provider, date_trunc('day', hour, 'Europe/Paris') AS hour, sum(calls)::bigint AS calls,
       sum(failures)::bigint AS failures, sum(probes)::bigint AS probes, sum(probe_failures)::bigint AS probe_failures
FROM provider_hours WHERE hour >= $1 GROUP BY 1, 2
"""


async def read_figures(pool: Pool, now: datetime) -> Figures:
    """The figures at a moment, in Paris time; none where the database is away."""
    try:
        return await within(PATIENCE_SECONDS, _read(pool, now))
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        log.warning("status_figures_unknown", reason=type(error).__name__)
        return Figures()


async def _read(pool: Pool, now: datetime) -> Figures:
    first_day = datetime.combine(now.date() - timedelta(days=89), time(), PARIS)
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        tally = await connection.fetchrow(_TALLY)
        if tally is None:
            return Figures()
        hours = await connection.fetch(_HOURS, now - timedelta(days=7))
        days = await connection.fetch(_DAYS, first_day)
    return Figures(
        counted_until=tally["counted_until"].astimezone(PARIS),
        hours=tuple(_hour(row) for row in hours),
        days=tuple(_hour(row) for row in days),
        recent={slug: Share(*counts) for slug, counts in orjson.loads(tally["recent"]).items()},
    )


def _hour(row: asyncpg.Record) -> Hour:
    traffic, probed = Share(row["calls"], row["failures"]), Share(row["probes"], row["probe_failures"])
    return Hour(row["provider"], row["hour"].astimezone(PARIS), traffic, probed)
