"""The bans in PostgreSQL: one connection that writes them, reads them, and hears of those that others write."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import structlog

from ratelimit.address import block_of
from ratelimit.ban import Ban
from ratelimit.schema import CHANNEL, FORGET, INSERT, SELECT_ACTIVE

if TYPE_CHECKING:
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    PoolConnection: TypeAlias = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
else:  # asyncpg's classes take no parameter at run time
    Pool = asyncpg.Pool
    PoolConnection = asyncpg.pool.PoolConnectionProxy

PATIENCE_SECONDS = 2.0
"""Longest exchange with PostgreSQL; nobody waits for it but the next exchange."""
OUTAGES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

log = structlog.get_logger(__name__)


class TableUnavailable(Exception):
    """PostgreSQL did not take or give the bans."""


class BanTable:
    """Holds a connection of the pool for as long as it lives, because only a connection can listen."""

    def __init__(self, pool: Pool, heard: Callable[[Ban], None]) -> None:
        """`heard` is told of each ban that anybody writes, ourselves included."""
        self._pool = pool
        self._heard = heard
        self._connection: PoolConnection | None = None

    async def exchange(self, unsaved: Sequence[Ban], now: float) -> list[Ban]:
        """Write those bans, and read all that hold. A ban that meets an older one is not written.

        Raises TableUnavailable.
        """
        is_new = self._connection is None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._exchange(unsaved, now)
        except OUTAGES as error:
            await self._let_go(is_sound=False)
            if is_new or isinstance(error, TimeoutError):
                raise TableUnavailable(f"{type(error).__name__}: {error}") from error
        return await self.exchange(unsaved, now)  # the connection had ended since; a new one may do

    async def _exchange(self, unsaved: Sequence[Ban], now: float) -> list[Ban]:
        connection = await self._listening()
        if unsaved:
            rows = [(ban.ip_block, ban.reason, ban.banned_at, ban.until) for ban in unsaved]
            await connection.executemany(INSERT, rows)
        return [_ban(dict(row)) for row in await connection.fetch(SELECT_ACTIVE, now)]

    async def forget(self, now: float, months: int) -> int:
        """Delete what ended more than so many months ago; gives the number. Raises TableUnavailable."""
        try:
            done = await self._pool.execute(FORGET, now, months, timeout=PATIENCE_SECONDS)
        except OUTAGES as error:
            raise TableUnavailable(f"{type(error).__name__}: {error}") from error
        return int(done.rpartition(" ")[2])

    async def close(self) -> None:
        """Stop listening."""
        await self._let_go(is_sound=True)

    async def _listening(self) -> PoolConnection:
        if self._connection is not None and _is_closed(self._connection):
            await self._let_go(is_sound=False)
        if self._connection is None:
            connection: PoolConnection = await self._pool.acquire()
            self._connection = connection
            await connection.add_listener(CHANNEL, self._hear)
        return self._connection

    async def _let_go(self, *, is_sound: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with suppress(*OUTAGES):
            if is_sound and not _is_closed(connection):
                await connection.remove_listener(CHANNEL, self._hear)
            else:
                connection.terminate()
        with suppress(*OUTAGES):
            await self._pool.release(connection, timeout=PATIENCE_SECONDS)

    def _hear(self, connection: object, pid: int, channel: str, payload: object) -> None:
        del connection, pid, channel
        try:
            self._heard(_ban(json.loads(str(payload))))
        except (ValueError, LookupError, TypeError):  # anybody may notify; the next exchange tells the truth
            log.warning("ban_announcement_unreadable")


def _is_closed(connection: PoolConnection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the pool has taken it back, because the server ended it
        return True


def _ban(told: Mapping[str, Any]) -> Ban:
    return Ban(block_of(told["ip"]), told["reason"], told["banned_at_ms"] / 1000, told["until_ms"] / 1000)
