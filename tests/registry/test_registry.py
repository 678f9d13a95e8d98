"""What a worker remembers of the registry, and how it hears of changes, with a real PostgreSQL and a real Valkey."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
import redis.asyncio as redis

from config.settings import RateLimitSettings
from gateway.database import Pool, open_pool
from gateway.registry import registry as registry_module
from gateway.registry.registry import ABSENT_SECONDS, STATE_SECONDS, Registry, RegistryUnavailable
from gateway.registry.state import TokenState
from gateway.registry.store import Store
from ratelimit.limiter import Limiter
from ratelimit.link import Link
from tests.conftest import HandClock
from tests.registry.builders import a_token

NOBODY = "7a1d9f0e-3c52-4b7e-9a44-0d6f5b1c2e33"


class Published:
    """Where a registry tells its states, instead of Redis: what was told, and a way to wait for more."""

    def __init__(self) -> None:
        self.states: list[TokenState] = []
        self.fails = False
        self._more = asyncio.Condition()

    async def __call__(self, jti: str, version: int, packed: bytes) -> None:
        if self.fails:
            raise ConnectionError("Redis is away")
        state = TokenState.unpack(packed)
        assert (state.jti, state.version) == (jti, version)
        async with self._more:
            self.states.append(state)
            self._more.notify_all()

    async def until(self, is_told: Callable[[TokenState], bool]) -> None:
        async with self._more, asyncio.timeout(10):
            await self._more.wait_for(lambda: any(map(is_told, self.states)))


class Away:
    """The way to the database, which a test may cut; it counts how often it was taken."""

    def __init__(self, pool: Pool) -> None:
        self.pool: Pool | None = pool
        self.taken = 0

    def __call__(self) -> Pool | None:
        self.taken += 1
        return self.pool


class Listening(Registry):
    """A registry that says what it forgets."""

    def __init__(self, *told: Any) -> None:
        super().__init__(*told)
        self.forgotten: asyncio.Queue[str] = asyncio.Queue()

    def forget(self, jti: str) -> None:
        super().forget(jti)
        self.forgotten.put_nowait(jti)

    async def until_forgotten(self, jti: str) -> None:
        async with asyncio.timeout(10):
            while await self.forgotten.get() != jti:
                pass


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
def way(pool: Pool) -> Away:
    return Away(pool)


@pytest_asyncio.fixture
async def registry(way: Away, published: Published, clock: HandClock) -> AsyncIterator[Listening]:
    """One that does not listen yet."""
    made = Listening(way, published, clock)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def listening(registry: Listening) -> Listening:
    await registry.open()
    await heard(registry)
    return registry


async def heard(registry: Registry) -> None:
    async with asyncio.timeout(10):
        await registry.is_listening.wait()


class TestLoading:
    async def test_a_token_is_loaded_once_and_redis_is_told(
        self, registry: Registry, store: Store, published: Published
    ) -> None:
        _, state = await a_token(store)
        before = registry.known(state.jti)

        loaded = await registry.load(state.jti)

        assert before is None
        assert loaded == registry.known(state.jti) == state
        assert published.states == [state]

    async def test_those_who_ask_together_wait_for_one_query(self, registry: Registry, store: Store, way: Away) -> None:
        _, state = await a_token(store)

        loaded = await asyncio.gather(*(registry.load(state.jti) for _ in range(50)))

        assert loaded == [state] * 50
        assert way.taken == 1

    async def test_one_who_gives_up_takes_nothing_from_the_others(self, registry: Registry, store: Store) -> None:
        _, state = await a_token(store)
        first, second = (asyncio.create_task(registry.load(state.jti)) for _ in range(2))
        await asyncio.sleep(0)

        first.cancel()

        assert await second == state

    async def test_a_token_nobody_issued_is_asked_for_once_in_five_seconds(
        self, registry: Registry, way: Away, clock: HandClock, published: Published
    ) -> None:
        assert [await registry.load(NOBODY) for _ in range(3)] == [None] * 3
        asked = way.taken
        clock.advance(ABSENT_SECONDS)
        await registry.load(NOBODY)

        assert (asked, way.taken) == (1, 2)
        assert published.states == []
        assert registry.known(NOBODY) is None

    async def test_redis_away_keeps_no_token_out(self, registry: Registry, store: Store, published: Published) -> None:
        _, state = await a_token(store)
        published.fails = True

        assert await registry.load(state.jti) == state

    async def test_the_least_used_are_forgotten_where_there_are_too_many(
        self, way: Away, published: Published, clock: HandClock, store: Store
    ) -> None:
        registry = Registry(way, published, clock, capacity=2)
        states = [(await a_token(store))[1] for _ in range(3)]

        registry.remember(states[0])
        registry.remember(states[1])
        registry.known(states[0].jti)
        registry.remember(states[2])

        assert [registry.known(state.jti) for state in states] == [states[0], None, states[2]]


class TestDatabaseAway:
    async def test_an_unknown_token_is_neither_accepted_nor_called_invalid(self, registry: Registry, way: Away) -> None:
        way.pool = None

        with pytest.raises(RegistryUnavailable):
            await registry.load(NOBODY)

    async def test_so_is_it_where_nothing_answers_at_the_address(
        self, way: Away, registry: Registry, unused_tcp_port: int
    ) -> None:
        way.pool = await open_pool(f"postgresql://octroi@127.0.0.1:{unused_tcp_port}/octroi")

        with pytest.raises(RegistryUnavailable):
            await registry.load(NOBODY)

        await way.pool.close()

    async def test_so_is_it_where_the_database_does_not_answer(
        self, registry: Registry, pool: Pool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(registry_module, "LOAD_SECONDS", 0.1)

        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("LOCK TABLE tokens")
            with pytest.raises(RegistryUnavailable):
                await registry.load(NOBODY)

    async def test_a_failure_is_not_remembered(self, registry: Registry, way: Away, store: Store, pool: Pool) -> None:
        _, state = await a_token(store)
        way.pool = None
        with pytest.raises(RegistryUnavailable):
            await registry.load(state.jti)

        way.pool = pool

        assert await registry.load(state.jti) == state

    async def test_a_known_token_goes_on_and_redis_is_told_of_it_again(
        self, registry: Registry, way: Away, store: Store, published: Published
    ) -> None:
        _, state = await a_token(store)
        await registry.load(state.jti)
        way.pool = None

        again = await registry.load(state.jti)

        assert again == state
        assert published.states == [state, state]


class TestVersions:
    async def test_what_redis_says_is_kept_if_it_is_newer(self, registry: Registry, store: Store) -> None:
        _, state = await a_token(store)
        newer = replace(state, version=state.version + 1, revoked_at=1)
        registry.remember(state)

        assert registry.remember(newer) == newer
        assert registry.known(state.jti) == newer

    async def test_where_redis_is_behind_it_is_told_what_is_newer(
        self, registry: Registry, store: Store, published: Published
    ) -> None:
        _, state = await a_token(store)
        newer = replace(state, version=state.version + 1, revoked_at=1)
        registry.remember(newer)

        assert [registry.remember(state) for _ in range(3)] == [newer] * 3
        await published.until(lambda told: told == newer)

        assert registry.known(state.jti) == newer
        assert published.states == [newer]

    async def test_a_load_that_was_overtaken_by_redis_changes_nothing(
        self, registry: Registry, store: Store, published: Published
    ) -> None:
        _, state = await a_token(store)
        newer = replace(state, version=state.version + 1, revoked_at=1)
        load = asyncio.create_task(registry.load(state.jti))
        await asyncio.sleep(0)

        registry.remember(newer)

        assert await load == newer
        assert published.states == [newer]

    async def test_a_load_that_was_overtaken_by_an_announcement_reads_again(
        self, registry: Registry, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token, _ = await a_token(store)
        read = Store.load_state
        states: list[TokenState | None] = []

        async def read_while_the_token_is_revoked(self: Store, jti: str) -> TokenState | None:
            states.append(await read(self, jti))
            if len(states) == 1:
                await store.revoke_token(jti)
                registry.forget(jti)
            return states[-1]

        monkeypatch.setattr(Store, "load_state", read_while_the_token_is_revoked)

        loaded = await registry.load(token.jti)

        assert len(states) == 2
        assert loaded is not None
        assert loaded.revoked_at is not None


class TestAnnouncements:
    async def test_a_change_by_hand_is_heard(self, listening: Listening, store: Store, pool: Pool) -> None:
        _, state = await a_token(store)
        await listening.until_forgotten(state.jti)
        await listening.load(state.jti)

        await pool.execute("UPDATE tokens SET revoked_at = now()")
        await listening.until_forgotten(state.jti)

        changed = await listening.load(state.jti)
        assert changed is not None
        assert changed.revoked_at is not None

    async def test_a_token_issued_after_it_was_asked_for_is_found(
        self, listening: Listening, store: Store, pool: Pool
    ) -> None:
        before = await listening.load(NOBODY)

        await pool.execute(
            "INSERT INTO tokens (jti, kind, operator, operator_scopes, iat, exp)"
            " VALUES ($1, 'operator', 'Exploitation', '{admin:read}', now(), now() + interval '1 day')",
            NOBODY,
        )
        await listening.until_forgotten(NOBODY)

        after = await listening.load(NOBODY)
        assert before is None
        assert after is not None

    async def test_a_lost_connection_is_replaced_and_nothing_read_before_is_trusted(
        self, listening: Listening, store: Store, pool: Pool, published: Published
    ) -> None:
        _, state = await a_token(store)
        await listening.load(state.jti)
        published.states.clear()

        listening.is_listening.clear()
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("LOCK TABLE tokens")
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await connection.execute("UPDATE tokens SET revoked_at = now()")
        await heard(listening)

        assert listening.known(state.jti) is None
        [told] = [told for told in published.states if told.jti == state.jti]
        assert told.version > state.version

    async def test_a_change_made_while_nobody_listened_is_told_to_redis_at_the_start(
        self, registry: Registry, store: Store, pool: Pool, published: Published
    ) -> None:
        _, state = await a_token(store)
        await pool.execute("UPDATE tokens SET revoked_at = now()")

        await registry.open()
        await heard(registry)

        [told] = published.states
        assert told.version > state.version
        assert told.revoked_at is not None

    async def test_it_begins_to_listen_when_the_database_comes(
        self, registry: Registry, way: Away, pool: Pool, store: Store
    ) -> None:
        way.pool = None
        await registry.open()
        await asyncio.sleep(0)

        way.pool = pool

        await heard(registry)

    async def test_it_leaves_no_connection_listening(self, listening: Listening, pool: Pool) -> None:
        await listening.close()

        async with pool.acquire() as connection:
            assert await connection.fetch("SELECT pg_listening_channels()") == []
        await asyncio.wait_for(pool.close(), 10)


class TestSeveralWorkers:
    """Two workers and a command, which share a Valkey and a PostgreSQL; the workers do not listen."""

    @pytest_asyncio.fixture
    async def limiter(self, valkey: redis.Redis, valkey_url: str, clock: HandClock) -> AsyncIterator[Limiter]:
        link = await Link.open(valkey_url, 5.0)
        yield Limiter(link, RateLimitSettings(), 1, clock)
        await link.close()

    async def test_a_revocation_holds_at_the_next_request_of_every_worker(
        self, limiter: Limiter, way: Away, clock: HandClock, store: Store
    ) -> None:
        async def publish(jti: str, version: int, packed: bytes) -> None:
            await limiter.publish_state(jti, version, packed, STATE_SECONDS)

        workers = [Registry(way, publish, clock) for _ in range(2)]
        token, issued = await a_token(store)
        first = [await self.seen(worker, limiter, token.jti) for worker in workers]

        _, [revoked] = await store.revoke_token(token.jti)
        await publish(revoked.jti, revoked.version, revoked.pack())

        assert first == [issued, issued]
        assert [await self.seen(worker, limiter, token.jti) for worker in workers] == [revoked, revoked]
        for worker in workers:
            await worker.close()

    async def seen(self, worker: Registry, limiter: Limiter, jti: str) -> TokenState | None:
        """What a request is judged by, as the pipeline does it."""
        async with asyncio.timeout(10):
            while True:
                state = worker.known(jti)
                look = await limiter.look_at_token(jti, state.version if state else 0, ())
                if look.is_current:
                    return state
                if look.state is not None:
                    worker.remember(TokenState.unpack(look.state))
                elif await worker.load(jti) is None:
                    return None
