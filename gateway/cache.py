"""The cache of answers: ready-made bytes, sealed in Redis, opened once a worker, filled by one caller of all workers.

A worker keeps what it has opened and lets Redis confirm at each use, in the reply that carries everything else, that
this is still what is stored: neither transported nor deciphered again.
"""

import asyncio
import struct
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog

from audit.record import Outcome
from config.clock import Clock
from gateway.sealed import HEAD_BYTES, Broken, Seal
from ratelimit.link import AGAIN, UNHEARD, Link, Question, RedisUnavailable, slot_of
from ratelimit.resp import Word, pack

log = structlog.get_logger()

_HEAD = struct.Struct("!HddH")
BESIDES_BYTES = 600
"""What an opened answer takes besides its body, as measured."""
LEAD_MILLISECONDS = 15_000
"""Life of a lead: longer than the longest provider call, so that it lapses only with its holder."""
FAILURE_MILLISECONDS = 1_000
"""A failure is shared with those who waited for it, and with nobody later."""
POLL_SECONDS = 0.02
PATIENCE_SECONDS = 16.0
_WON = b"OK"
"""What Redis says to whoever takes the lead."""


@dataclass(slots=True)
class Kept:
    """An answer as it is kept. `codes` are the official ones of a kept refusal; times are epoch seconds."""

    status: int
    body: bytes
    filled_at: float
    expires_at: float
    codes: tuple[str, ...] = ()
    members: bytes = b""
    """What records say of it when it is found kept; written down when it first is."""

    @property
    def is_lasting(self) -> bool:
        """Whether it is kept for who comes later."""
        return self.expires_at > self.filled_at

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
    """An answer that a worker has opened. `head` begins what is sealed, as no other answer does."""

    head: bytes
    kept: Kept

    @property
    def weight(self) -> int:
        """Bytes of memory that it takes, near enough."""
        return len(self.kept.body) + BESIDES_BYTES


class Name:
    """Under which an answer is stored: the two questions about it, as they go over the wire, and its slot."""

    __slots__ = ("_key", "_slot", "head", "whole")

    def __init__(self, digest: bytes) -> None:
        """Of the answer's digest."""
        self._key = _key(digest)
        self._slot = -1
        self.whole = pack((b"GET", self._key))
        self.head = pack(_head_of(self._key))

    @property
    def slot(self) -> int:
        """Of a cluster, where it is asked for at each call."""
        if self._slot < 0:
            self._slot = slot_of(self._key)
        return self._slot


class Look:
    """An answer that is asked for with others, and what came of it."""

    __slots__ = ("digest", "held", "kept", "question", "reply")

    def __init__(self, digest: bytes, name: Name, held: Held | None) -> None:
        """`held` is what this worker holds, to be confirmed by Redis."""
        self.digest = digest
        self.held = held
        self.question = name.whole if held is None else name.head
        self.reply: object = UNHEARD
        self.kept: Kept | None = None


Make = Callable[[], Awaitable[Kept]]
"""Makes an answer, refusals of the provider included; nothing is kept where `expires_at` is not after `filled_at`."""


class Gate(Protocol):
    """What a caller must pass before he is given anything."""

    question: Question
    """For Redis."""

    def enter(self, reply: object) -> None:
        """Pass, or raise."""


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
        """Ask Redis, in the write that carries this turn's other questions: for `find`."""
        key = _key(digest)
        return self._link.send(key, *self._question(digest, key))

    def _question(self, digest: bytes, key: bytes) -> tuple[Word, ...]:
        return _head_of(key) if digest in self._opened else (b"GET", key)

    async def find(self, digest: bytes, looked: Awaitable[object]) -> Kept | None:
        """The answer, by what `look` brings. A corrupt or lapsed entry is a miss. Raises RedisUnavailable."""
        kept, is_settled = self._read(digest, await looked)
        if not is_settled:
            kept, _ = self._read(digest, await self.look(digest))
        return kept

    def held(self, digest: bytes) -> Held | None:
        """What this worker holds, to be confirmed by Redis."""
        held = self._opened.get(digest)
        if held is not None:
            self._opened.move_to_end(digest)
        return held

    def see(self, look: "Look", reply: object) -> None:
        """Take in what the reply says of an answer asked for with others."""
        held = look.held
        if held is not None and reply == held.head:
            look.reply, look.kept = reply, held.kept
        else:
            look.kept, is_settled = self._read(look.digest, reply)
            look.reply = reply if is_settled else AGAIN

    def _read(self, digest: bytes, reply: object) -> tuple[Kept | None, bool]:
        """What is stored, as far as the reply tells; and whether that is all, or must be asked again."""
        if not reply or not isinstance(reply, bytes):
            return None, True
        held = self._opened.get(digest)
        if held is not None and reply[:HEAD_BYTES] == held.head:
            self._opened.move_to_end(digest)
            kept: Kept | None = held.kept
        elif len(reply) > HEAD_BYTES:
            kept = self._open(digest, reply)
        else:  # it is another one than was held, or that was dropped between question and reply
            self._drop(digest)
            return None, False
        return (kept if kept is not None and kept.expires_at > self._clock() else None), True

    async def fill(self, digest: bytes, make: Make, gate: Gate | None = None) -> Kept:
        """The answer that `make` gives, asked once for all who want it now, in whatever worker they are.

        The first who asks makes it; should that one be cancelled, the next does. Nobody is given anything before the
        gate has let him in; its question and ours leave together.
        """
        if gate is not None and digest in self._flights:
            gate.enter(*await self._link.together(gate.question))
            gate = None
        while (flight := self._flights.get(digest)) is not None:
            try:
                return await asyncio.shield(flight)
            except asyncio.CancelledError:
                if not flight.cancelled() or _is_cancelled():
                    raise
        flight = self._flights[digest] = asyncio.get_running_loop().create_future()
        seeking = self._link.together(*self._for_lead(digest), *(() if gate is None else (gate.question,)))
        try:
            sought = await asyncio.shield(seeking)  # should we be cancelled, it still tells whether we lead
            if gate is not None:
                gate.enter(sought[-1])
        except BaseException:
            del self._flights[digest]
            flight.cancel()
            seeking.add_done_callback(partial(self._give_back, digest))
            raise
        try:
            kept = await self._fly(digest, make, sought)
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

    async def _fly(self, digest: bytes, make: Make, sought: Sequence[object]) -> Kept:
        if not _is_heard(sought):
            return await make()
        leads, kept = await self._found(digest, sought)
        if kept is None and not leads:
            leads, kept = await self._follow(digest)
        if kept is not None:
            if leads:
                self._let_go(digest)
            return kept
        try:
            kept = await make()
        except BaseException:
            self._let_go(digest)
            raise
        self._keep(digest, kept)
        return kept

    async def _follow(self, digest: bytes) -> tuple[bool, Kept | None]:
        """Wait for what another worker brings, be it a failure; nothing where it let go without bringing anything, and
        we lead, or where Redis is away by now."""
        loop, failed = asyncio.get_running_loop(), _failed(digest)
        until = loop.time() + PATIENCE_SECONDS
        while loop.time() < until:
            await asyncio.sleep(POLL_SECONDS)
            *sought, failure = await self._link.together(*self._for_lead(digest), (failed, (b"GET", failed)))
            if not _is_heard(sought):
                break
            leads, kept = await self._found(digest, sought)
            if kept is None and isinstance(failure, bytes):
                kept = self._unsealed(failure, failed)
            if leads or kept is not None:
                return leads, kept
        return False, None

    def _for_lead(self, digest: bytes) -> tuple[Question, Question]:
        """The lead, if nobody has it, then the answer: whoever led before us kept what it brought before letting go."""
        key, lead = _key(digest), _lock(digest)
        leading = (b"SET", lead, b"1", b"NX", b"PX", LEAD_MILLISECONDS)
        return (lead, leading), (key, self._question(digest, key))

    async def _found(self, digest: bytes, sought: Sequence[object]) -> tuple[bool, Kept | None]:
        """Whether we lead from now on, and the answer if it is there."""
        kept, is_settled = self._read(digest, sought[1])
        if not is_settled:
            with suppress(RedisUnavailable):
                kept = await self.find(digest, self.look(digest))
        return sought[0] == _WON, kept

    def _keep(self, digest: bytes, kept: Kept) -> None:
        """Store, then let go of the lead; whoever has the answer need not wait for it."""
        key, lead, milliseconds = _failed(digest), _lock(digest), FAILURE_MILLISECONDS
        if kept.is_lasting:
            key, milliseconds = _key(digest), max(1, int((kept.expires_at - kept.filled_at) * 1000))
        sealed = self._seal.seal(kept.pack(), key)
        self._link.tell(
            (key, (b"SET", key, sealed, b"PX", milliseconds)),
            (lead, (b"DEL", lead)),  # which a full Redis does, though it refuses to store
        )
        if kept.is_lasting:
            self._hold(digest, sealed[:HEAD_BYTES], kept)

    def _give_back(self, digest: bytes, seeking: "asyncio.Future[list[object]]") -> None:
        """The lead, where it was won by one who went away or was not let in."""
        if not seeking.cancelled() and seeking.result()[0] == _WON:
            self._let_go(digest)

    def _let_go(self, digest: bytes) -> None:
        """Of the lead; unheard, it lapses by itself."""
        lead = _lock(digest)
        self._link.tell((lead, (b"DEL", lead)))

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
        self._drop(digest)
        held = self._opened[digest] = Held(head, kept)
        self._room -= held.weight
        while self._room < 0 and self._opened:
            _, dropped = self._opened.popitem(last=False)
            self._room += dropped.weight

    def _drop(self, digest: bytes) -> None:
        former = self._opened.pop(digest, None)
        if former is not None:
            self._room += former.weight


def _is_heard(sought: Sequence[object]) -> bool:
    """Whether Redis said who leads."""
    return sought[0] is None or sought[0] == _WON


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _key(digest: bytes) -> bytes:
    return b"octroi:{c:" + digest + b"}"


def _head_of(key: bytes) -> tuple[Word, ...]:
    return b"GETRANGE", key, 0, HEAD_BYTES - 1


def _lock(digest: bytes) -> bytes:
    return b"octroi:{c:" + digest + b"}:lead"


def _failed(digest: bytes) -> bytes:
    return b"octroi:{c:" + digest + b"}:failed"
