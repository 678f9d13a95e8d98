"""The cache of answers: ready-made bytes, sealed in Redis, opened once a worker, filled by one caller of all workers.

A worker keeps what it has opened and lets Redis confirm at each use, in the reply that carries everything else, that
this is still what is stored: neither transported nor deciphered again.
"""

import asyncio
import struct
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import cast

import structlog

from audit.record import Outcome
from config.clock import Clock
from gateway.sealed import HEAD_BYTES, Broken, Seal
from ratelimit.limiter import heed
from ratelimit.link import UNHEARD, Link, RedisUnavailable, slot_of
from ratelimit.resp import bulk
from ratelimit.scripts import Script

log = structlog.get_logger()

_STORED = b"""
local function stored(key, head, bytes)
  local found = redis.call('GETRANGE', key, 0, tonumber(bytes) - 1)
  if found == '' then return false end
  if found == head then return 1 end
  return redis.call('GET', key)
end
"""
LOOK = Script.of(
    "look_at_answers",
    _STORED
    + b"""
local found = {}
for i, key in ipairs(KEYS) do found[i] = stored(key, ARGV[i + 1], ARGV[1]) end
return found
""",
)
"""For each answer what is stored, or 1 where it is the one the worker holds, or nothing."""
SEEK = Script.of(
    "seek_answer",
    _STORED
    + b"""
local led = redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[3])
return {led and 1 or 0, stored(KEYS[1], ARGV[1], ARGV[2]), redis.call('GET', KEYS[3])}
""",
)
"""The lead, if nobody has it → [1 if won, what LOOK says of it, the failure that was shared if there is one]."""
KEEP = Script.of(
    "keep_answer",
    b"""
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.call('DEL', KEYS[2])
""",
)
"""Stores, then lets go of the lead."""

_LENGTH, _UNKNOWN = bulk(b"%d" % HEAD_BYTES), bulk(b"")
_HEAD = struct.Struct("!HddH")
BESIDES_BYTES = 600
"""What an opened answer takes besides its body, as measured."""
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
    """An answer that a worker has opened. `head` begins what is sealed, `told` is the same for `packed_look`."""

    head: bytes
    told: bytes
    kept: Kept

    @property
    def weight(self) -> int:
        """Bytes of memory that it takes, near enough."""
        return len(self.kept.body) + BESIDES_BYTES


class Look:
    """An answer that is asked for with others (`AnswerCache.packed_look`), and what came of it."""

    __slots__ = ("digest", "held", "kept", "name", "reply")

    def __init__(self, digest: bytes, name: bytes, held: Held | None) -> None:
        """`name` is the one of `packed_name`; `held` what this worker holds."""
        self.digest = digest
        self.name = name
        self.held = held
        self.reply: object = UNHEARD
        self.kept: Kept | None = None


def packed_name(digest: bytes) -> tuple[bytes, int]:
    """Under which an answer is stored, as it goes over the wire; and the slot of that name."""
    key = _key(digest)
    return bulk(key), slot_of(key)


Make = Callable[[], Awaitable[Kept]]
"""Makes an answer, refusals of the provider included; nothing is kept where `expires_at` is not after `filled_at`."""
Enter = Callable[[], Awaitable[None]]
"""Lets a caller in, or raises."""


async def _freely() -> None:
    pass


class AnswerCache:
    """Looks, opens, fills. Redis away: every look is a miss, and nothing is kept."""

    def __init__(self, link: Link, seal: Seal, clock: Clock, local_bytes: int) -> None:
        """`local_bytes` bounds what a worker holds opened."""
        self._link = link
        self._seal = seal
        self._clock = clock
        self._room = local_bytes
        self._opened: OrderedDict[bytes, Held] = OrderedDict()
        self._flights: dict[bytes, asyncio.Future[Kept]] = {}
        self.corrupt = 0

    def look(self, digest: bytes) -> "asyncio.Future[object]":
        """Ask Redis, in the write that carries this turn's other questions."""
        held = self._opened.get(digest)
        return self._link.call(LOOK, (_key(digest),), (HEAD_BYTES, held.head if held else b""))

    def held(self, digest: bytes) -> Held | None:
        """What this worker holds, to be confirmed by Redis."""
        held = self._opened.get(digest)
        if held is not None:
            self._opened.move_to_end(digest)
        return held

    @staticmethod
    def packed_look(looks: "Iterable[Look]") -> bytes:
        """The question of `look` for several answers at once, as it goes over the wire; its reply is a list.

        On a cluster they must be of one slot.
        """
        names, heads = [], [_LENGTH]
        for look in looks:
            names.append(look.name)
            heads.append(_UNKNOWN if look.held is None else look.held.told)
        return LOOK.gathered(names, heads)

    def see(self, look: "Look", reply: object) -> None:
        """Take in what the reply says of one of them."""
        look.reply = reply
        look.kept = look.held.kept if reply == 1 and look.held is not None else self.read(look.digest, reply)

    def read(self, digest: bytes, reply: object) -> Kept | None:
        """What the reply to `look` means, be it in its list of one. A corrupt or lapsed entry is a miss."""
        if reply.__class__ is list:
            (reply,) = cast("list[object]", reply)
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

    async def fill(self, digest: bytes, make: Make, enter: Enter = _freely) -> Kept:
        """The answer that `make` gives, asked once for all who want it now, in whatever worker they are.

        The first who asks makes it; should that one be cancelled, the next does. Nobody is given anything before
        `enter` has let him in; its question and ours leave together.
        """
        if digest in self._flights:
            await enter()
            enter = _freely
        while (flight := self._flights.get(digest)) is not None:
            try:
                return await asyncio.shield(flight)
            except asyncio.CancelledError:
                if not flight.cancelled() or _is_cancelled():
                    raise
        flight = self._flights[digest] = asyncio.get_running_loop().create_future()
        seeking = self._ask_for_lead(digest)
        try:
            await enter()
        except BaseException:
            del self._flights[digest]
            flight.cancel()
            seeking.add_done_callback(partial(self._give_back, digest))
            raise
        try:
            kept = await self._fly(digest, make, seeking)
        except Exception as error:
            flight.set_exception(error)
            flight.exception()  # seen: whoever waits is told, and maybe nobody does
            raise
        except BaseException:
            flight.cancel()
            raise
        else:
            flight.set_result(kept)
            return kept
        finally:
            del self._flights[digest]

    async def close(self) -> None:
        """Wait for the flights under way."""
        if self._flights:
            await asyncio.wait(list(self._flights.values()), timeout=PATIENCE_SECONDS)

    async def _fly(self, digest: bytes, make: Make, seeking: "asyncio.Future[object]") -> Kept:
        try:
            leads, kept = self._sought(digest, await seeking)
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
        self._keep(digest, kept)
        return kept

    async def _follow(self, digest: bytes) -> tuple[bool, Kept | None]:
        """Wait for what another worker brings; nothing where it let go without bringing anything, and we lead."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_SECONDS
        while loop.time() < until:
            await asyncio.sleep(POLL_SECONDS)
            leads, kept = self._sought(digest, await self._ask_for_lead(digest), has_waited=True)
            if leads or kept is not None:
                return leads, kept
        return False, None

    def _ask_for_lead(self, digest: bytes) -> "asyncio.Future[object]":
        """Lead, answer and failure are asked for as one and in this order: whoever led before us kept what it brought
        in the act of letting go."""
        held = self._opened.get(digest)
        names = (_key(digest), _lock(digest), _failed(digest))
        return self._link.call(SEEK, names, (held.head if held else b"", HEAD_BYTES, LEAD_MILLISECONDS))

    def _sought(self, digest: bytes, reply: object, *, has_waited: bool = False) -> tuple[bool, Kept | None]:
        """Whether we lead from now on, and the answer if it is there, or its failure for those who waited for it."""
        won, stored, failure = cast("list[object]", reply)
        kept = self.read(digest, stored)
        if kept is None and has_waited and isinstance(failure, bytes):
            kept = self._unsealed(failure, _failed(digest))
        return won == 1, kept

    def _keep(self, digest: bytes, kept: Kept) -> None:
        """Store, and let go of the lead; whoever has the answer need not wait for it."""
        key, lock = _key(digest), _lock(digest)
        milliseconds = int((kept.expires_at - kept.filled_at) * 1000)
        if milliseconds <= 0:
            key, milliseconds = _failed(digest), FAILURE_MILLISECONDS
        sealed = self._seal.seal(kept.pack(), key)
        self._link.call(KEEP, (key, lock), (sealed, milliseconds)).add_done_callback(partial(self._stored, lock))
        if key == _key(digest):
            self._hold(digest, sealed[:HEAD_BYTES], kept)

    def _stored(self, lock: bytes, storing: "asyncio.Future[object]") -> None:
        error = None if storing.cancelled() else storing.exception()
        if error is not None:
            if not isinstance(error, RedisUnavailable):
                log.error("answer_not_kept", reason=str(error))
            # A full Redis refuses to store, but not to forget.
            self._link.send(lock, b"DEL", lock).add_done_callback(heed)

    def _give_back(self, digest: bytes, seeking: "asyncio.Future[object]") -> None:
        """The lead, where it was won by one who was not let in."""
        if not seeking.cancelled() and seeking.exception() is None and cast("list[object]", seeking.result())[0] == 1:
            lock = _lock(digest)
            self._link.send(lock, b"DEL", lock).add_done_callback(heed)

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
            self._room += former.weight
        self._opened[digest] = Held(head, bulk(head), kept)
        self._room -= self._opened[digest].weight
        while self._room < 0 and self._opened:
            _, dropped = self._opened.popitem(last=False)
            self._room += dropped.weight


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _key(digest: bytes) -> bytes:
    return b"octroi:{c:" + digest + b"}"


def _lock(digest: bytes) -> bytes:
    return b"octroi:{c:" + digest + b"}:lead"


def _failed(digest: bytes) -> bytes:
    return b"octroi:{c:" + digest + b"}:failed"
