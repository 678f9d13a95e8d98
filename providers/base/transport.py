"""One request on the wire: a `Transport` carries it to a provider, and brings back the whole answer."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

import httpx

Method = Literal["GET", "POST"]


class Patience(NamedTuple):
    """How long a provider is waited for, in seconds: until it is connected to, and between two pieces of its answer."""

    connect: float
    read: float


class Answered(NamedTuple):
    """An answer: headers by lower-case name, those that came several times joined by commas; the body decoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class TooLarge(Exception):
    """An answer that is larger than what is accepted; the rest of it was not read."""


class Transport(Protocol):
    """The one way in which requests leave. Errors are httpx's."""

    async def exchange(
        self, method: Method, url: str, headers: Mapping[str, str], content: bytes, patience: Patience, limit: int
    ) -> Answered:
        """Send a request, and read its answer, which may be of `limit` bytes once decoded.

        Redirects are answers like any other. Raises httpx.HTTPError, httpx.InvalidURL and TooLarge.
        """


class HttpxTransport:
    """Any transport made for httpx: an application, a mock, a proxy."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        """The transport is used without a client around it, and closed by whoever made it."""
        self._transport = transport

    async def exchange(
        self, method: Method, url: str, headers: Mapping[str, str], content: bytes, patience: Patience, limit: int
    ) -> Answered:
        """See `Transport.exchange`."""
        timeout = httpx.Timeout(patience.read, connect=patience.connect)
        request = httpx.Request(
            method, url, headers=headers, content=content, extensions={"timeout": timeout.as_dict()}
        )
        reply = await self._transport.handle_async_request(request)
        reply.request = request
        try:
            body = bytearray()
            async for piece in reply.aiter_bytes():
                body += piece
                if len(body) > limit:
                    raise TooLarge
            return Answered(reply.status_code, reply.headers, bytes(body))
        finally:
            await reply.aclose()
