"""Retention: a month is dropped once every record in it may be; nothing younger can be, even if asked by name.

The cut is the earlier of our clock and PostgreSQL's, less the months to keep: one wrong clock drops nothing.
"""

from datetime import UTC, datetime, timedelta

import structlog

from audit.partitions import LOCK, LOCK_TIMEOUT, Connection, Partition, Pool, partitions
from audit.schema import TABLE

log = structlog.get_logger(__name__)


class RetentionRefused(Exception):
    """A drop that was asked for and must not be."""


class TooYoung(RetentionRefused):
    """The partition may hold a record that must still be kept."""

    def __init__(self, partition: Partition, cut: datetime) -> None:
        """Say until when it is protected."""
        until = partition.until.isoformat()
        super().__init__(f"{partition.name} goes up to {until}: only what ends by {cut.isoformat()} may be dropped")
        self.partition = partition
        self.cut = cut


class NoSuchPartition(RetentionRefused):
    """No partition of the audit trail has that name."""


async def purge(pool: Pool, now: float, retention_months: int) -> list[str]:
    """`purge_on` with a connection of a pool."""
    async with pool.acquire() as connection:
        return await purge_on(connection, now, retention_months)


async def purge_on(connection: Connection, now: float, retention_months: int) -> list[str]:
    """Drop every partition of which all records are older than `now` less the months to keep; returns their names.

    Where another process is at it, nothing is done.
    """
    async with connection.transaction():
        await connection.execute(LOCK_TIMEOUT)
        if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK):
            return []
        cut = await _cut(connection, now, retention_months)
        expired = [partition for partition in await partitions(connection) if partition.until <= cut]
        for partition in expired:
            await _drop(connection, partition, cut)
    return [partition.name for partition in expired]


async def drop(connection: Connection, name: str, now: float, retention_months: int) -> None:
    """Drop one partition by name; raises TooYoung where a record in it may still have to be kept."""
    async with connection.transaction():
        await connection.execute(LOCK_TIMEOUT)
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        cut = await _cut(connection, now, retention_months)
        for partition in await partitions(connection):
            if partition.name == name:
                await _drop(connection, partition, cut)
                return
    raise NoSuchPartition(name)


def months_before(moment: datetime, months: int) -> datetime:
    """The same day and hour so many months earlier, or the last day of that month where it is shorter."""
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    first = moment.replace(year=year, month=month + 1, day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return first.replace(day=min(moment.day, (following - timedelta(days=1)).day))


async def _cut(connection: Connection, now: float, retention_months: int) -> datetime:
    if retention_months < 1:
        raise RetentionRefused(f"a retention of {retention_months} months would drop the running month")
    theirs = await connection.fetchval("SELECT now()")
    return months_before(min(datetime.fromtimestamp(now, UTC), theirs), retention_months)


async def _drop(connection: Connection, partition: Partition, cut: datetime) -> None:
    """Every drop goes through here, so that the age is judged where it is done."""
    if partition.until > cut:
        raise TooYoung(partition, cut)
    name = await connection.fetchval("SELECT quote_ident($1)", partition.name)
    # In one transaction: a crash leaves the month whole or gone, never a detached table that no search would see.
    await connection.execute(f"ALTER TABLE {TABLE} DETACH PARTITION {name}")
    await connection.execute(f"DROP TABLE {name}")
    log.info("audit_month_dropped", partition=partition.name, until=partition.until.isoformat(), cut=cut.isoformat())
