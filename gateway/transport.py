"""The way to providers: HTTP/1.1 over kept connections, parsed by httptools, with nothing between bytes and adapters.

Decision 8 says why no client library stands here, and which were measured.
"""

import asyncio
import re
import socket
import ssl
import zlib
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple, Self, cast

import httptools
import httpx
from aiohappyeyeballs import start_connection

from providers.base.transport import Answered, Method, Patience, TooLarge

KEPT_SECONDS = 30.0
"""How long a connection is kept without use."""

MOST_HEAD_BYTES = 64 * 1024
"""Longest status line with its headers, give or take one read."""

NEXT_ADDRESS_SECONDS = 0.25
"""How long one address of a host is tried alone (RFC 8305)."""


class ProviderTransport:
    """Implements `providers.base.transport.Transport` with connections of its own, kept by origin."""

    def __init__(self, context: ssl.SSLContext) -> None:
        """`context` judges providers' certificates, and shows ours where it has one."""
        self._context = context
        self._idle: defaultdict[str, list[_Connection]] = defaultdict(list)
        self._living: set[_Connection] = set()

    async def __aenter__(self) -> Self:
        """No connection yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """End all connections, those in use too."""
        for connection in list(self._living):
            connection.abort()

    async def exchange(
        self, method: Method, url: str, headers: Mapping[str, str], content: bytes, patience: Patience, limit: int
    ) -> Answered:
        """See `Transport.exchange`."""
        origin, target = _split(url)
        message = _written(method, target, _place(origin).host_header, headers, content)
        kept = self._kept(origin)
        if kept is not None:
            try:
                return await kept.exchange(message, patience.read, limit)
            except (httpx.ReadError, httpx.RemoteProtocolError):
                # It may have been closed by the other side just as this was sent: what may be repeated, is.
                if kept.was_heard or method == "POST":
                    raise
        connection = await self._connect(origin, patience.connect)
        return await connection.exchange(message, patience.read, limit)

    def _kept(self, origin: str) -> "_Connection | None":
        idle = self._idle[origin]
        while idle:
            connection = idle.pop()
            if not connection.is_closing():
                return connection
        return None

    async def _connect(self, origin: str, seconds: float) -> "_Connection":
        place, loop = _place(origin), asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                addresses = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
                plain = await start_connection(addresses, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, interleave=1)
                _, connection = await loop.create_connection(
                    lambda: _Connection(self._living, self._idle[origin]),
                    sock=plain,
                    ssl=self._context if place.is_secure else None,
                    server_hostname=place.host if place.is_secure else None,
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"no connection to {origin}") from error
        except ConnectionResetError as error:
            # Without a number, this is asyncio's word for a handshake that the other side left.
            cause = error if error.errno else ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "end of connection within a handshake")
            raise httpx.ConnectError(f"no connection to {origin}: {cause}") from cause
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(f"no connection to {origin}: {error}") from error
        return connection


class _Connection(asyncio.Protocol):
    """One connection, which carries one exchange at a time. asyncio and httptools call it back by names of theirs."""

    def __init__(self, living: "set[_Connection]", idle: "list[_Connection]") -> None:
        self._living = living
        self._idle = idle
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._answer: asyncio.Future[Answered] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = self._armed = 0.0
        self._read_seconds = 0.0
        self._limit = 0
        self.was_heard = False
        self._whole: Answered | None = None
        self._status = self._size = self._head_size = 0
        self._headers: dict[str, str] = {}
        self._pieces: list[bytes] = []
        self._is_reusable = False

    async def exchange(self, message: bytes, read_seconds: float, limit: int) -> Answered:
        """Send the message and await its answer. Given up in between, the connection is of no more use."""
        self.was_heard = False
        self._read_seconds = read_seconds
        self._limit = limit
        if self.is_closing():
            raise httpx.ReadError("the connection ended at once")
        answer: asyncio.Future[Answered] = self._loop.create_future()
        self._answer = answer
        self._wait(read_seconds)
        self._transport.write(message)
        try:
            return await answer
        finally:
            if self._answer is answer:
                self.abort()

    def is_closing(self) -> bool:
        """Whether it can carry nothing more."""
        return self._transport.is_closing()

    def abort(self) -> None:
        """End it at once."""
        self._transport.abort()

    # asyncio's callbacks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._living.add(self)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            # Nothing was asked: whatever this is, it must not be taken for the next answer.
            self.abort()
            return
        self.was_heard = True
        self._due = self._loop.time() + self._read_seconds
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._is_reusable = False
            if self._whole is None:
                self._fail(httpx.RemoteProtocolError(str(error)), error)
                return
        if self._size > self._limit:
            self._fail(TooLarge())
        elif self._whole is not None:
            self._finish(self._whole)
        elif self._status == 0:
            self._head_size += len(data)
            if self._head_size > MOST_HEAD_BYTES:
                self._fail(httpx.RemoteProtocolError("headers without an end"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._living.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self in self._idle:
            self._idle.remove(self)
        if self._answer is None:
            return
        if exc is None and self._ends_with_connection():
            self._finish(Answered(self._status, self._headers, b"".join(self._pieces)))
        elif exc is None and self._status == 0:
            self._fail(httpx.RemoteProtocolError("the connection ended without an answer"))
        else:
            self._fail(httpx.ReadError(str(exc or "the connection ended within the answer")), exc)

    # The parser's callbacks.

    def on_message_begin(self) -> None:
        self._headers = {}
        self._pieces = []
        self._status = 0
        self._is_reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._status:
            return  # a trailer, which must not change what the head said
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:  # below, an interim answer
            self._status = status

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= self._limit:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        if self._status and self._whole is None:  # a second answer to one request is none
            self._whole = Answered(self._status, self._headers, b"".join(self._pieces))
            self._is_reusable = self._parser.should_keep_alive()

    # How an exchange ends.

    def _ends_with_connection(self) -> bool:
        """Whether the answer under way tells its end in no other way."""
        return self._status > 0 and not {"content-length", "transfer-encoding"} & self._headers.keys()

    def _finish(self, whole: Answered) -> None:
        answer, self._answer = self._answer, None
        if self._is_reusable:
            self._idle.append(self)
            self._wait(KEPT_SECONDS)
        else:
            self._transport.close()
        self._forget()
        if answer is None or answer.done():
            return
        encodings = whole.headers.get("content-encoding")
        try:
            answer.set_result(
                whole if encodings is None else whole._replace(body=_decoded(whole.body, encodings, self._limit))
            )
        except zlib.error as error:
            answer.set_exception(_caused(httpx.DecodingError(str(error)), error))
        except TooLarge as error:
            answer.set_exception(error)

    def _forget(self) -> None:
        self._whole = None
        self._size = self._head_size = 0
        self.on_message_begin()

    def _fail(self, error: Exception, cause: BaseException | None = None) -> None:
        answer, self._answer = self._answer, None
        self.abort()
        if answer is not None and not answer.done():
            answer.set_exception(_caused(error, cause))

    # One timer, for silence within an exchange and for a life without one; moved on only when it rings.

    def _wait(self, seconds: float) -> None:
        self._due = self._loop.time() + seconds
        if self._timer is None or self._due < self._armed:
            if self._timer is not None:
                self._timer.cancel()
            self._arm()

    def _arm(self) -> None:
        self._armed = self._due
        self._timer = self._loop.call_at(self._due, self._ring)

    def _ring(self) -> None:
        if self._due > self._loop.time():
            self._arm()
        elif self._answer is None:
            self._transport.close()
        else:
            self._fail(httpx.ReadTimeout(f"silent for {self._read_seconds} s"))


# What is written.


class _Place(NamedTuple):
    is_secure: bool
    host: str
    port: int
    host_header: str


_PLAIN_URL = re.compile(
    r"(https?://[A-Za-z0-9.-]+(?::\d{1,5})?)(/[\w.~!$&'()*+,;=:@/?-]*(?:%[0-9A-Fa-f]{2}[\w.~!$&'()*+,;=:@/?-]*)*)",
    re.ASCII,
)


def _split(url: str) -> tuple[str, str]:
    """Origin and target; what is not plain is first made so by httpx. Raises httpx.InvalidURL."""
    plain = _PLAIN_URL.fullmatch(url)
    if plain is None or "/." in plain[2]:
        read = httpx.URL(url)
        if read.scheme not in ("http", "https") or not read.host:
            raise httpx.UnsupportedProtocol(f"neither http nor https: {url}")
        return f"{read.scheme}://{read.netloc.decode()}", read.raw_path.decode()
    return plain[1], plain[2]


@lru_cache(1024)
def _place(origin: str) -> _Place:
    read = httpx.URL(origin)
    is_secure = read.scheme == "https"
    port = read.port or (443 if is_secure else 80)
    return _Place(is_secure, read.raw_host.decode(), port, read.netloc.decode())


def _written(method: Method, target: str, host: str, headers: Mapping[str, str], content: bytes) -> bytes:
    """The bytes of a request. Raises httpx.LocalProtocolError rather than let a value write a header of its own."""
    length = len(content) if content or method == "POST" else None
    return f"{method} {target} HTTP/1.1\r\n".encode() + _head(host, tuple(headers.items()), length) + content


@lru_cache(256)
def _head(host: str, headers: tuple[tuple[str, str], ...], length: int | None) -> bytes:
    """The lines that follow the first: the same for most requests to a provider."""
    lines = [f"host: {host}", *[f"{name}: {value}" for name, value in headers]]
    if length is not None:
        lines.append(f"content-length: {length}")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1 or "\0" in text or not text.isascii():
        raise httpx.LocalProtocolError("a header holds a character that it may not")
    return text.encode() + b"\r\n\r\n"


# What is read.

_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_RAW_DEFLATE = -15


def _decoded(body: bytes, encodings: str, limit: int) -> bytes:
    """The content, up to the limit. Raises zlib.error and TooLarge."""
    for name in reversed(encodings.split(",")) if body else ():
        window = _WINDOWS.get(name.strip().lower())
        if window is None:
            continue
        try:
            body = _inflated(body, window, limit)
        except zlib.error:
            # Some mean by "deflate" the bare stream, as RFC 9110 §8.4.1.2 notes.
            if name.strip().lower() != "deflate":
                raise
            body = _inflated(body, _RAW_DEFLATE, limit)
    return body


def _inflated(body: bytes, window: int, limit: int) -> bytes:
    content = zlib.decompressobj(window).decompress(body, limit + 1)
    if len(content) > limit:
        raise TooLarge
    return content


def _caused(error: Exception, cause: BaseException | None) -> Exception:
    error.__cause__ = cause
    return error
