"""The server's side of a connection: uvicorn's own, which also knows how to close without a byte.

A data request is answered here without the detour by ASGI messages: its answer is whole when it comes, and is written
in one piece. A call that comes again is not even parsed: `gateway.fastpath` takes it. The ASGI door stays for every
other server, and is this one's oracle: `tests/gateway/test_protocol.py` compares them.

Of uvicorn's internals this uses `connection_made`, `connection_lost`, `data_received`, the parser's callbacks,
`send_400_response`, `shutdown`, `on_response_complete`, `_start_asgi_task`, the keep-alive timer, `scope`, `cycle`,
`flow`, `transport` and `server_state`; the same tests guard them, and the version is pinned by range.
"""

import asyncio
from collections import defaultdict
from collections.abc import Coroutine
from typing import Any, cast

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.asked import SILENCE, Answer, Asked, Headers
from gateway.door import SECURITY, Door, is_data
from gateway.fastpath import LONGEST, Caller, FastPath, Form
from gateway.pipeline import Heard
from ratelimit.address import block_of
from ratelimit.ban import Ban
from ratelimit.bans import Bans

log = structlog.get_logger()

MOST_HEAD_BYTES = 64 * 1024
"""Longest request line with its headers, give or take one read; uvicorn sets no limit."""

_WITH_MORE = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})
"""Headers of a request that is more than its head."""

_SECURITY = b"".join(b"%b: %b\r\n" % header for header in SECURITY)


class _Openings:
    """How answers begin: a status line, and the headers that uvicorn adds to all and makes anew each second."""

    __slots__ = ("_headers", "_written")

    def __init__(self) -> None:
        self._headers: Headers = ()
        self._written: dict[int, bytes] = {}

    def of(self, status: int, headers: Headers) -> bytes:
        """That of an answer of the running second."""
        if headers is not self._headers:
            self._headers = headers
            self._written.clear()
        opening = self._written.get(status)
        if opening is None:
            lines = b"".join([b"%b: %b\r\n" % header for header in headers])
            opening = self._written[status] = STATUS_LINE[status] + lines
        return opening


_OPENINGS = _Openings()


class Doorstep:
    """The living connections of a worker, by block of addresses, the bans that end them, and the door behind."""

    def __init__(self) -> None:
        """No connection yet; bans, door and fast path are set before the first one."""
        self.bans: Bans | None = None
        self.door: Door | None = None
        self.fast_path: FastPath | None = None
        self._living: defaultdict[str, set[SilentProtocol]] = defaultdict(set)
        self.turned_away = 0

    def welcome(self, connection: "SilentProtocol", block: str) -> bool:
        """Whether a new connection may stay."""
        if self.bans is not None and self.bans.is_banned(block) is not None:
            self.turned_away += 1
            return False
        self._living[block].add(connection)
        return True

    def farewell(self, connection: "SilentProtocol", block: str) -> None:
        """The connection is gone."""
        self._living[block].discard(connection)
        if not self._living[block]:
            del self._living[block]

    def ban(self, ban: Ban) -> None:
        """End the living connections of a block that has just been banned."""
        for connection in list(self._living.get(ban.ip_block, ())):
            connection.hang_up()


DOORSTEP = "octroi.doorstep"
"""Where the application's lifespan leaves the doorstep, in the state that uvicorn shares with its protocols."""


class SilentProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with a doorstep and a fast path."""

    hasher: Any = None
    caller: Caller | None = None
    lines = b""
    form: Form | None = None
    _doorstep: Doorstep | None = None
    _fast_path: FastPath | None = None
    _block = ""
    _head_bytes = 0
    """Bytes read since the last head or piece of a body that was whole."""
    _is_between = True
    """Whether the parser has no message under way."""
    _data: bytes | None = None
    """The request being read, where it came in one piece."""
    _is_apart = False
    """Whether an exchange is under way outside uvicorn's cycles; what comes meanwhile waits in `_later`."""
    _later = b""
    _is_ending = False
    _at_rest_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Turn a banned client away before anything is read."""
        super().connection_made(transport)
        doorstep = self._doorstep = self.app_state.get(DOORSTEP)
        if doorstep is None or self.client is None:
            return
        self._block = block_of(self.client[0])
        if not doorstep.welcome(self, self._block):
            self._block = ""
            transport.abort()
        elif doorstep.fast_path is not None:
            self._fast_path = doorstep.fast_path
            self.hasher = doorstep.fast_path.hasher(self.client[0])

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._block and self._doorstep is not None:
            self._doorstep.farewell(self, self._block)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, but not for ever; not at all what is known already."""
        if self._is_apart:
            self._wait(data)
            return
        self._data = None
        if self._fast_path is not None and self._is_between and (self.cycle is None or self.cycle.response_complete):
            if self._fast_path.take(data, self):
                self._is_apart = True
                return
            if len(data) <= LONGEST and data.startswith(b"GET /v"):
                self._data = data
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The request line and its headers are too long.")

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body is whole."""
        self._head_bytes = 0
        super().on_body(body)

    def on_message_begin(self) -> None:
        """Let the application hang up."""
        self._is_between = False
        super().on_message_begin()
        scope: Any = self.scope
        scope["extensions"] = {"octroi.hangup": self.hang_up}

    def on_message_complete(self) -> None:
        """The message is whole."""
        self._is_between = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """One of uvicorn's cycles ends."""
        self._at_rest_since = self.loop.time()
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Close what has been at rest for too long; one timer serves many exchanges, and looks again in time."""
        self.timeout_keep_alive_task = None
        if self._is_apart or self.transport.is_closing():
            return
        left = self._at_rest_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            self.transport.close()

    def shutdown(self) -> None:
        """Let the answer under way be the last."""
        if self._is_apart:
            self._is_ending = True
        else:
            super().shutdown()

    def hang_up(self) -> None:
        """Close the connection with nothing more written; uvicorn is told that the client left.

        An answer already given is flushed: it was given before the ban.
        """
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
        self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """A data request goes straight to the door; the rest, and what uvicorn itself refuses, as ever."""
        doorstep = self._doorstep
        if doorstep is None or doorstep.door is None or app is not self.app or not is_data(cycle.scope["path"]):
            super()._start_asgi_task(cycle, app)
            return
        data = self._data if self._data is not None and _is_plain(cycle) else None
        self.run(self._serve(cycle, doorstep.door, data))

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it in a task that a shutdown waits for."""
        task = self.loop.create_task(work)
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    async def _serve(self, cycle: RequestResponseCycle, door: Door, data: bytes | None) -> None:
        try:
            asked = door.read(cast("dict[str, Any]", cycle.scope))
            answer = await door.answer(asked)
            if data is not None and self._fast_path is not None:
                self._fast_path.learn(data, asked, self)
            if self.flow.write_paused and not cycle.disconnected:
                await self.flow.drain()
            if answer is SILENCE:
                self.hang_up()
            elif not cycle.disconnected:
                self._write(cycle, answer)
            if answer.after is not None:
                await answer.after()
        except Exception:
            log.exception("answer_not_written")
            self.transport.close()

    def _write(self, cycle: RequestResponseCycle, answer: Answer) -> None:
        """The answer in one piece, and the end of uvicorn's cycle as uvicorn itself ends it."""
        self.transport.write(self._text(answer, cycle.keep_alive, has_body=cycle.scope["method"] != "HEAD"))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        on_response, cycle.on_response = cycle.on_response, _nothing
        if not cycle.keep_alive:
            self.transport.close()
        on_response()

    def _text(self, answer: Answer, keep_alive: bool, *, has_body: bool = True) -> bytes:
        parts = [_OPENINGS.of(answer.status, self.server_state.default_headers)]
        parts += [b"%b: %b\r\n" % header for header in answer.headers]
        parts.append(b"content-length: %d\r\n" % len(answer.body))
        parts.append(_SECURITY)
        parts.append(b"\r\n" if keep_alive else b"connection: close\r\n\r\n")
        if has_body:
            parts.append(answer.body)
        return b"".join(parts)

    # Exchanges of the fast path: outside uvicorn's cycles, which have nothing under way meanwhile.

    def status_line(self, status: int) -> bytes:
        """The status line, and what uvicorn has all answers say: the date, made anew each second."""
        start = _OPENINGS.of(status, self.server_state.default_headers)
        return start if not self._is_ending else start + b"connection: close\r\n"

    def give(self, text: bytes) -> None:
        """Write a whole answer, unless the client does not read: then once it does."""
        if self.flow.write_paused:
            self.run(self._give_later(text))
            return
        transport = self.transport
        if not transport.is_closing():
            transport.write(text)
        self._rest()

    def give_answer(self, answer: Answer) -> None:
        """The same, of an answer still to be written down."""
        self.give(self._text(answer, not self._is_ending))

    def go_the_long_way(self, asked: Asked, heard: Heard) -> None:
        """Have the pipeline answer."""
        self.run(self._serve_apart(asked, heard))

    def break_off(self) -> None:
        """Close the connection."""
        self.transport.close()
        self._is_apart = False

    async def _give_later(self, text: bytes) -> None:
        await self.flow.drain()
        self.give(text)

    async def _serve_apart(self, asked: Asked, heard: Heard) -> None:
        assert self._doorstep is not None
        assert self._doorstep.door is not None
        try:
            answer = await self._doorstep.door.answer(asked, heard)
            if answer is SILENCE:
                self.break_off()
            else:
                self.give_answer(answer)
            if answer.after is not None:
                await answer.after()
        except Exception:
            log.exception("answer_not_written")
            self.break_off()

    def _rest(self) -> None:
        """The end of an exchange, as uvicorn ends a cycle."""
        self._is_apart = False
        self.server_state.total_requests += 1
        if self._is_ending:
            self.transport.close()
        elif not self._later:
            self._at_rest_since = self.loop.time()
            if self.timeout_keep_alive_task is None:
                self.timeout_keep_alive_handler()
        elif not self.transport.is_closing():
            data, self._later = self._later, b""
            self.flow.resume_reading()
            self.data_received(data)

    def _wait(self, data: bytes) -> None:
        """Pipelined requests wait their turn."""
        self._later += data
        if len(self._later) > MOST_HEAD_BYTES:
            self.flow.pause_reading()


def _is_plain(cycle: RequestResponseCycle) -> bool:
    """Whether a request is one that its bytes alone describe: without a body, on a connection that goes on."""
    scope = cycle.scope
    return (
        scope["method"] == "GET"
        and scope["http_version"] == "1.1"
        and cycle.keep_alive
        and _WITH_MORE.isdisjoint(name for name, _ in scope["headers"])
    )


def _nothing() -> None:
    pass
