"""The server's side of a connection: uvicorn's own, which also knows how to close without a byte.

A data request is answered here without the detour by ASGI messages: its answer is whole when it comes, and is written
in one piece. A client repeats itself: a request whose bytes have been read before is not parsed again. The ASGI door
stays for every other server, and is this one's oracle: `tests/gateway/test_protocol.py` compares them.

Of uvicorn's internals this uses `connection_made`, `connection_lost`, `data_received`, the parser's callbacks,
`send_400_response`, `shutdown`, `_start_asgi_task`, the keep-alive timer, `scope`, `cycle`, `flow` and `transport`; the
same tests guard them, and the version is pinned by range.
"""

import asyncio
import hashlib
import secrets
from collections import defaultdict
from collections.abc import Coroutine
from typing import Any, cast

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.asked import SILENCE, Answer, Asked
from gateway.door import SECURITY, Door, is_data
from ratelimit.address import block_of
from ratelimit.ban import Ban
from ratelimit.bans import Bans

log = structlog.get_logger()

MOST_HEAD_BYTES = 64 * 1024
"""Longest request line with its headers, give or take one read; uvicorn sets no limit."""

MOST_REMEMBERED = 65_536
LONGEST_REMEMBERED = 4096
_NEVER_REMEMBERED = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"x-request-id"})

_SECURITY = b"".join(b"%b: %b\r\n" % header for header in SECURITY)


class Doorstep:
    """The living connections of a worker, by block of addresses, the bans that end them, and the door behind."""

    def __init__(self) -> None:
        """No connection yet; bans and door are set before the first one."""
        self.bans: Bans | None = None
        self.door: Door | None = None
        self.heads: dict[bytes, Asked] = {}
        self._living: defaultdict[str, set[SilentProtocol]] = defaultdict(set)
        self._digest = hashlib.blake2b(key=secrets.token_bytes(32), digest_size=16)
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

    def mark(self, head: bytes, peer: bytes) -> bytes:
        """The name under which a request is remembered: a keyed digest, for its bytes hold a token."""
        digest = self._digest.copy()
        digest.update(peer)
        digest.update(head)
        return digest.digest()

    def remember(self, mark: bytes, asked: Asked, door: Door) -> None:
        """Keep what was read of a request, without its token."""
        if len(self.heads) >= MOST_REMEMBERED:
            self.heads.clear()
        self.heads[mark] = door.again(asked)


DOORSTEP = "octroi.doorstep"
"""Where the application's lifespan leaves the doorstep, in the state that uvicorn shares with its protocols."""


class SilentProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with a doorstep."""

    _block = ""
    _peer = b""
    _head_bytes = 0
    """Bytes read since the last head or piece of a body that was whole."""
    _is_between = True
    """Whether the parser has no message under way."""
    _mark: bytes | None = None
    """Of the request being read, where it came in one piece."""
    _is_again = False
    """Whether a remembered request is being answered; what comes meanwhile waits in `_later`."""
    _later = b""
    _is_ending = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Turn a banned client away before anything is read."""
        super().connection_made(transport)
        doorstep = self._doorstep
        if doorstep is not None and self.client is not None:
            self._block = block_of(self.client[0])
            self._peer = self.client[0].encode()
            if not doorstep.welcome(self, self._block):
                self._block = ""
                transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._block and self._doorstep is not None:
            self._doorstep.farewell(self, self._block)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, but not for ever; not at all what has been read before."""
        if self._is_again:
            self._wait(data)
            return
        self._mark = None
        doorstep = self._doorstep
        if doorstep is not None and self._is_at_rest and _may_be_remembered(data):
            self._mark = doorstep.mark(data, self._peer)
            asked = doorstep.heads.get(self._mark)
            if asked is not None and doorstep.door is not None:
                self._answer_again(asked, doorstep.door)
                return
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

    def shutdown(self) -> None:
        """Let the answer under way be the last."""
        if self._is_again:
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
        mark = self._mark if _is_plain(cycle) else None
        self._run(self._serve(cycle, doorstep, doorstep.door, mark))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    async def _serve(self, cycle: RequestResponseCycle, doorstep: Doorstep, door: Door, mark: bytes | None) -> None:
        try:
            asked = door.read(cast("dict[str, Any]", cycle.scope))
            answer = await door.answer(asked)
            if mark is not None and asked.claims is not None and b"token" not in asked.query:
                doorstep.remember(mark, asked, door)
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
        parts = [STATUS_LINE[answer.status]]
        parts += [b"%b: %b\r\n" % header for header in self.server_state.default_headers]
        parts += [b"%b: %b\r\n" % header for header in answer.headers]
        parts.append(b"content-length: %d\r\n" % len(answer.body))
        parts.append(_SECURITY)
        parts.append(b"\r\n" if keep_alive else b"connection: close\r\n\r\n")
        if has_body:
            parts.append(answer.body)
        return b"".join(parts)

    # A request that has been read before: outside uvicorn's cycles, which have nothing under way meanwhile.

    @property
    def _is_at_rest(self) -> bool:
        return self._is_between and (self.cycle is None or self.cycle.response_complete)

    def _answer_again(self, asked: Asked, door: Door) -> None:
        self._unset_keepalive_if_required()
        self._is_again = True
        self._run(self._serve_again(asked, door))

    async def _serve_again(self, told: Asked, door: Door) -> None:
        try:
            answer = await door.answer(door.again(told))
            if self.flow.write_paused and not self.transport.is_closing():
                await self.flow.drain()
            if answer is SILENCE:
                self.transport.close()
            elif not self.transport.is_closing():
                self.transport.write(self._text(answer, not self._is_ending))
            if answer.after is not None:
                await answer.after()
        except Exception:
            log.exception("answer_not_written")
            self.transport.close()
        self._rest()

    def _rest(self) -> None:
        """The end of an answer, as uvicorn ends a cycle."""
        self._is_again = False
        self.server_state.total_requests += 1
        if self._is_ending:
            self.transport.close()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        if self._later:
            data, self._later = self._later, b""
            self.data_received(data)

    def _wait(self, data: bytes) -> None:
        """Pipelined requests wait their turn."""
        self._later += data
        if len(self._later) > MOST_HEAD_BYTES:
            self.flow.pause_reading()

    @property
    def _doorstep(self) -> Doorstep | None:
        return self.app_state.get(DOORSTEP)


def _may_be_remembered(data: bytes) -> bool:
    """A whole data request and nothing else, as far as a glance tells."""
    return (
        len(data) <= LONGEST_REMEMBERED
        and data.startswith(b"GET /v")
        and data.find(b"\r\n\r\n") == len(data) - 4
        and b"\n\n" not in data
    )


def _is_plain(cycle: RequestResponseCycle) -> bool:
    """Whether a request is one that its bytes alone describe: without a body, on a connection that goes on."""
    scope = cycle.scope
    return (
        scope["method"] == "GET"
        and scope["http_version"] == "1.1"
        and cycle.keep_alive
        and not any(name in _NEVER_REMEMBERED for name, _ in scope["headers"])
    )


def _nothing() -> None:
    pass
