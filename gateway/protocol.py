"""The server's side of a connection: uvicorn's own, which also knows how to close without a byte.

A data request is answered here without the detour by ASGI messages: its answer is whole when it comes, and is written
in one piece. The ASGI door stays for every other server, and is this one's oracle: `tests/gateway/test_protocol.py`
compares them. Of uvicorn's internals this uses `connection_made`, `connection_lost`, `data_received`, the parser's
callbacks, `send_400_response`, `_start_asgi_task`, `scope`, `cycle` and `transport`; the same tests guard them, and the
version is pinned by range.
"""

import asyncio
from collections import defaultdict
from typing import Any, cast

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.asked import SILENCE, Answer
from gateway.door import SECURITY, Door, is_data
from ratelimit.address import block_of
from ratelimit.ban import Ban
from ratelimit.bans import Bans

log = structlog.get_logger()

MOST_HEAD_BYTES = 64 * 1024
"""Longest request line with its headers, give or take one read; uvicorn sets no limit."""

_SECURITY = b"".join(b"%b: %b\r\n" % header for header in SECURITY)


class Doorstep:
    """The living connections of a worker, by block of addresses, the bans that end them, and the door behind."""

    def __init__(self) -> None:
        """No connection yet; bans and door are set before the first one."""
        self.bans: Bans | None = None
        self.door: Door | None = None
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
    """uvicorn's protocol, with a doorstep."""

    _block = ""
    _head_bytes = 0
    """Bytes read since the last head or piece of a body that was whole."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Turn a banned client away before anything is read."""
        super().connection_made(transport)
        doorstep = self._doorstep
        if doorstep is not None and self.client is not None:
            self._block = block_of(self.client[0])
            if not doorstep.welcome(self, self._block):
                self._block = ""
                transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._block and self._doorstep is not None:
            self._doorstep.farewell(self, self._block)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, but not for ever."""
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
        super().on_message_begin()
        scope: Any = self.scope
        scope["extensions"] = {"octroi.hangup": self.hang_up}

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
        task = self.loop.create_task(self._serve(cycle, doorstep.door))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    async def _serve(self, cycle: RequestResponseCycle, door: Door) -> None:
        try:
            answer = await door.answer(cast("dict[str, Any]", cycle.scope))
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
        parts = [STATUS_LINE[answer.status]]
        parts += [b"%b: %b\r\n" % header for header in self.server_state.default_headers]
        parts += [b"%b: %b\r\n" % header for header in answer.headers]
        parts.append(b"content-length: %d\r\n" % len(answer.body))
        parts.append(_SECURITY)
        parts.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        if cycle.scope["method"] != "HEAD":
            parts.append(answer.body)
        self.transport.write(b"".join(parts))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        on_response, cycle.on_response = cycle.on_response, _nothing
        if not cycle.keep_alive:
            self.transport.close()
        on_response()

    @property
    def _doorstep(self) -> Doorstep | None:
        return self.app_state.get(DOORSTEP)


def _nothing() -> None:
    pass
