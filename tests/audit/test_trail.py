"""From the spool to PostgreSQL: exactly once, whatever is away or killed when."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from audit import schema
from audit.segment import Segment
from audit.shipper import Shipper
from audit.spool import Spool
from audit.store import Store, StoreUnavailable, Unacceptable
from audit.trail import Trail
from config.clock import system_clock
from gateway.database import Pool
from tests.audit.builders import NOW, a_record, a_trail, has_gaps, stored_ids
from tests.audit.test_spool import dead_segment, killed_after, names_in, read_all


@pytest_asyncio.fixture
async def trail(tmp_path: Path, pool: Pool) -> AsyncIterator[Trail]:
    """A trail that ships to `pool`."""
    opened = await a_trail(tmp_path, pool)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def door(postgres_server: str, database_url: str) -> AsyncIterator["Door"]:
    """Closes and opens the database of the test."""
    connection = await asyncpg.connect(postgres_server)
    yield Door(connection, database_url.rpartition("/")[2])
    await connection.close()


class Door:
    """Lets a database be reached, or not."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]", database: str) -> None:
        self._connection = connection
        self._database = database

    async def close(self) -> None:
        await self._connection.execute(f"ALTER DATABASE {self._database} ALLOW_CONNECTIONS false")
        await self._connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", self._database
        )

    async def open(self) -> None:
        await self._connection.execute(f"ALTER DATABASE {self._database} ALLOW_CONNECTIONS true")


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - a figure announces itself to nobody
            await asyncio.sleep(0.01)


async def record(trail: Trail, count: int) -> list[str]:
    records = [a_record(at=NOW + number) for number in range(count)]
    await asyncio.gather(*[trail.append(one) for one in records])
    return [one.id for one in records]


class TestShipping:
    async def test_every_field_arrives(self, trail: Trail, pool: Pool) -> None:
        record = a_record(at=NOW + 0.123456, codes=("00103", "00101"), cached=True, siret="99988877100023", siren=None)
        record.extra = {"act": "révocation", "details": [1, None]}

        await trail.append(record)
        assert await trail.flush(10)

        row = dict(await pool.fetchrow("SELECT * FROM audit_records") or {})
        assert row["at"] == datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC)
        assert (row["codes"], row["cached"], row["siren"]) == (["00103", "00101"], True, "999888771")
        assert row["extra"] == '{"act": "révocation", "details": [1, null]}'
        same: tuple[str, ...] = (
            "request_id",
            "method",
            "path",
            "operation_id",
            "status",
            "outcome",
            "jti",
            "holder_siret",
            "client_ip",
        )
        same += (
            "user_agent",
            "context",
            "object",
            "recipient",
            "siret",
            "rna",
            "provider",
            "duration_ms",
            "api_version",
        )
        assert {name: row[name] for name in same} == {name: getattr(record, name) for name in same}
        assert (str(row["id"]), str(row["habilitation"])) == (record.id, record.habilitation)

    async def test_records_arrive_soon_without_being_asked_for(self, trail: Trail, pool: Pool) -> None:
        ids = await record(trail, 3)

        await until(lambda: trail.shipped_count == 3)

        assert await stored_ids(pool) == ids

    async def test_what_is_shipped_leaves_the_local_disk(self, trail: Trail, tmp_path: Path) -> None:
        await record(trail, 3)

        await trail.close()

        assert names_in(tmp_path) == []

    async def test_a_record_of_a_month_without_partition_has_it_made(self, trail: Trail, pool: Pool) -> None:
        months = [datetime(2019, 12, 31, 23, 59, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)]
        await asyncio.gather(*[trail.append(a_record(at=month.timestamp())) for month in months])

        assert await trail.flush(10)

        names = {row[0] for row in await pool.fetch("SELECT tableoid::regclass::text FROM audit_records")}
        assert names == {"audit_records_2019_12", "audit_records_2020_01"}

    async def test_a_full_batch_of_hostile_texts_arrives(self, trail: Trail, pool: Pool) -> None:
        texts = [
            "\0",
            "\r\n",
            "\x1b[31m",
            "\u202e",
            "\ud800",
            "\\u0000",
            '"',
            "\\.",
            "{}",
            "é" * 300,
            "\u2028",
            "\x7f\x9f",
        ]

        await asyncio.gather(*[trail.append(a_record(context=text, object=text, user_agent=text)) for text in texts])
        assert await trail.flush(10)

        assert trail.rejected_count == 0
        assert len(await stored_ids(pool)) == len(texts)

    async def test_a_malformed_line_is_put_aside_and_blocks_nobody(self, tmp_path: Path, pool: Pool) -> None:
        good = [b'{"stream":"0195a000-0000-7000-8000-000000000001","sequence":%d,' % n for n in range(9)]
        lines = [head + a_record().to_line()[1:] for head in good]
        bad = [b"not json\n", b"[1]\n", b'{"at":1}\n', b"\xff\xfe{}\n", b"\0" * 20 + b"\n", b"[" * 20_000 + b"\n"]
        content = b"".join(bad[:2] + lines[:4] + [b"\n"] + bad[2:4] + lines[4:] + bad[4:])
        name = dead_segment(tmp_path, content)
        (tmp_path / f"{name}.jsonl.open").rename(tmp_path / f"{name}.jsonl")

        trail = await a_trail(tmp_path, pool)
        assert await trail.flush(10)

        assert len(await stored_ids(pool)) == len(lines)
        assert trail.rejected_count == len(bad)
        assert sorted(read_all(tmp_path / "rejected")) == sorted(bad)
        await trail.close()


class TestExactlyOnce:
    async def test_a_crash_between_the_commit_and_the_note_of_it_repeats_nothing(
        self, tmp_path: Path, pool: Pool
    ) -> None:
        spool = Spool(tmp_path, "disk", 4 * 1024 * 1024, lambda: NOW)
        await spool.open()
        await asyncio.gather(*[spool.append(a_record().to_line()) for _ in range(100)])
        await spool.finish()
        inserted = await Store(_of(pool), lambda: NOW).insert(spool.segments()[0].read(1024 * 1024))
        await spool.close()

        trail = await a_trail(tmp_path, pool)
        assert await trail.flush(10)
        await trail.close()

        assert inserted == 100
        assert trail.shipped_count == 0
        assert len(await stored_ids(pool)) == 100

    async def test_workers_killed_while_they_ship_leave_each_record_once(
        self, tmp_path: Path, pool: Pool, database_url: str
    ) -> None:
        acknowledged = []
        for _ in range(3):
            acknowledged += killed_after(1500, str(tmp_path), "kernel", database_url)

        trail = await a_trail(tmp_path, pool, system_clock)
        assert await trail.flush(30)
        await trail.close()

        stored = await stored_ids(pool)
        assert set(acknowledged) <= set(stored)
        assert len(stored) == len(set(stored))
        assert not await has_gaps(pool)
        assert not [name for name in names_in(tmp_path) if not name.endswith(".torn")]

    async def test_an_offset_that_lies_costs_nothing_but_work(self, tmp_path: Path, pool: Pool) -> None:
        lines = b"".join(_placed(number) for number in range(5))
        for note in ("12", "999999", "nonsense", ""):
            name = dead_segment(tmp_path, lines)
            (tmp_path / f"{name}.offset").write_text(note)

        trail = await a_trail(tmp_path, pool)
        assert await trail.flush(10)
        await trail.close()

        assert len(await stored_ids(pool)) == 5
        assert trail.shipped_count == 5

    async def test_shipping_goes_on_from_the_offset(self, tmp_path: Path, pool: Pool) -> None:
        first, second = _placed(0), _placed(1)
        name = dead_segment(tmp_path, first + second)
        (tmp_path / f"{name}.offset").write_text(str(len(first)))

        trail = await a_trail(tmp_path, pool)
        assert await trail.flush(10)
        await trail.close()

        assert trail.shipped_count == 1


class TestAway:
    async def test_records_wait_for_postgresql_and_arrive_once_it_is_back(
        self, trail: Trail, pool: Pool, door: Door
    ) -> None:
        before = await record(trail, 10)
        assert await trail.flush(10)
        await door.close()

        during = await record(trail, 100)
        assert not await trail.flush(0.2)
        assert trail.backlog_bytes > 0
        await door.open()

        assert await trail.flush(20)
        assert sorted(await stored_ids(pool)) == sorted(before + during)
        assert (trail.backlog_bytes, trail.backlog_seconds) == (0, 0)
        assert not await has_gaps(pool)

    async def test_a_trail_records_before_there_is_any_pool(self, tmp_path: Path, pool: Pool) -> None:
        is_there = asyncio.Event()

        async def source() -> Pool:
            if not is_there.is_set():
                raise ConnectionRefusedError("not yet")
            return pool

        trail = await a_trail(tmp_path, source)
        ids = await record(trail, 10)
        assert not await trail.flush(0.05)
        is_there.set()

        assert await trail.flush(10)
        assert await stored_ids(pool) == ids
        await trail.close()

    async def test_a_trail_without_database_leaves_its_records_to_the_next(self, tmp_path: Path, pool: Pool) -> None:
        alone = await a_trail(tmp_path, None)
        ids = await record(alone, 10)
        await alone.close(0.05)

        trail = await a_trail(tmp_path, pool)
        assert await trail.flush(10)
        await trail.close()

        assert await stored_ids(pool) == ids

    async def test_the_age_of_the_backlog_is_that_of_its_oldest_record(self, tmp_path: Path) -> None:
        trail = await a_trail(tmp_path, None, lambda: NOW + 90)

        await record(trail, 10)
        await until(lambda: trail.backlog_seconds > 0)

        assert trail.backlog_seconds == 90
        await trail.close(0)

    async def test_a_schema_that_is_not_there_yet_is_waited_for(self, trail: Trail, pool: Pool) -> None:
        await pool.execute("ALTER TABLE audit_records RENAME TO elsewhere")
        ids = await record(trail, 3)
        assert not await trail.flush(0.2)

        await pool.execute("ALTER TABLE elsewhere RENAME TO audit_records")

        assert await trail.flush(10)
        assert await stored_ids(pool) == ids

    async def test_a_turn_ends_with_what_it_found(self, tmp_path: Path, pool: Pool) -> None:
        spool = Spool(tmp_path, "disk", 1 << 20, system_clock)
        await spool.open()
        store = Crowded(spool, pool)
        shipper = Shipper(spool, store, 1.0, system_clock)
        await spool.append(a_record().to_line())

        await shipper.ship()
        assert store.batches == 1
        assert shipper.backlog_bytes > 0

        store.is_crowded = False
        await shipper.ship()
        assert shipper.backlog_bytes == 0
        assert len(await stored_ids(pool)) == 2

        await spool.finish()
        await spool.close()


class Crowded(Store):
    """A store with a caller who comes while a batch is under way."""

    def __init__(self, spool: Spool, pool: Pool) -> None:
        super().__init__(_of(pool), system_clock)
        self._spool = spool
        self.batches = 0
        self.is_crowded = True

    async def insert(self, lines: bytes) -> int:
        self.batches += 1
        if self.is_crowded:
            await self._spool.append(a_record().to_line())
        return await super().insert(lines)


class TestStore:
    async def test_says_which_kind_of_refusal_it_met(self, pool: Pool) -> None:
        store = Store(_of(pool), lambda: NOW)

        with pytest.raises(Unacceptable) as refused:
            await store.insert(b"not json\n")

        assert refused.value.reason == "InvalidTextRepresentationError"

    async def test_says_that_postgresql_is_away(self) -> None:
        async def source() -> Pool:
            raise ConnectionRefusedError("away")

        with pytest.raises(StoreUnavailable):
            await Store(source, lambda: NOW).insert(_placed(0))

    async def test_a_schema_that_holds_records_is_not_dropped(self, pool: Pool) -> None:
        await Store(_of(pool), lambda: NOW).insert(_placed(0))

        with pytest.raises(asyncpg.RestrictViolationError):
            await pool.execute(schema.DROP)
        assert len(await stored_ids(pool)) == 1

    async def test_a_segment_shorter_than_acknowledged_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "x-1.jsonl").write_bytes(b"")
        segment = Segment(tmp_path, "x-1", size=100)

        with pytest.raises(OSError, match="shorter"):
            segment.read(1000)


def _of(pool: Pool) -> Callable[[], "asyncio.Future[Pool]"]:
    async def source() -> Pool:
        return pool

    return source  # type: ignore[return-value]


def _placed(number: int) -> bytes:
    place = b'{"stream":"0195a000-0000-7000-8000-0000000000cc","sequence":%d,' % number
    return place + a_record(at=NOW + number).to_line()[1:]
