"""Bans: known everywhere, fixed in time, lost by nothing, lifted by nobody."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from gateway.database import Pool, open_pool
from ratelimit import keys
from ratelimit.ban import Ban
from ratelimit.bans import Bans
from ratelimit.limiter import Limiter
from ratelimit.link import Link
from ratelimit.schema import CREATE, DROP
from tests.conftest import HandClock
from tests.ratelimit.servers import Relay, Valkey, eventually, eventually_answers

IP, IP6 = "192.0.2.1", "2001:db8:1:2::/64"


def a_ban(clock: HandClock, block: str = IP, reason: str = "ceiling", seconds: float = 43200) -> Ban:
    return Ban(block, reason, clock(), clock() + seconds)


async def rows(pool: Pool) -> list[tuple[Any, ...]]:
    return [
        tuple(row)
        for row in await pool.fetch(
            "SELECT ip_block::text, reason, extract(epoch FROM until - banned_at)::int FROM bans ORDER BY banned_at"
        )
    ]


@pytest.fixture
def clock() -> HandClock:
    """By the time of the store, which rules the life of a key, but at rest."""
    return HandClock(round(time.time(), 3))


Start = Callable[[Link, Pool], Awaitable[Bans]]


@pytest_asyncio.fixture
async def start(link: Link, pool: Pool, clock: HandClock) -> AsyncIterator[Start]:
    """Starts workers, and stops them before the pool that they hold on to, however the test ends."""
    started: list[Bans] = []

    async def one(to_redis: Link, to_postgresql: Pool) -> Bans:
        started.append(await Bans.open(to_redis, to_postgresql, clock))
        return started[-1]

    yield one
    for bans in started:
        await bans.close()


@pytest_asyncio.fixture
async def bans(link: Link, pool: Pool, start: Start) -> Bans:
    return await start(link, pool)


@pytest_asyncio.fixture
async def other(link: Link, pool: Pool, start: Start) -> Bans:
    """Another worker."""
    return await start(link, pool)


@pytest_asyncio.fixture
async def own(server: Valkey) -> AsyncIterator[Link]:
    """A link to a server that the test maltreats."""
    opened = await Link.open(server.url, 0.25)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def relay(database_url: str) -> AsyncIterator[Relay]:
    """A wire to PostgreSQL that a test may cut."""
    place = urlsplit(database_url)
    opened = await Relay(place.hostname or "", place.port or 5432).open()
    yield opened
    await opened.cut()


@pytest_asyncio.fixture
async def relayed(database_url: str, relay: Relay) -> AsyncIterator[Pool]:
    """A pool over that wire."""
    place = urlsplit(database_url)
    netloc = place.netloc.replace(f":{place.port}", f":{relay.port}")
    opened = await open_pool(place._replace(netloc=netloc).geturl(), connect_timeout=1.0)
    yield opened
    opened.terminate()


class TestInForce:
    async def test_a_ban_holds_at_once_and_for_its_time(self, bans: Bans, clock: HandClock) -> None:
        ban = a_ban(clock)

        await bans.impose(ban)

        assert bans.is_banned(IP) is ban
        clock.advance(43199.9)
        assert bans.get(IP) is ban
        assert ban.seconds_left(clock()) == 0
        clock.advance(0.1)
        assert bans.is_banned(IP) is None
        assert bans.list_active() == []

    async def test_all_addresses_of_its_64_are_banned(self, bans: Bans, clock: HandClock) -> None:
        await bans.impose(a_ban(clock, IP6))

        assert bans.get("2001:db8:1:2:dead:beef:0:1") is not None
        assert bans.get("2001:db8:1:3::1") is None

    async def test_it_is_neither_prolonged_nor_replaced(self, bans: Bans, pool: Pool, clock: HandClock) -> None:
        first = a_ban(clock)
        await bans.impose(first)
        clock.advance(100)

        await bans.impose(a_ban(clock, reason="refusals"))
        await bans.synchronise()

        assert bans.is_banned(IP) == first
        assert await rows(pool) == [("192.0.2.1/32", "ceiling", 43200)]

    async def test_after_its_end_another_may_follow(self, bans: Bans, pool: Pool, clock: HandClock) -> None:
        await bans.impose(a_ban(clock, seconds=10))
        await bans.synchronise()
        clock.advance(10)

        await bans.impose(a_ban(clock, reason="refusals", seconds=10))
        await bans.synchronise()

        assert await rows(pool) == [("192.0.2.1/32", "ceiling", 10), ("192.0.2.1/32", "refusals", 10)]

    async def test_the_living_connections_are_ended_once(self, bans: Bans, clock: HandClock) -> None:
        ended: list[Ban] = []
        bans.on_ban(ended.append)
        ban = a_ban(clock)

        await bans.impose(ban)
        await bans.impose(ban)
        await bans.synchronise()
        await bans.synchronise()

        assert ended == [ban]

    async def test_operators_see_them_oldest_first(self, bans: Bans, clock: HandClock) -> None:
        first = a_ban(clock, IP6)
        await bans.impose(first)
        clock.advance(1)
        second = a_ban(clock)
        await bans.impose(second)

        assert bans.list_active() == [first, second]
        assert bans.get("2001:db8:1:2::99") == first
        assert first.seconds_left(clock()) == 43199

    def test_nothing_lifts_a_ban(self) -> None:
        names = {name for name in dir(Bans) if not name.startswith("_")}

        assert names == {
            *("open", "close", "impose", "synchronise", "forget"),
            *("get", "is_banned", "list_active", "on_ban"),
        }


class TestSpreading:
    async def test_another_worker_hears_of_it_within_a_second(self, bans: Bans, other: Bans, clock: HandClock) -> None:
        ended: list[Ban] = []
        other.on_ban(ended.append)
        ban = a_ban(clock)

        await bans.impose(ban)
        took = await eventually(lambda: other.is_banned(IP) is not None)

        assert took < 1.0
        assert ended == [ban]
        assert other.is_banned(IP) == ban

    async def test_a_worker_that_starts_later_knows_it(
        self, bans: Bans, link: Link, pool: Pool, start: Start, clock: HandClock
    ) -> None:
        for block in (IP, IP6):
            await bans.impose(a_ban(clock, block))
        await bans.synchronise()
        await link.send(b"k", b"FLUSHALL")

        later = await start(link, pool)

        assert {ban.ip_block for ban in later.list_active()} == {IP, IP6}

    async def test_a_row_written_by_hand_is_obeyed_at_once(self, bans: Bans, pool: Pool, clock: HandClock) -> None:
        await pool.execute(
            "INSERT INTO bans VALUES ('2001:db8:1:2::/64', 'by hand', to_timestamp($1), to_timestamp($2))",
            clock(),
            clock() + 60,
        )

        await eventually(lambda: bans.is_banned(IP6) is not None, 1.0)

        assert bans.is_banned(IP6) == a_ban(clock, IP6, "by hand", 60)

    async def test_a_ban_that_the_store_gave_is_written_as_the_store_gave_it(
        self, bans: Bans, link: Link, pool: Pool, limiter_of: Callable[..., Limiter]
    ) -> None:
        limiter = limiter_of(link, refusals_before_ban=1)
        ban = await limiter.count_refusal(IP)
        assert ban is not None

        await bans.impose(ban)
        await bans.synchronise()

        row = await pool.fetchrow("SELECT banned_at, until FROM bans")
        assert row is not None
        assert (row["banned_at"].timestamp(), row["until"].timestamp()) == (ban.banned_at, ban.until)
        assert (await limiter.look_at_ip(IP)).ban == bans.is_banned(IP) == ban

    async def test_two_that_ban_at_once_agree_on_one(
        self, bans: Bans, other: Bans, link: Link, pool: Pool, clock: HandClock
    ) -> None:
        await bans.impose(a_ban(clock))
        await other.impose(Ban(IP, "refusals", clock() + 1, clock() + 43201))

        for _ in range(2):
            await asyncio.gather(bans.synchronise(), other.synchronise())

        assert len(await rows(pool)) == 1
        agreed = bans.is_banned(IP)
        assert agreed is not None
        assert agreed == other.is_banned(IP)
        assert await link.send(b"k", b"GET", keys.ban(IP)) == agreed.stored()

    async def test_nonsense_on_the_channel_is_ignored(self, bans: Bans, pool: Pool, clock: HandClock) -> None:
        await pool.execute("SELECT pg_notify('octroi_bans', 'nonsense'), pg_notify('octroi_bans', '{\"ip\": 1}')")

        await bans.impose(a_ban(clock))
        await bans.synchronise()

        assert await rows(pool) == [("192.0.2.1/32", "ceiling", 43200)]


class TestLosses:
    async def test_a_flushed_redis_is_refilled_within_five_seconds(
        self, bans: Bans, link: Link, clock: HandClock, limiter_of: Callable[..., Limiter]
    ) -> None:
        ban = a_ban(clock)
        await bans.impose(ban)
        await bans.synchronise()

        await link.send(b"k", b"FLUSHALL")
        await eventually_answers(link, 1, b"EXISTS", keys.ban(IP), seconds=5.0)

        assert bans.is_banned(IP) == ban
        assert (await limiter_of(link).look_at_ip(IP)).ban == ban
        assert await link.send(b"k", b"PEXPIRETIME", keys.ban(IP)) == round(ban.until * 1000)

    async def test_a_restart_of_redis_changes_nothing(
        self, server: Valkey, own: Link, pool: Pool, start: Start, clock: HandClock, limiter_of: Callable[..., Limiter]
    ) -> None:
        bans = await start(own, pool)
        ban = a_ban(clock)
        await bans.impose(ban)
        await bans.synchronise()

        server.kill()
        await eventually(lambda: not own.available)
        assert bans.is_banned(IP) == ban
        server.start()
        await eventually(lambda: own.available)
        await bans.synchronise()

        assert (await limiter_of(own).look_at_ip(IP)).ban == ban

    async def test_without_redis_bans_are_written_and_shared_all_the_same(
        self, server: Valkey, own: Link, pool: Pool, start: Start, clock: HandClock, limiter_of: Callable[..., Limiter]
    ) -> None:
        server.kill()
        await eventually(lambda: not own.available)
        first, second = await start(own, pool), await start(own, pool)
        ban = a_ban(clock)

        await first.impose(ban)
        await eventually(lambda: second.is_banned(IP) == ban, 1.0)

        assert await rows(pool) == [("192.0.2.1/32", "ceiling", 43200)]
        server.start()
        await eventually(lambda: own.available)
        await second.synchronise()
        assert (await limiter_of(own).look_at_ip(IP)).ban == ban

    async def test_without_postgresql_bans_go_on_in_redis_and_are_written_when_it_is_back(
        self, relay: Relay, relayed: Pool, pool: Pool, link: Link, start: Start, clock: HandClock
    ) -> None:
        first, second = await start(link, relayed), await start(link, relayed)
        await relay.cut()
        ban = a_ban(clock)

        await first.impose(ban)
        await eventually(lambda: second.is_banned(IP) == ban)
        assert await rows(pool) == []
        await relay.open()
        await eventually_rows(pool, [("192.0.2.1/32", "ceiling", 43200)])

        assert first.is_banned(IP) == second.is_banned(IP) == ban

    async def test_a_ban_that_only_redis_has_is_written_by_whoever_starts_next(
        self, link: Link, pool: Pool, start: Start, clock: HandClock
    ) -> None:
        ban = a_ban(clock)
        await link.send(b"k", b"SET", keys.ban(IP), ban.stored(), b"PXAT", round(ban.until * 1000))
        await link.send(b"k", b"HSET", keys.BAN_INDEX, IP, ban.stored())

        bans = await start(link, pool)
        assert bans.is_banned(IP) == ban

        await eventually_rows(pool, [("192.0.2.1/32", "ceiling", 43200)])

    async def test_it_opens_while_postgresql_is_away(
        self, relay: Relay, relayed: Pool, pool: Pool, link: Link, start: Start, clock: HandClock
    ) -> None:
        await relay.cut()

        bans = await start(link, relayed)
        await bans.impose(a_ban(clock))
        await relay.open()

        await eventually_rows(pool, [("192.0.2.1/32", "ceiling", 43200)])

    async def test_a_postgresql_that_hangs_holds_up_no_ban(
        self, relay: Relay, relayed: Pool, pool: Pool, link: Link, start: Start, clock: HandClock
    ) -> None:
        bans = await start(link, relayed)
        relay.hold()

        async with asyncio.timeout(0.1):
            await bans.impose(a_ban(clock))
        assert bans.is_banned(IP)
        await eventually_answers(link, 1, b"EXISTS", keys.ban(IP), seconds=6.0)
        relay.release()

        await eventually_rows(pool, [("192.0.2.1/32", "ceiling", 43200)])

    async def test_a_worker_whose_connection_is_ended_listens_again(
        self, bans: Bans, other: Bans, pool: Pool, clock: HandClock
    ) -> None:
        await pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await asyncio.gather(bans.synchronise(), other.synchronise())

        await bans.impose(a_ban(clock))

        assert await eventually(lambda: other.is_banned(IP) is not None) < 1.0

    async def test_what_could_not_be_written_is_written_when_the_worker_closes(
        self, link: Link, pool: Pool, start: Start, clock: HandClock
    ) -> None:
        bans = await start(link, pool)

        await bans.impose(a_ban(clock))
        await bans.close()

        assert await rows(pool) == [("192.0.2.1/32", "ceiling", 43200)]

    async def test_a_row_that_somebody_deletes_comes_back(self, bans: Bans, pool: Pool, clock: HandClock) -> None:
        await bans.impose(a_ban(clock))
        await bans.synchronise()

        await pool.execute("DELETE FROM bans")
        await bans.synchronise()
        await bans.synchronise()

        assert len(await rows(pool)) == 1
        assert bans.is_banned(IP)

    async def test_nonsense_in_redis_is_swept_away_and_stops_nothing(
        self, bans: Bans, link: Link, pool: Pool, clock: HandClock
    ) -> None:
        future = b"%d 1 x" % round((clock() + 60) * 1000)
        await link.send(b"k", b"HSET", keys.BAN_INDEX, b"not an address", future, b"192.0.2.9", b"not a ban")

        await bans.impose(a_ban(clock))
        await bans.synchronise()

        assert await rows(pool) == [("192.0.2.1/32", "ceiling", 43200)]
        assert await link.send(b"k", b"HKEYS", keys.BAN_INDEX) == [IP.encode()]

    async def test_a_later_start_of_the_same_ban_left_in_redis_ends_with_the_first(
        self, link: Link, pool: Pool, start: Start, clock: HandClock
    ) -> None:
        ended = Ban(IP, "ceiling", clock() - 60, clock() - 1)
        echo = Ban(IP, "ceiling", clock() - 58, clock() + 1000)
        await pool.execute(
            "INSERT INTO bans VALUES ($1, 'ceiling', to_timestamp($2), to_timestamp($3))",
            IP,
            ended.banned_at,
            ended.until,
        )
        await link.send(b"k", b"SET", keys.ban(IP), echo.stored(), b"PXAT", round(echo.until * 1000))
        await link.send(b"k", b"HSET", keys.BAN_INDEX, IP, echo.stored())

        bans = await start(link, pool)
        await bans.synchronise()

        assert bans.is_banned(IP) is None
        assert await link.send(b"k", b"EXISTS", keys.ban(IP), keys.BAN_INDEX) == 0


class TestTable:
    async def test_overlapping_bans_are_refused_by_the_table_itself(self, pool: Pool) -> None:
        insert = "INSERT INTO bans VALUES ($1, 'x', now() + $2::interval, now() + $3::interval)"
        hour = timedelta(hours=1)
        await pool.execute(insert, IP, 0 * hour, hour)

        with pytest.raises(asyncpg.ExclusionViolationError):
            await pool.execute(insert, IP, hour / 2, 2 * hour)
        await pool.execute(insert, IP, hour, 2 * hour)
        await pool.execute(insert, "192.0.2.2", 0 * hour, hour)

    @pytest.mark.parametrize("block", ["192.0.2.0/24", "2001:db8::/48", "2001:db8::1/128"])
    async def test_a_block_is_an_ipv4_address_or_a_64(self, pool: Pool, block: str) -> None:
        with pytest.raises(asyncpg.CheckViolationError):
            await pool.execute("INSERT INTO bans VALUES ($1, 'x', now(), now() + interval '1 h')", block)

    async def test_the_migration_can_be_undone(self, pool: Pool) -> None:
        await pool.execute(DROP)
        await pool.execute(CREATE)

        assert await rows(pool) == []


async def eventually_rows(pool: Pool, expected: list[tuple[Any, ...]]) -> None:
    async with asyncio.timeout(8.0):
        while await rows(pool) != expected:  # noqa: ASYNC110 - a table announces no change of another's
            await asyncio.sleep(0.02)


async def test_an_ended_ban_is_forgotten_once_its_months_are_over_and_no_sooner(
    bans: Bans, pool: Pool, clock: HandClock
) -> None:
    ended = "INSERT INTO bans VALUES ($1, 'ceiling', now() - $2::interval - interval '12 h', now() - $2::interval)"
    await pool.execute(ended, "192.0.2.2", timedelta(days=36 * 31))
    await pool.execute(ended, "192.0.2.3", timedelta(days=35 * 30))
    await bans.impose(a_ban(clock))
    await bans.synchronise()

    await bans.forget(36)

    assert [row[0] for row in await rows(pool)] == ["192.0.2.3/32", f"{IP}/32"]


async def test_a_clock_that_is_wrong_makes_no_ban_forgotten(bans: Bans, pool: Pool, clock: HandClock) -> None:
    await bans.impose(a_ban(clock))
    await bans.synchronise()
    clock.advance(10 * 366 * 86400)

    await bans.forget(36)

    assert [row[0] for row in await rows(pool)] == [f"{IP}/32"]
