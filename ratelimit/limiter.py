"""Quotas: how many calls were made, by whom, in the running minute, and what the caller is told of it (behaviours §5).

Each question leaves when the method is called, not when its answer is awaited: those asked in one turn of the event
loop travel together. Nothing here fails for want of Redis: the process counts for itself then, and says so.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, cast

from config.clock import Clock
from config.quotas import WINDOW_SECONDS, Group
from config.settings import RateLimitSettings
from ratelimit import keys
from ratelimit.ban import Ban
from ratelimit.link import Link, RedisUnavailable, slot_of
from ratelimit.local import LocalCounters
from ratelimit.resp import bulk
from ratelimit.scripts import COUNT_REFUSAL, LOOK_AT_IP, LOOK_AT_TOKEN, PEEK_AT_IP, PUBLISH_STATE
from ratelimit.wire import AGAIN, UNHEARD

T = TypeVar("T")

Headers = list[tuple[bytes, bytes]]


class Counter(NamedTuple):
    """One allowance: its name among those of a token, and its limit per minute."""

    name: str
    limit: int


class IpSeen(NamedTuple):
    """What was seen of a block of addresses, this request included. Of a banned one nothing is counted."""

    ban: Ban | None
    requests: int = 0
    now: float = 0.0
    degraded: bool = False

    @property
    def is_banned(self) -> bool:
        """Whether it gets no byte."""
        return self.ban is not None


class TokenSeen(NamedTuple):
    """What was seen of a token, this call included.

    Where the registry state is not the one the caller knows, nothing was counted: `state` is the newer one, packed, or
    None where Redis has none to give; learn it, and ask again.
    """

    is_current: bool
    counts: tuple[int, ...]
    now: float
    state: bytes | None = None
    degraded: bool = False

    def exceeded(self, counters: Sequence[Counter]) -> int | None:
        """Which of the allowances asked about is used up, the first if several."""
        for index, (count, counter) in enumerate(zip(self.counts, counters, strict=False)):
            if count > counter.limit:
                return index
        return None


class IpPeek(NamedTuple):
    """What an operator sees of a block of addresses."""

    ban: Ban | None
    requests: int
    refusals: int
    now: float


class Sent(Generic[T]):
    """A question on its way; await it, once, for what was seen."""

    __slots__ = ("_call", "_read", "_without")

    def __init__(self, call: Any, read: Callable[[Any], T], without: Callable[[], T]) -> None:
        """`read` understands the reply; `without` answers where there is none."""
        self._call = call
        self._read = read
        self._without = without

    def __await__(self) -> Generator[Any, None, T]:
        """Wait for the reply."""
        try:
            reply = yield from self._call.__await__()
        except RedisUnavailable:
            return self._without()
        return self._read(reply)


class Reply:
    """A reply that came with others (`Link.ask`), awaited as if it were on its way."""

    __slots__ = ("_reply",)

    def __init__(self, reply: object) -> None:
        """UNHEARD where it did not come."""
        self._reply = reply

    def __await__(self) -> Generator[Any, None, Any]:
        """At once. Raises RedisUnavailable."""
        if self._reply is UNHEARD:
            raise RedisUnavailable("Redis did not answer in time")
        return self._reply
        yield


class Joint:
    """One question that several calls ask in the same turn: it is put once, and counts for all of them.

    Each call has its number among them, from 1, and is told what it would have been told alone (`told_ip`,
    `told_token`).
    """

    __slots__ = ("calls", "opening", "reply")

    def __init__(self, opening: bytes) -> None:
        """The question but for the number of calls, as `opening_…` of the limiter gives it."""
        self.opening = opening
        self.calls = 0
        self.reply: Any = UNHEARD

    def packed(self) -> bytes:
        """The question, as it goes over the wire."""
        return self.opening + bulk(b"%d" % self.calls)

    def hear(self, reply: object) -> None:
        """Take in the reply."""
        self.reply = reply


class Limiter:
    """Counts requests and refusals by address, and calls by token.

    What is asked with other questions begins with `opening_…`; a reply to it that tells no count is handed over as
    `heard`.
    """

    def __init__(self, link: Link, settings: RateLimitSettings, workers: int, clock: Clock) -> None:
        """`workers` share the limits while each counts for itself; `clock` rules only then."""
        self._link = link
        self._settings = settings
        self._workers = workers
        self._clock = clock
        self._ip_arguments = (settings.ip_per_minute, settings.ban_seconds, 1)
        self._refusal_arguments = (
            settings.refusals_before_ban,
            settings.refusals_window_seconds * 1000,
            settings.ban_seconds,
        )
        self._local_requests = LocalCounters(WINDOW_SECONDS)
        self._local_refusals = LocalCounters(settings.refusals_window_seconds)
        self._local_tokens = LocalCounters(WINDOW_SECONDS)
        self._local_strangers = LocalCounters(WINDOW_SECONDS)

    def limit_of(self, group: Group) -> int:
        """The limit per minute of a group: the operator's, else the contract's."""
        return self._settings.groups.get(group.name, group.limit)

    def counter(self, group: Group, endpoint: str) -> Counter:
        """The allowance on which an endpoint draws: its group's, or its own where the group is not shared."""
        return Counter(group.name if group.shared else f"{group.name}:{endpoint}", self.limit_of(group))

    # By address

    def look_at_ip(self, block: str, *, count: bool = True, heard: object = AGAIN) -> Sent[IpSeen]:
        """Look at one request, and count it unless told not to; the one too many of a minute bans."""
        if heard is AGAIN:
            arguments = self._ip_arguments if count else (*self._ip_arguments[:2], 0)
            call: Any = self._link.call(LOOK_AT_IP, (keys.ban(block), keys.minute(block)), arguments)
        else:
            call = Reply(heard)
        return Sent(call, lambda reply: _ip_seen(block, reply), lambda: self._look_alone(block, count))

    def opening_of_ip(self, block: str) -> tuple[bytes, int]:
        """The same question, to be asked by several requests at once (`Joint`); and the slot that it concerns."""
        names = (keys.ban(block), keys.minute(block))
        return LOOK_AT_IP.opening(names, self._ip_arguments[:2]), slot_of(names[0])

    def told_ip(self, joint: Joint, number: int) -> Any:
        """What the reply says to one of them, the first within the ceiling being within it; else the reply itself."""
        reply = joint.reply
        if reply.__class__ is list and reply[0] != 1:
            before, now = (reply[1], reply[2]) if reply[0] == 0 else (reply[4], reply[3])
            count = before - joint.calls + number
            if count <= self._settings.ip_per_minute:
                return IpSeen(None, count, now / 1000)
        return reply

    def count_refusal(self, block: str) -> Sent[Ban | None]:
        """Count one request refused with 429; gives the ban, if this one was one too many."""
        call = self._link.call(COUNT_REFUSAL, (keys.ban(block), keys.refusals(block)), self._refusal_arguments)
        return Sent(call, lambda reply: _refusal_seen(block, reply), lambda: self._refuse_alone(block))

    async def peek_at_ip(self, block: str) -> IpPeek:
        """For operators; counts nothing. Raises RedisUnavailable."""
        names = (keys.ban(block), keys.minute(block), keys.refusals(block))
        reply = await self._link.call(PEEK_AT_IP, names, (self._refusal_arguments[1],))
        until, reason, since, requests, refusals, now = cast(list[Any], reply)
        ban = Ban(block, reason.decode(), since / 1000, until / 1000) if until else None
        return IpPeek(ban, requests, refusals, now / 1000)

    # By token

    def look_at_token(
        self, jti: str, version: int, counters: Sequence[Counter], heard: object = AGAIN
    ) -> Sent[TokenSeen]:
        """Count one call of a token of the registry, if `version` is that of its state; 0 where none is known."""
        return self._look(keys.token(jti), version, counters, self._local_tokens, heard)

    def opening_of_token(self, jti: str, version: int, counters: Sequence[Counter]) -> tuple[bytes, int]:
        """The same question, to be asked by several calls at once (`Joint`); and the slot that it concerns."""
        names, arguments = _token_question(keys.token(jti), version, counters)
        return LOOK_AT_TOKEN.opening(names, arguments[:1]), slot_of(names[0])

    @staticmethod
    def told_token(joint: Joint, number: int) -> Any:
        """What the reply says to one of them, where they were counted; else the reply itself."""
        reply = joint.reply
        if reply.__class__ is list and reply[0] >= 0:
            before = joint.calls - number
            return TokenSeen(True, tuple([count - before for count in reply[1:]]), reply[0] / 1000)
        return reply

    def look_at_stranger(self, digest: str, counters: Sequence[Counter]) -> Sent[TokenSeen]:
        """Count one call of a token that nobody vouches for, known by its digest."""
        return self._look(keys.stranger(digest), None, counters, self._local_strangers)

    async def peek_at_token(self, jti: str, counters: Sequence[Counter]) -> TokenSeen:
        """For operators; counts nothing. Raises RedisUnavailable."""
        subject = keys.token(jti)
        names = (keys.state(subject), *(keys.counter(subject, counter.name) for counter in counters))
        return _token_seen(await self._link.call(LOOK_AT_TOKEN, names, (b"", 0)))

    async def publish_state(self, jti: str, version: int, data: bytes, seconds: int) -> int:
        """Store the registry state of a token unless a newer one is there; gives the version that is.

        Raises RedisUnavailable.
        """
        name = keys.state(keys.token(jti))
        return cast(int, await self._link.call(PUBLISH_STATE, (name,), (version, data, seconds)))

    def retract_state(self, jti: str) -> None:
        """Forget the registry state of a token, so that it is read anew; waits for nothing."""
        name = keys.state(keys.token(jti))
        self._link.tell((name, (b"DEL", name)))

    def _look(
        self,
        subject: str,
        version: int | None,
        counters: Sequence[Counter],
        local: LocalCounters,
        heard: object = AGAIN,
    ) -> Sent[TokenSeen]:
        if heard is AGAIN:
            call: Any = self._link.call(LOOK_AT_TOKEN, *_token_question(subject, version, counters))
        else:
            call = Reply(heard)
        return Sent(call, _token_seen, lambda: self._count_alone(subject, version, counters, local))

    # Without Redis

    def _look_alone(self, block: str, counts: bool) -> IpSeen:
        """A ban cannot be lifted, so it is given only on proof: for a whole ceiling seen by this process alone."""
        now = self._clock()
        count = self._local_requests.count(block, now) if counts else 0
        ban = self._ban(block, "ceiling", now) if count > self._settings.ip_per_minute else None
        return IpSeen(ban, count, now, degraded=True)

    def _refuse_alone(self, block: str) -> Ban | None:
        now = self._clock()
        is_too_many = self._local_refusals.count(block, now) >= self._settings.refusals_before_ban
        return self._ban(block, "refusals", now) if is_too_many else None

    def _count_alone(
        self, subject: str, version: int | None, counters: Sequence[Counter], local: LocalCounters
    ) -> TokenSeen:
        now = self._clock()
        if version == 0:  # nobody here knows its state: the registry must say
            return TokenSeen(False, (), now, degraded=True)
        counts = tuple(
            self._estimate(local.count(f"{subject}:{counter.name}", now), counter.limit) for counter in counters
        )
        return TokenSeen(True, counts, now, degraded=True)

    def _estimate(self, count: int, limit: int) -> int:
        """What all workers may have counted, when this one counted so much; each may let at least one call through."""
        if count <= max(1, limit // self._workers):
            return min(count * self._workers, limit)
        return max(count * self._workers, limit + 1)

    def _ban(self, block: str, reason: str, now: float) -> Ban:
        since = round(now, 3)
        return Ban(block, reason, since, since + self._settings.ban_seconds)


def quota_headers(limit: int, count: int, now: float) -> Headers:
    """RateLimit-Limit, -Remaining, -Reset: all three, decimal integers, the last an epoch second (behaviours §5.2)."""
    return [
        (b"ratelimit-limit", b"%d" % limit),
        (b"ratelimit-remaining", b"%d" % max(limit - count, 0)),
        (b"ratelimit-reset", b"%d" % window_end(now)),
    ]


def retry_after(now: float) -> bytes:
    """Whole seconds until the next window, at least 1: what Retry-After says with a 429."""
    return b"%d" % max(window_end(now) - int(now), 1)


def window_end(now: float) -> int:
    """The epoch second at which the running window ends."""
    return (int(now) // WINDOW_SECONDS + 1) * WINDOW_SECONDS


def _token_question(
    subject: str, version: int | None, counters: Sequence[Counter]
) -> tuple[list[bytes], list[bytes | int]]:
    """Keys and arguments of LOOK_AT_TOKEN."""
    names = [keys.state(subject), *(keys.counter(subject, counter.name) for counter in counters)]
    return names, [b"" if version is None else version, 1]


def _ip_seen(block: str, reply: list[Any]) -> IpSeen:
    if reply[0] == 0:
        return IpSeen(None, reply[1], reply[2] / 1000)
    _, until, reason, since, *_ = reply
    return IpSeen(Ban(block, reason.decode(), since / 1000, until / 1000))


def _refusal_seen(block: str, reply: list[Any]) -> Ban | None:
    if not reply[0]:
        return None
    _, until, _, since, reason = reply
    return Ban(block, reason.decode(), since / 1000, until / 1000)


def _token_seen(reply: list[Any] | object) -> TokenSeen:
    first, *rest = cast(list[Any], reply)
    if first == -1:
        return TokenSeen(False, (), 0.0)
    if first == -2:
        return TokenSeen(False, (), 0.0, rest[1])
    return TokenSeen(True, tuple(rest), first / 1000)
