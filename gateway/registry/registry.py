"""A worker's memory of the registry.

What it remembers of a token is good as long as its version is the one Redis tells in the reply that each request waits
for anyway: a change holds at the next request of every worker. PostgreSQL announces changes too, so that they are
heard where Redis is away, or where somebody changed a row by hand.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog

from config.clock import Clock
from gateway.database import Pool, within
from gateway.registry.state import TokenState
from gateway.registry.store import CHANNEL, Store

log = structlog.get_logger(__name__)

Publish = Callable[[str, int, bytes], Awaitable[None]]
"""Tells Redis a state (jti, version, packed), which keeps it if it is the newest."""

ABSENT_SECONDS = 5.0
"""How long a token that the registry does not have is taken for absent, without asking again."""

LOAD_SECONDS = 3.0
"""Longest wait for PostgreSQL on behalf of a request."""

STATE_SECONDS = 86400
"""How long Redis keeps a state, hence how far back a worker looks for changes nobody may have told Redis."""

OVERLAP_SECONDS = 900
"""How far back it looks after a silence: longer than a transaction that numbered its change before committing it."""

CATCH_UP_LIMIT = 10_000
AT_ONCE = 500
PULSE_SECONDS = 20.0
"""Pause between two proofs that the connection which hears the announcements is alive."""

SHORTEST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0

_AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class RegistryUnavailable(Exception):
    """PostgreSQL is away and nothing is known of the token: it can neither be accepted nor called invalid."""


@dataclass(slots=True)
class Flight:
    """A load under way, which all who ask for the token wait for."""

    task: asyncio.Task[TokenState | None]
    is_stale: bool = False
    """Whether the token changed since it was read."""


class Registry:
    """Known tokens, each at one version. Made in the event loop; `open` begins to listen, `close` ends."""

    def __init__(
        self,
        pool: Callable[[], Pool | None],
        publish: Publish,
        clock: Clock,
        *,
        retract: Callable[[str], None] = lambda jti: None,
        capacity: int = 131_072,
    ) -> None:
        """`pool` gives the database, or None while it has not been reached; `retract` makes Redis forget a token."""
        self._pool = pool
        self._publish = publish
        self._retract = retract
        self._clock = clock
        self._capacity = capacity
        self._known: OrderedDict[str, TokenState] = OrderedDict()
        self._absent: OrderedDict[str, float] = OrderedDict()
        self._flights: dict[str, Flight] = {}
        self._corrections: dict[str, asyncio.Task[None]] = {}
        self._listener: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._heard_until = clock() - STATE_SECONDS
        self.is_listening = asyncio.Event()

    async def open(self) -> None:
        """Begin to listen; a database that is away is no error: the registry keeps trying."""
        self._listener = asyncio.create_task(self._listen(), name="registry-listener")

    async def close(self) -> None:
        """Stop listening, and let no load outlive the database."""
        tasks: list[asyncio.Task[Any]] = [flight.task for flight in self._flights.values()]
        tasks += self._corrections.values()
        tasks += [self._listener] if self._listener is not None else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def known(self, jti: str) -> TokenState | None:
        """What is remembered; None says nothing but that it must be loaded."""
        state = self._known.get(jti)
        if state is not None:
            self._known.move_to_end(jti)
        return state

    def is_known(self, state: TokenState) -> bool:
        """Whether that is what is remembered, without a trace of having been asked."""
        return self._known.get(state.jti) is state

    def remember(self, state: TokenState) -> TokenState:
        """Keep what Redis says, unless something newer is known, which Redis is then told; returns the newest."""
        newest = self._keep(state)
        if newest.version > state.version and state.jti not in self._corrections:
            task = self._corrections[state.jti] = asyncio.create_task(self._tell(newest))
            task.add_done_callback(lambda _: self._corrections.pop(state.jti, None))
        return newest

    async def load(self, jti: str) -> TokenState | None:
        """Read a token in PostgreSQL and tell Redis of it; None if the registry has none.

        Raises RegistryUnavailable where PostgreSQL is away, unless the token is known.
        """
        if self._absent.get(jti, 0.0) > self._clock():
            return None
        flight = self._flights.get(jti)
        if flight is None:
            flight = self._flights[jti] = Flight(asyncio.create_task(self._load(jti)))
            flight.task.add_done_callback(_retrieve)
        return await asyncio.shield(flight.task)

    def forget(self, jti: str) -> None:
        """The token changed: nothing that was read before now may be used."""
        self._known.pop(jti, None)
        self._absent.pop(jti, None)
        flight = self._flights.get(jti)
        if flight is not None:
            flight.is_stale = True

    async def _load(self, jti: str) -> TokenState | None:
        try:
            state = await self._read(jti)
        except _AWAY as error:
            state = self._known.get(jti)
            if state is None:
                raise RegistryUnavailable(jti) from error
            log.warning("registry_unavailable", known=True, error=repr(error))
        finally:
            del self._flights[jti]
        if state is None:
            self._absent[jti] = self._clock() + ABSENT_SECONDS
            _trim(self._absent, self._capacity)
            return None
        state = self._keep(state)
        await self._tell(state)
        return state

    async def _read(self, jti: str) -> TokenState | None:
        pool = self._pool()
        if pool is None:
            raise ConnectionError("not connected yet")
        store = Store(pool, self._clock)
        flight = self._flights[jti]

        async def read() -> TokenState | None:
            while True:
                flight.is_stale = False
                state = await store.load_state(jti)
                if not flight.is_stale:
                    return state

        return await within(LOAD_SECONDS, read())

    async def _tell(self, state: TokenState) -> None:
        try:
            await self._publish(state.jti, state.version, state.pack())
        except Exception as error:
            # Redis away: the state stands, and whoever loads the token next tells it again.
            log.warning("registry_state_not_published", jti=state.jti, error=repr(error))

    def _keep(self, state: TokenState) -> TokenState:
        """Keep it if it is the newest; returns the newest."""
        held = self._known.get(state.jti)
        if held is not None and held.version >= state.version:
            return held
        self._absent.pop(state.jti, None)
        self._known[state.jti] = state
        self._known.move_to_end(state.jti)
        _trim(self._known, self._capacity)
        return state

    async def _listen(self) -> None:
        """Hear the announcements, for ever; connect again after each loss, ever more slowly."""
        pause = SHORTEST_PAUSE_SECONDS
        while True:
            try:
                await self._hear()
            except Exception as error:
                # Whatever it is, a worker that stops listening for good would be worse.
                log.warning("registry_not_listening", error=repr(error))
            pause = SHORTEST_PAUSE_SECONDS if self.is_listening.is_set() else min(2 * pause, LONGEST_PAUSE_SECONDS)
            self.is_listening.clear()
            await asyncio.sleep(pause)

    async def _hear(self) -> None:
        """One connection's life, from the first announcement to its loss."""
        pool = self._pool()
        if pool is None:
            raise ConnectionError("not connected yet")
        self._lost.clear()
        async with pool.acquire() as connection:
            connection.add_termination_listener(self._lose)
            await connection.add_listener(CHANNEL, self._announced)
            try:
                await self._catch_up(pool)
                self.is_listening.set()
                while not await self._is_lost():
                    await connection.fetchval("SELECT 1", timeout=PULSE_SECONDS)
                    self._heard_until = self._clock()
            finally:
                connection.remove_termination_listener(self._lose)
                if not connection.is_closed():
                    await connection.remove_listener(CHANNEL, self._announced)

    async def _is_lost(self) -> bool:
        """Whether the connection is lost before the next pulse."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._lost.wait(), PULSE_SECONDS)
        return self._lost.is_set()

    async def _catch_up(self, pool: Pool) -> None:
        """Make up for what was announced to nobody: forget what is known, and tell Redis what changed."""
        for jti in [*self._known, *self._absent, *self._flights]:
            self.forget(jti)
        since = self._heard_until - OVERLAP_SECONDS
        states = await Store(pool, self._clock).states_changed_since(since, limit=CATCH_UP_LIMIT)
        for start in range(0, len(states), AT_ONCE):
            await asyncio.gather(*map(self._tell, states[start : start + AT_ONCE]))
        self._heard_until = self._clock()

    def _announced(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        """Whoever made the change may not have told Redis: what it holds is read anew by whoever asks next."""
        self.forget(str(payload))
        self._retract(str(payload))

    def _lose(self, _connection: object) -> None:
        self._lost.set()


def _trim(memory: "OrderedDict[str, Any]", capacity: int) -> None:
    """Forget what was used least recently."""
    while len(memory) > capacity:
        memory.popitem(last=False)


def _retrieve(task: "asyncio.Task[TokenState | None]") -> None:
    """Look at a failure nobody may be waiting for any more."""
    if not task.cancelled():
        task.exception()
