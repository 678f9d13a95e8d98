"""The bans in force: in memory of every worker, in PostgreSQL for good, in Redis for all who ask there.

PostgreSQL has the last word, and is written first; Redis is refilled from it. Either may be away: the bans go on in the
other and in memory, and are written where they are missing when it is back. There is no way to lift one.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import cast

import structlog

from config.clock import Clock
from ratelimit import keys
from ratelimit.address import block_of
from ratelimit.ban import Ban
from ratelimit.link import Link, RedisUnavailable
from ratelimit.resp import Word
from ratelimit.table import BanTable, Pool, TableUnavailable

__all__ = ["Ban", "Bans", "block_of"]

RESYNC_SECONDS = 2.0
"""Longest time for which a worker may be unaware of a ban that PostgreSQL or Redis holds."""

log = structlog.get_logger(__name__)


class Bans:
    """Made by `open`, ended by `close`; both before the pool and the link that it was given."""

    def __init__(self, link: Link, pool: Pool, clock: Clock) -> None:
        """Knows no ban yet: see `open`."""
        self._link = link
        self._clock = clock
        self._table = BanTable(pool, self._learn)
        self._active: dict[str, Ban] = {}
        self._unsaved: dict[str, Ban] = {}
        self._overruled: set[str] = set()
        self._callbacks: list[Callable[[Ban], None]] = []
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None
        self._has_table = True

    @classmethod
    async def open(cls, link: Link, pool: Pool, clock: Clock) -> "Bans":
        """The bans in force, kept up to date from now on; also when PostgreSQL or Redis cannot be reached."""
        bans = cls(link, pool, clock)
        await bans.synchronise()
        bans._keeper = asyncio.create_task(bans._keep(), name="bans")
        return bans

    async def close(self) -> None:
        """Write what is not written yet, and let go of the connection, for which the pool would wait."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        if self._unsaved:
            await self.synchronise()
        await self._table.close()

    def is_banned(self, ip_block: str) -> Ban | None:
        """The ban of a block, if it holds; costs a look into a dictionary."""
        ban = self._active.get(ip_block)
        if ban is None or ban.is_active(self._clock()):
            return ban
        del self._active[ip_block]
        return None

    def get(self, address: str) -> Ban | None:
        """The ban that holds for that address."""
        return self.is_banned(block_of(address))

    def list_active(self) -> list[Ban]:
        """Every ban in force, oldest first."""
        now = self._clock()
        return sorted((ban for ban in self._active.values() if ban.is_active(now)), key=lambda ban: ban.banned_at)

    def on_ban(self, callback: Callable[[Ban], None]) -> None:
        """Call that for each ban that this worker learns of, once, to close the connections it ends."""
        self._callbacks.append(callback)

    async def impose(self, ban: Ban) -> None:
        """Make a ban known: to this worker at once, to the others within moments.

        A block that is banned already stays so until the end of its first ban. Waits for nothing: who is banned is
        owed no answer, and who imposed the ban has other callers.
        """
        if self.is_banned(ban.ip_block) is not None or not ban.is_active(self._clock()):
            return
        log.warning("ip_banned", ip_block=ban.ip_block, reason=ban.reason, until=ban.until)
        self._unsaved[ban.ip_block] = ban
        self._wake.set()
        self._learn(ban)

    async def synchronise(self) -> None:
        """Compare memory, PostgreSQL and Redis, and write each ban where it is missing."""
        async with self._turn:
            await self._with_table()
            await self._with_redis()
            now = self._clock()
            for ban in [ban for ban in self._active.values() if not ban.is_active(now)]:
                del self._active[ban.ip_block]

    async def forget(self, months: int) -> None:
        """Have PostgreSQL forget what ended more than so many months ago: an address is that of somebody."""
        try:
            forgotten = await self._table.forget(self._clock(), months)
        except TableUnavailable as error:
            log.warning("bans_not_forgotten", reason=str(error))
        else:
            log.info("bans_forgotten", count=forgotten)

    async def _keep(self) -> None:
        while True:
            with suppress(TimeoutError):  # it is time
                async with asyncio.timeout(RESYNC_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self.synchronise()
            except Exception:  # a defect must not end what keeps the bans: it is told, and the next turn tries again
                log.exception("bans_defect")

    def _learn(self, ban: Ban) -> None:
        """Take a ban as PostgreSQL has it, or as it was just imposed."""
        is_news = self.is_banned(ban.ip_block) is None
        if not ban.is_active(self._clock()):
            return
        self._active[ban.ip_block] = ban
        if is_news:
            for callback in self._callbacks:
                callback(ban)

    async def _with_table(self) -> None:
        unsaved = list(self._unsaved.values())
        try:
            listed = {ban.ip_block: ban for ban in await self._table.exchange(unsaved, self._clock())}
        except TableUnavailable as error:
            if self._has_table:
                log.warning("bans_table_unavailable", reason=str(error))
            self._has_table = False
            return
        self._has_table = True
        for ban in unsaved:
            del self._unsaved[ban.ip_block]
            if ban.ip_block not in listed:  # it has ended, or met one that has: that one was the ban
                self._active.pop(ban.ip_block, None)
                self._overruled.add(ban.ip_block)
        for ban in listed.values():
            self._learn(ban)
        now = self._clock()
        missing = {block: ban for block, ban in self._active.items() if block not in listed and ban.is_active(now)}
        if missing:  # imposed during the exchange, or taken from the table by somebody: nothing lifts a ban
            self._unsaved.update(missing)
            self._wake.set()

    async def _with_redis(self) -> None:
        try:
            fields = cast(list[bytes], await self._link.send(keys.BAN_INDEX, b"HGETALL", keys.BAN_INDEX))
            stored = dict(zip(fields[::2], fields[1::2], strict=True))
            self._adopt(stored)
            await asyncio.gather(*(self._link.send(key, *command) for key, command in self._corrections(stored)))
            self._overruled.clear()
        except RedisUnavailable:
            return  # the link has said so; the next turn tries again

    def _adopt(self, stored: dict[bytes, bytes]) -> None:
        """Take the bans that only Redis has, from a worker that could not write them elsewhere."""
        now = self._clock()
        for field, value in stored.items():
            ban = _read(field, value)
            if ban is None or not ban.is_active(now) or ban.ip_block in self._overruled:
                continue
            if self.is_banned(ban.ip_block) is None:
                self._unsaved[ban.ip_block] = ban
                self._wake.set()
                self._learn(ban)

    def _corrections(self, stored: dict[bytes, bytes]) -> Iterator[tuple[bytes, tuple[Word, ...]]]:
        """What brings Redis in line with memory, by key; while no table rules, what came first to Redis stays."""
        now = self._clock()
        overruled = self._overruled - self._active.keys()
        for block in overruled:
            yield keys.ban(block), (b"DEL", keys.ban(block))
        for field, value in stored.items():
            ban = _read(field, value)
            if ban is None or not ban.is_active(now) or ban.ip_block in overruled:
                yield keys.BAN_INDEX, (b"HDEL", keys.BAN_INDEX, field)
        for block, ban in self._active.items():
            field, value, name = block.encode(), ban.stored(), keys.ban(block)
            if stored.get(field) == value or (field in stored and not self._has_table) or not ban.is_active(now):
                continue
            only_if_absent = () if self._has_table else (b"NX",)
            yield name, (b"SET", name, value, b"PXAT", round(ban.until * 1000), *only_if_absent)
            yield keys.BAN_INDEX, (b"HSET", keys.BAN_INDEX, field, value)


def _read(field: bytes, value: bytes) -> Ban | None:
    """None of what no worker writes: it is swept away."""
    try:
        ban = Ban.read(field.decode(), value)
    except ValueError:
        return None
    return ban if block_of(ban.ip_block.removesuffix("/64")) == ban.ip_block else None
