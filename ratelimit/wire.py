"""One socket to Redis: what is asked in one turn of the event loop leaves in one write, replies come back in order."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

import hiredis

from ratelimit.resp import Word, pack
from ratelimit.scripts import Script

MOST_IN_FLIGHT = 10_000
"""Calls that may wait on one socket; more than that and the server is not answering."""

TICKS_TO_ANSWER = 5
"""A call made between two ticks of timeout/4 has waited for the timeout, and at most 1.25 of it, at the fifth."""

NOTHING: Final = object()
"""In place of a reply that is not there yet."""

UNHEARD: Final = object()
"""In place of a reply that did not come in time: whether the command ran is unknown."""
AGAIN: Final = object()
"""In place of a reply that says the command did not run: it may be asked again, by itself."""


class RedisUnavailable(Exception):
    """Redis cannot be asked now: it is away, too slow, full, read-only or still loading."""


class CommandRefused(Exception):
    """Redis answered that the command is wrong: a defect of ours, not an outage."""


class ErrorReply(Exception):
    """An error as Redis sent it."""


class Call(asyncio.Future[Any]):
    """A command under way: the future of its reply, and what is needed to send it again elsewhere.

    One object rather than two, because one is made for every question of every request.
    """

    __slots__ = ("command", "tick")

    command: tuple[Word, ...]
    tick: int
    script: Script | None = None
    detours: int = 0
    """What few calls ever have otherwise: redirections followed, and whether the next one says so first."""
    is_asking: bool = False

    def fail(self, reason: str) -> bool:
        """End it as unavailable, unless it has ended; tells whether that was news."""
        if self.done():
            return False
        self.set_exception(RedisUnavailable(reason))
        self.exception()  # counts as looked at: whoever gave up on it meanwhile left no defect behind
        return True


class Questions:
    """Several commands that leave together and are heard together: no future, and no task to wait for it.

    A subclass says what they are when they leave, at the end of the turn of the event loop, and hears the replies in
    the order of the questions, UNHEARD or AGAIN among them. It must not raise.
    """

    __slots__ = ("_is_heard", "_replies", "number", "tick")

    def __init__(self) -> None:
        """No question yet."""
        self.number = 0
        """How many there are."""
        self._replies: list[Any] = []
        self._is_heard = False
        self.tick = 0

    def packed(self) -> bytes:
        """The commands, which leave now."""
        raise NotImplementedError

    def hear(self, replies: list[Any]) -> None:
        """All replies are there."""
        raise NotImplementedError

    def take(self, next_reply: Callable[[], object]) -> bool:
        """The replies that are there; tells whether the last is among them."""
        replies, left = self._replies, self.number - len(self._replies)
        while left:
            reply = next_reply()
            if reply is NOTHING:
                return False
            # Asked again by itself, it meets `on_error`.
            replies.append(AGAIN if reply.__class__ is ErrorReply else reply)
            left -= 1
        if not self._is_heard:
            self._is_heard = True
            self.hear(replies)
        return True

    def fail(self, reason: str) -> bool:
        """End what is still open as unheard; tells whether that was news. Replies may still come, and are dropped."""
        del reason
        if self._is_heard:
            return False
        self._is_heard = True
        self.hear(self._replies + [UNHEARD] * (self.number - len(self._replies)))
        return True


class Batch(Questions):
    """Plain commands whose replies are awaited together."""

    __slots__ = ("_commands", "_told")

    def __init__(self, commands: bytes, number: int, told: "asyncio.Future[list[Any]]") -> None:
        """So many commands; `told` is given what `Questions.hear` is."""
        self.number = number
        self._replies = []
        self._is_heard = False
        self._commands = commands
        self._told = told

    def packed(self) -> bytes:
        """The commands."""
        return self._commands

    def hear(self, replies: list[Any]) -> None:
        """All replies are there."""
        if not self._told.done():
            self._told.set_result(replies)


class Unawaited:
    """Stands for a command whose reply nobody waits for."""

    tick = -TICKS_TO_ANSWER

    def fail(self, reason: str) -> bool:
        """Nobody hears of it."""
        del reason
        return False


UNAWAITED: Final = Unawaited()


class Connection(asyncio.Protocol):
    """A socket and the calls that wait on it, oldest first."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_lost: Callable[["Connection"], None]) -> None:
        """`on_lost` hears of the end of the socket, whoever ended it."""
        self.strikes = 0
        """Calls that failed in a row."""
        self.is_retiring = False
        """Whether it closes once nothing waits any more."""
        self.on_error: Callable[[Connection, Call, str], None] = _tell_caller
        """What hears of error replies."""
        self._loop = loop
        self._on_lost = on_lost
        self._reader = hiredis.Reader(
            protocolError=ErrorReply, replyError=ErrorReply, notEnoughData=NOTHING, errors="replace"
        )
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes | Questions] = []
        self._waiting: deque[Call | Questions | Unawaited] = deque()

    def push(self, call: Call) -> None:
        """Send a call with all others of this turn of the loop."""
        unsent, waiting = self._unsent, self._waiting
        if len(waiting) >= MOST_IN_FLIGHT or self._transport is None:
            call.fail("too many calls wait for Redis")
            return
        if not unsent:
            self._loop.call_soon(self._flush)
        unsent.append(pack(call.command))
        waiting.append(call)

    @property
    def has_room(self) -> bool:
        """Whether more can be asked."""
        return len(self._waiting) < MOST_IN_FLIGHT and self._transport is not None

    def push_together(self, questions: Questions) -> None:
        """Send several commands at once, with all others of this turn of the loop; there must be room."""
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(questions)
        self._waiting.append(questions)

    def push_unawaited(self, commands: bytes, number: int) -> None:
        """Send so many commands whose replies are dropped, with all others of this turn of the loop."""
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(commands)
        self._waiting.extend((UNAWAITED,) * number)

    def ask(self, tick: int, *command: Word) -> Call:
        """Send a command that nobody will send again elsewhere."""
        call = Call(loop=self._loop)
        call.command, call.tick = command, tick
        self.push(call)
        return call

    def expire(self, tick: int) -> int:
        """Fail the calls that have waited too long; tells how many. Their replies may still come, and are dropped."""
        count = 0
        for call in self._waiting:
            if tick - call.tick < TICKS_TO_ANSWER:
                break
            count += call.fail("Redis did not answer in time")
        self.strikes += count
        return count

    @property
    def is_busy(self) -> bool:
        """Whether a call waits."""
        return bool(self._waiting)

    def retire(self) -> None:
        """Close once the calls under way have their replies."""
        self.is_retiring = True
        if not self._waiting and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close now; the calls under way fail."""
        if self._transport is not None:
            self._transport.abort()
        self._abandon()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Hand each reply to the call it belongs to."""
        waiting, next_reply = self._waiting, self._reader.gets
        self._reader.feed(data)
        try:
            while waiting:
                call = waiting[0]
                if isinstance(call, Questions):
                    if not call.take(next_reply):
                        break
                    waiting.popleft()
                    self.strikes = 0
                    continue
                reply = next_reply()
                if reply is NOTHING:
                    break
                waiting.popleft()
                if isinstance(call, Unawaited):
                    continue
                if reply.__class__ is ErrorReply:
                    self.on_error(self, call, str(reply))
                elif not call.done():
                    call.set_result(reply)
                    self.strikes = 0
            else:
                if next_reply() is not NOTHING:  # a reply to nothing: nobody can say whose is the next
                    self.abort()
        except ErrorReply:  # not the protocol
            self.abort()
        if self.is_retiring and not waiting and self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        del exc
        self._abandon()
        self._on_lost(self)

    def _flush(self) -> None:
        if self._transport is not None and self._unsent:
            unsent = self._unsent
            self._transport.write(b"".join([part if isinstance(part, bytes) else part.packed() for part in unsent]))
        self._unsent.clear()

    def _abandon(self) -> None:
        self._transport = None
        self._unsent.clear()
        waiting, self._waiting = self._waiting, deque()
        for call in waiting:
            call.fail("the connection to Redis was lost")


def _tell_caller(connection: Connection, call: Call, text: str) -> None:
    del connection
    if not call.done():
        call.set_exception(CommandRefused(text))
