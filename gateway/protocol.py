"""The server's side of a connection: uvicorn's own, which also knows how to close without a byte.

Of uvicorn's internals it uses `connection_made`, `connection_lost`, `on_message_begin`, `scope`, `cycle` and
`transport`; `tests/gateway/test_protocol.py` guards them, and the version is pinned by range.
"""

import asyncio
from collections import defaultdict
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ratelimit.address import block_of
from ratelimit.ban import Ban
from ratelimit.bans import Bans


class Doorstep:
    """The living connections of a worker, by block of addresses, and the bans that end them."""

    def __init__(self) -> None:
        """No connection, and no bans known yet."""
        self.bans: Bans | None = None
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
"""Where the application's lifespan leaves the doorstep, in the state that uvicorn copies for each request."""


class SilentProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with a doorstep."""

    _block = ""

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

    @property
    def _doorstep(self) -> Doorstep | None:
        return self.app_state.get(DOORSTEP)
