"""The months of the audit trail: one partition each, bounded in UTC."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from audit.schema import TABLE

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:  # asyncpg's classes take no parameter at run time
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

LOCK = 0x0C7202
"""The advisory lock under which months are made and dropped, by one process at a time."""

LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
"""Waiting longer for a table would hold up everybody behind: the next round tries again."""


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month, in UTC."""

    year: int
    month: int

    @classmethod
    def of(cls, at: float) -> "Month":
        """The month of a moment, in seconds since the epoch."""
        moment = datetime.fromtimestamp(at, UTC)
        return cls(moment.year, moment.month)

    def plus(self, months: int) -> "Month":
        """So many months later, or earlier."""
        year, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Month(year, month + 1)

    @property
    def start(self) -> datetime:
        """Its first moment."""
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def partition(self) -> str:
        """The name of its table."""
        return f"{TABLE}_{self.year:04d}_{self.month:02d}"


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition as PostgreSQL has it: its name may lie, its bounds do not."""

    name: str
    since: datetime
    until: datetime
    """Excluded."""


_PARTITIONS = r"""
SELECT c.relname AS name, (bounds.found)[1]::timestamptz AS since, (bounds.found)[2]::timestamptz AS until
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid,
LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM \('([^']+)'\) TO \('([^']+)'\)$$) AS bounds(found)
WHERE i.inhparent = 'audit_records'::regclass
ORDER BY since
"""


async def partitions(connection: Connection) -> list[Partition]:
    """Every partition, oldest first."""
    rows = await connection.fetch(_PARTITIONS)
    return [Partition(row["name"], row["since"], row["until"]) for row in rows]


async def create_missing(connection: Connection, months: Iterable[Month]) -> list[str]:
    """Make the months that do not exist yet; returns their names. Readers and writers go on meanwhile."""
    wanted = sorted(set(months))
    if not await _missing(connection, wanted):
        return []
    async with connection.transaction():
        await connection.execute(LOCK_TIMEOUT)
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        missing = await _missing(connection, wanted)
        for month in missing:
            await _create(connection, month)
    return [month.partition for month in missing]


async def _missing(connection: Connection, wanted: list[Month]) -> list[Month]:
    covered = {partition.since for partition in await partitions(connection)}
    return [month for month in wanted if month.start not in covered]


async def _create(connection: Connection, month: Month) -> None:
    # Made apart, then attached: CREATE … PARTITION OF would lock out every reader of the whole trail.
    bounds = f"FROM ('{month.start.isoformat()}') TO ('{month.plus(1).start.isoformat()}')"
    await connection.execute(f"CREATE TABLE {month.partition} (LIKE {TABLE} INCLUDING ALL EXCLUDING INDEXES)")
    await connection.execute(f"ALTER TABLE {TABLE} ATTACH PARTITION {month.partition} FOR VALUES {bounds}")
