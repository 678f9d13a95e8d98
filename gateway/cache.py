"""The cache of answers: ready-made bytes, sealed in Redis, opened once a worker, filled by one caller of all workers.

A worker keeps what it has opened and lets Redis confirm at each use, in the reply that carries everything else, that
this is still what is stored: neither transported nor deciphered again.
"""

import asyncio
import hashlib
import struct
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from audit.record import Outcome
from config.clock import Clock
from gateway.sealed import HEAD_BYTES, Broken, Seal
from ratelimit.limiter import heed
from ratelimit.link import Link, RedisUnavailable
from ratelimit.scripts import Script

log = structlog.get_logger()

_LOOK = b"""
local head = redis.call('GETRANGE', KEYS[1], 0, tonumber(ARGV[2]) - 1)
if head == '' then return false end
if head == ARGV[1] then return 1 end
return redis.call('GET', KEYS[1])
"""
LOOK = Script("look_at_answer", _LOOK, hashlib.sha1(_LOOK, usedforsecurity=False).hexdigest().encode())
"""The stored answer, or 1 where it is the one the worker holds, or nothing."""

_HEAD = struct.Struct("!HddH")
LEAD_MILLISECONDS = 15_000
"""Life of a lead: longer than the longest provider call, so that it lapses only with its holder."""
FAILURE_MILLISECONDS = 1_000
"""A failure is shared with those who waited for it, and with nobody later."""
POLL_SECONDS = 0.02
PATIENCE_SECONDS = 16.0


@dataclass(slots=True)
class Kept:
    """An answer as it is kept. `codes` are the official ones of a kept refusal; times are epoch seconds."""

    status: int
    body: bytes
    filled_at: float
    expires_at: float
    codes: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """What the record calls it."""
        return "granted" if self.status == 200 else "refused" if self.status < 500 else "failed"

    def pack(self) -> bytes:
        """To bytes."""
        codes = ",".join(self.codes).encode()
        return _HEAD.pack(self.status, self.filled_at, self.expires_at, len(codes)) + codes + self.body

    @classmethod
    def unpack(cls, packed: bytes) -> "Kept":
        """From bytes. Raises struct.error where they are too short."""
        status, filled_at, expires_at, length = _HEAD.unpack_from(packed)
        start = _HEAD.size + length
        codes = tuple(code for code in packed[_HEAD.size : start].decode().split(",") if code)
        return cls(status, packed[start:], filled_at, expires_at, codes)


@dataclass(slots=True)
class Held:
    """An answer that a worker has opened. `head` begins what is sealed; `question` asks whether it is still stored."""

    head: bytes
    question: bytes
    kept: Kept


Make = Callable[[], Awaitable[Kept]]
"""Makes an answer, refusals of the provider included; nothing is kept where `expires_at` is not after `filled_at`."""


class AnswerCache:
    """Looks, opens, fills. Redis away: every look is a miss, and nothing is kept."""

    def __init__(self, link: Link, seal: Seal, clock: Clock, local_bytes: int) -> None:
        """`local_bytes` bounds what a worker holds opened."""
        self._link = link
        self._seal = seal
        self._clock = clock
        self._room = local_bytes
        self._opened: OrderedDict[bytes, Held] = OrderedDict()
        self._flights: dict[bytes, asyncio.Task[Kept]] = {}
        self.corrupt = 0

    def look(self, digest: bytes) -> "asyncio.Future[object]":
        """Ask Redis, in the write that carries this turn's other questions."""
        held = self._opened.get(digest)
        return self._link.call(LOOK, (_key(digest),), (held.head if held else b"", HEAD_BYTES))

    def held(self, digest: bytes) -> Held | None:
        """What this worker holds, to be confirmed by Redis: its question brings 1 where it is still stored."""
        held = self._opened.get(digest)
        if held is not None:
            self._opened.move_to_end(digest)
        return held

    @staticmethod
    def packed_look(digest: bytes) -> bytes:
        """The question of `look` for an answer that is not held, as it goes over the wire."""
        return LOOK.packed((_key(digest),), (b"", HEAD_BYTES))

    def read(self, digest: bytes, reply: object) -> Kept | None:
        """What the reply to `look` means. A corrupt or lapsed entry is a miss."""
        if reply == 1:
            held = self._opened.get(digest)
            if held is None:
                return None  # dropped for want of room between question and reply
            self._opened.move_to_end(digest)
            kept = held.kept
        elif isinstance(reply, bytes):
            opened = self._open(digest, reply)
            if opened is None:
                return None
            kept = opened
        else:
            return None
        return kept if kept.expires_at > self._clock() else None

    async def fill(self, digest: bytes, make: Make) -> Kept:
        """The answer that `make` gives, asked once for all who want it now, in whatever worker they are."""
        flight = self.start(digest, make)
        return await asyncio.shield(flight)

    def start(self, digest: bytes, make: Make) -> asyncio.Task[Kept]:
        """The flight towards an answer: this worker's if there is one, else a new one, which may follow another's."""
        flight = self._flights.get(digest)
        if flight is None:
            flight = asyncio.get_running_loop().create_task(self._fly(digest, make))
            self._flights[digest] = flight
            flight.add_done_callback(lambda done: self._land(digest, done))
        return flight

    async def close(self) -> None:
        """Wait for the flights under way."""
        if self._flights:
            await asyncio.wait(list(self._flights.values()), timeout=PATIENCE_SECONDS)

    def _land(self, digest: bytes, flight: asyncio.Task[Kept]) -> None:
        del self._flights[digest]
        if not flight.cancelled():
            flight.exception()  # seen: whoever waited is told, and maybe nobody did

    async def _fly(self, digest: bytes, make: Make) -> Kept:
        try:
            leads, kept = await self._seek(digest)
            if kept is None and not leads:
                leads, kept = await self._follow(digest)
        except RedisUnavailable:
            return await make()
        if kept is not None:
            if leads:
                await self._let_go(digest)
            return kept
        try:
            kept = await make()
        except BaseException:
            await self._let_go(digest)
            raise
        await self._keep(digest, kept)
        return kept

    async def _follow(self, digest: bytes) -> tuple[bool, Kept | None]:
        """Wait for what another worker brings; nothing where it let go without bringing anything, and we lead."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_SECONDS
        while loop.time() < until:
            await asyncio.sleep(POLL_SECONDS)
            leads, kept = await self._seek(digest, has_waited=True)
            if leads or kept is not None:
                return leads, kept
        return False, None

    async def _seek(self, digest: bytes, *, has_waited: bool = False) -> tuple[bool, Kept | None]:
        """Whether we lead from now on, and the answer if it is there, or its failure for those who waited for it.

        Asked in one write and in this order: whoever led before us kept what it brought before letting go.
        """
        lock, failed = _lock(digest), _failed(digest)
        winning = self._link.send(lock, b"SET", lock, b"1", b"NX", b"PX", LEAD_MILLISECONDS)
        looking = self.look(digest)
        failing = self._link.send(failed, b"GET", failed) if has_waited else None
        won = await winning
        kept = self.read(digest, await looking)
        failure = await failing if failing is not None else None
        if kept is None and isinstance(failure, bytes):
            kept = self._unsealed(failure, failed)
        return won is not None, kept

    async def _keep(self, digest: bytes, kept: Kept) -> None:
        key, lock = _key(digest), _lock(digest)
        milliseconds = int((kept.expires_at - kept.filled_at) * 1000)
        if milliseconds <= 0:
            key, milliseconds = _failed(digest), FAILURE_MILLISECONDS
        sealed = self._seal.seal(kept.pack(), key)
        keeping = self._link.send(key, b"SET", key, sealed, b"PX", milliseconds)
        self._link.send(lock, b"DEL", lock).add_done_callback(heed)
        try:
            await keeping
        except RedisUnavailable:
            return
        if key == _key(digest):
            self._hold(digest, sealed[:HEAD_BYTES], kept)

    async def _let_go(self, digest: bytes) -> None:
        lock = _lock(digest)
        try:
            await self._link.send(lock, b"DEL", lock)
        except RedisUnavailable:
            log.warning("cache_lead_left_to_lapse")

    def _open(self, digest: bytes, sealed: bytes) -> Kept | None:
        kept = self._unsealed(sealed, _key(digest))
        if kept is not None:
            self._hold(digest, sealed[:HEAD_BYTES], kept)
        return kept

    def _unsealed(self, sealed: bytes, name: bytes) -> Kept | None:
        try:
            return Kept.unpack(self._seal.open(sealed, name))
        except (Broken, struct.error, UnicodeDecodeError):
            self.corrupt += 1
            log.warning("cache_entry_corrupt")
            return None

    def _hold(self, digest: bytes, head: bytes, kept: Kept) -> None:
        former = self._opened.pop(digest, None)
        if former is not None:
            self._room += len(former.kept.body)
        self._opened[digest] = Held(head, LOOK.packed((_key(digest),), (head, HEAD_BYTES)), kept)
        self._room -= len(kept.body)
        while self._room < 0 and self._opened:
            _, dropped = self._opened.popitem(last=False)
            self._room += len(dropped.kept.body)


def _key(digest: bytes) -> bytes:
    return b"octroi:{c:" + digest + b"}"


def _lock(digest: bytes) -> bytes:
    return b"octroi:{c:" + digest + b"}:lead"


def _failed(digest: bytes) -> bytes:
    return b"octroi:{c:" + digest + b"}:failed"
