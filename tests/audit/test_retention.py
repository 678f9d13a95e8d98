"""Months: made ahead, dropped when their time is over, never before."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from audit.partitions import LOCK, Connection, Month, create_missing, partitions
from audit.retention import NoSuchPartition, RetentionRefused, TooYoung, drop, months_before, purge, purge_on
from audit.store import Store
from gateway.database import Pool
from tests.audit.builders import a_record
from tests.conftest import HandClock

FIRST = Month(2021, 1)
SIMULATED = 40


def store_of(pool: Pool, clock: HandClock) -> Store:
    async def source() -> Pool:
        return pool

    return Store(source, clock)


@pytest_asyncio.fixture
async def connection(pool: Pool) -> AsyncIterator[Connection]:
    """A connection to the database of the test."""
    async with pool.acquire() as acquired:
        yield acquired


async def names(connection: Connection) -> list[str]:
    return [partition.name for partition in await partitions(connection)]


def at(month: Month, day: int = 1) -> float:
    return month.start.replace(day=day).timestamp()


async def test_forty_simulated_months_keep_the_last_thirty_six(
    pool: Pool, connection: Connection, clock: HandClock
) -> None:
    store = store_of(pool, clock)
    recorded = []

    for elapsed in range(SIMULATED):
        for day in (1, 15, 28):
            clock.now = at(FIRST.plus(elapsed), day)
            await store.ensure_partitions()
            line = a_record(at=clock.now).to_line()[1:]
            await store.insert(b'{"stream":"0195a000-0000-7000-8000-000000000001","sequence":0,' + line)
            recorded.append(clock.now)
            await purge(pool, clock.now, 36)

            kept = {row["at"].timestamp() for row in await pool.fetch("SELECT at FROM audit_records")}
            cut = months_before(datetime.fromtimestamp(clock.now, UTC), 36).timestamp()
            assert {moment for moment in recorded if moment >= cut} <= kept
            assert min(kept) >= cut - 31 * 86400

    clock.now = at(FIRST.plus(SIMULATED))
    await purge_on(connection, clock.now, 36)
    left = await pool.fetch("SELECT DISTINCT date_trunc('month', at, 'UTC') AS month FROM audit_records ORDER BY 1")
    assert [row["month"] for row in left] == [FIRST.plus(elapsed).start for elapsed in range(4, SIMULATED)]
    assert len(left) == 36


async def test_the_running_month_and_two_ahead_are_made(pool: Pool, clock: HandClock) -> None:
    store = store_of(pool, clock)

    made, again = await store.ensure_partitions(), await store.ensure_partitions()

    assert made == ["audit_records_2026_03", "audit_records_2026_04", "audit_records_2026_05"]
    assert again == []


async def test_processes_that_make_the_same_months_at_once_do_not_collide(
    pool: Pool, connection: Connection, clock: HandClock
) -> None:
    made = await asyncio.gather(*[store_of(pool, clock).ensure_partitions() for _ in range(6)])

    assert sorted(name for each in made for name in each) == await names(connection)
    assert len(await names(connection)) == 3


async def test_there_is_no_default_partition(pool: Pool, clock: HandClock) -> None:
    await store_of(pool, clock).ensure_partitions()

    found = await pool.fetchval(
        "SELECT count(*) FROM pg_class WHERE relispartition AND pg_get_expr(relpartbound, oid) = 'DEFAULT'"
    )

    assert found == 0


async def a_year(connection: Connection) -> None:
    await create_missing(connection, [FIRST.plus(elapsed) for elapsed in range(12)])


async def test_a_month_too_young_is_not_dropped_even_by_name(connection: Connection) -> None:
    await a_year(connection)
    now = at(FIRST.plus(37)) - 1

    with pytest.raises(TooYoung):
        await drop(connection, "audit_records_2021_01", now, 36)
    assert "audit_records_2021_01" in await names(connection)

    await drop(connection, "audit_records_2021_01", now + 1, 36)
    assert "audit_records_2021_01" not in await names(connection)


async def test_a_name_that_lies_about_its_month_protects_nothing_and_exposes_nothing(connection: Connection) -> None:
    await a_year(connection)
    await connection.execute("ALTER TABLE audit_records_2021_12 RENAME TO audit_records_1999_01")

    with pytest.raises(TooYoung):
        await drop(connection, "audit_records_1999_01", at(FIRST.plus(40)), 36)


async def test_a_clock_that_runs_ahead_drops_nothing(connection: Connection) -> None:
    recent = Month.of(datetime.now(UTC).timestamp()).plus(-20)
    await create_missing(connection, [recent])

    dropped = await purge_on(connection, at(Month(2090, 1)), 36)

    assert dropped == []


@pytest.mark.parametrize("months", [0, -1])
async def test_no_retention_at_all_is_refused(connection: Connection, months: int) -> None:
    with pytest.raises(RetentionRefused):
        await purge_on(connection, at(FIRST.plus(40)), months)


async def test_only_a_month_of_the_trail_can_be_dropped(connection: Connection) -> None:
    for name in ("tokens", "audit_records", "audit_records_2001_01", 'x"; DROP TABLE tokens; --'):
        with pytest.raises(NoSuchPartition):
            await drop(connection, name, at(FIRST.plus(40)), 36)


async def test_one_process_purges_while_the_others_pass(pool: Pool, connection: Connection) -> None:
    await a_year(connection)
    async with pool.acquire() as other, other.transaction():
        await other.execute("SELECT pg_advisory_xact_lock($1)", LOCK)

        dropped = await purge_on(connection, at(FIRST.plus(60)), 36)

    assert dropped == []
    assert len(await purge_on(connection, at(FIRST.plus(60)), 36)) == 12


@given(st.datetimes(FIRST.start.replace(tzinfo=None), timezones=st.just(UTC)), st.integers(1, 120))
def test_so_many_months_before_is_never_later_than_the_calendar_says(moment: datetime, months: int) -> None:
    before = months_before(moment, months)

    assert (moment.year - before.year) * 12 + moment.month - before.month == months
    assert before.day == moment.day or before.day in (28, 29, 30)
