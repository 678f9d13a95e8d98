"""The way to providers, over real connections to servers that say exactly what a test wants, on both event loops."""

import asyncio
import functools
import gzip
import inspect
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop
from cryptography.hazmat.primitives import serialization

from config.clock import PARIS
from config.settings import UpstreamSettings
from gateway.transport import MOST_HEAD_BYTES, ProviderTransport
from providers.base import Get, Post, Provider, ProviderFailed, Reply, Upstream
from providers.base.transport import Answered, Patience, TooLarge
from tests.gateway.test_certificates import Authority
from tests.providers.golden import MemoryDocuments, MemoryVault

LIMIT = 100_000
SOON = Patience(connect=0.3, read=0.3)
LONG = Patience(connect=9, read=9)
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def on_both_loops(test: Callable[..., Any]) -> Callable[..., None]:
    """The test, on asyncio's loop and on the one that workers run on."""
    fixtures = inspect.signature(test).parameters.values()

    def run(loop: Any, **values: Any) -> None:
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(test(**values))

    functools.update_wrapper(run, test)
    first = inspect.Parameter("loop", inspect.Parameter.KEYWORD_ONLY)
    run.__signature__ = inspect.Signature([first, *(p.replace(kind=p.KEYWORD_ONLY) for p in fixtures)])  # type: ignore[attr-defined]
    return pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])(
        run
    )


@dataclass
class Server:
    """What was asked of it, and over how many connections; `ended` is set when one of them is over."""

    url: str = ""
    asked: list[bytes] = field(default_factory=list)
    connections: int = 0
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def listening(script: Script, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The address of a server that does to each connection what the script says, then closes it."""
    scripts: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        scripts.add(task)
        try:
            await script(reader, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"{'https' if context else 'http'}://127.0.0.1:{port}"
    for task in scripts:
        task.cancel()
    await asyncio.gather(*scripts, return_exceptions=True)
    await asyncio.sleep(0.01)


@asynccontextmanager
async def a_server(*answers: bytes | None, context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Each request is given the next answer, the last one over again; where it is None, the connection is closed.

    An answer that ends in `STOP` is followed by the end of the connection.
    """
    server, due = Server(), list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0
                )
                server.asked.append(head + await reader.readexactly(length))
                server.heard.set()
                answer = due.pop(0) if len(due) > 1 else due[0]
                writer.write((answer or b"").removesuffix(STOP))
                await writer.drain()
                if answer is None or answer.endswith(STOP):
                    break
        finally:
            server.ended.set()

    async with listening(serve, context) as url:
        server.url = url
        yield server


STOP = b"<STOP>"


@asynccontextmanager
async def a_transport(context: ssl.SSLContext | None = None) -> AsyncIterator[ProviderTransport]:
    async with ProviderTransport(context or ssl.create_default_context()) as transport:
        yield transport


async def get(transport: ProviderTransport, url: str, patience: Patience = LONG, **headers: str) -> Answered:
    return await transport.exchange("GET", url, headers, b"", patience, LIMIT)


def answer(*headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *headers, "", ""]).encode() + body


CHUNKED = b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nx-late: yes\r\n\r\n"
RAW_DEFLATE = zlib.compressobj(wbits=-15)
BOMB = gzip.compress(b"x" * 1_000_000, mtime=0)
BARE = RAW_DEFLATE.compress(b"hello world") + RAW_DEFLATE.flush()


@pytest.mark.parametrize(
    "sent",
    [
        answer("content-length: 11", body=b"hello world"),
        answer("transfer-encoding: chunked", body=CHUNKED),
        answer("connection: close", body=b"hello world") + STOP,
        b"HTTP/1.0 200 OK\r\n\r\nhello world" + STOP,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
        + answer("content-length: 11", body=b"hello world"),
        *(
            answer(f"content-encoding: {name}", f"content-length: {len(body)}", body=body)
            for name, body in {
                "gzip": gzip.compress(b"hello world", mtime=0),
                "GZip": gzip.compress(b"hello world", mtime=0),
                "deflate": zlib.compress(b"hello world"),
                "DEFLATE": BARE,
                "deflate, gzip": gzip.compress(zlib.compress(b"hello world"), mtime=0),
                "identity": b"hello world",
            }.items()
        ),
    ],
)
@on_both_loops
async def test_reads_an_answer_however_it_is_told(sent: bytes) -> None:
    async with a_server(sent) as server, a_transport() as transport:
        first = await get(transport, server.url + "/")
        second = await get(transport, server.url + "/")

    assert first.status == second.status == 200
    assert first.body == second.body == b"hello world"
    assert not {"link", "x-late"} & first.headers.keys()


@on_both_loops
async def test_reads_an_answer_that_comes_byte_by_byte() -> None:
    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for byte in answer("transfer-encoding: chunked", body=CHUNKED):
            writer.write(bytes([byte]))
            await asyncio.sleep(0)

    async with listening(slowly) as url, a_transport() as transport:
        found = await get(transport, url + "/")

    assert found.body == b"hello world"


@on_both_loops
async def test_tells_headers_by_lower_case_name_and_joins_those_that_came_twice() -> None:
    sent = answer("Content-Length: 0", "X-Two: a", "LOCATION: https://elsewhere.test/", "x-two: b")
    async with a_server(sent) as server, a_transport() as transport:
        found = await get(transport, server.url + "/")

    assert found.headers == {"content-length": "0", "x-two": "a, b", "location": "https://elsewhere.test/"}


@on_both_loops
async def test_does_not_follow_a_redirect() -> None:
    moved = b"HTTP/1.1 301 Moved\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"
    async with a_server(moved) as server, a_transport() as transport:
        found = await get(transport, server.url + "/")

    assert found.status == 301
    assert len(server.asked) == 1


@on_both_loops
async def test_writes_what_was_asked() -> None:
    async with a_server(OK) as server, a_transport() as transport:
        await get(transport, server.url + "/a%20b?q=1", accept="*/*")
        await transport.exchange("POST", server.url + "/p", {"a": "b"}, b"body", LONG, LIMIT)
        await transport.exchange("POST", server.url + "/p", {}, b"", LONG, LIMIT)

    host = server.url.removeprefix("http://").encode()
    assert server.asked == [
        b"GET /a%20b?q=1 HTTP/1.1\r\nhost: " + host + b"\r\naccept: */*\r\n\r\n",
        b"POST /p HTTP/1.1\r\nhost: " + host + b"\r\na: b\r\ncontent-length: 4\r\n\r\nbody",
        b"POST /p HTTP/1.1\r\nhost: " + host + b"\r\ncontent-length: 0\r\n\r\n",
    ]


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("", b"/"),
        ("?a=b", b"/?a=b"),
        ("/été", b"/%C3%A9t%C3%A9"),
        ("/a b", b"/a%20b"),
        ("/a/../b", b"/b"),
        ("/a#part", b"/a"),
    ],
)
@on_both_loops
async def test_makes_an_address_plain_first(written: str, target: bytes) -> None:
    async with a_server(OK) as server, a_transport() as transport:
        await get(transport, server.url + written)

    assert server.asked[0].split(b" ")[1] == target


@pytest.mark.parametrize("value", ["a\r\nx-more: b", "a\nb", "a\rb", "a\0b", "é"])
@on_both_loops
async def test_lets_no_value_write_a_header_of_its_own(value: str) -> None:
    async with a_server(OK) as server, a_transport() as transport:
        with pytest.raises(httpx.LocalProtocolError):
            await get(transport, server.url + "/", a=value)
        with pytest.raises(httpx.InvalidURL):
            await get(transport, server.url + "/a\r\nb")

    assert not server.asked


@on_both_loops
async def test_keeps_a_connection_and_opens_others_beside_it() -> None:
    async with a_server(OK) as server, a_transport() as transport:
        for _ in range(3):
            await get(transport, server.url + "/")
        one_after_the_other = server.connections
        await asyncio.gather(*(get(transport, server.url + "/") for _ in range(3)))

    assert one_after_the_other == 1
    assert server.connections == 3


@pytest.mark.parametrize(
    "last",
    [
        answer("content-length: 2", "connection: close", body=b"ok"),
        OK + b"x",
        OK + b"HTTP/1.1 500 Wrong\r\nx-second: yes\r\ncontent-length: 3\r\n\r\nbad",
    ],
)
@on_both_loops
async def test_uses_a_connection_no_more_after_an_answer_that_ends_it_or_is_followed_by_something(last: bytes) -> None:
    async with a_server(last) as server, a_transport() as transport:
        first = await get(transport, server.url + "/")
        second = await get(transport, server.url + "/")

    assert first == second
    assert (first.status, first.body, "x-second" in first.headers) == (200, b"ok", False)
    assert server.connections == 2


@on_both_loops
async def test_does_not_take_what_came_unasked_for_an_answer() -> None:
    async def eager(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(answer("content-length: 3", body=b"bad"))
        await reader.read()

    async with listening(eager) as url, a_transport() as transport:
        await get(transport, url + "/")
        await asyncio.sleep(0.1)
        second = await get(transport, url + "/")

    assert second.body == b"ok"


@on_both_loops
async def test_asks_again_where_a_kept_connection_was_closed_as_it_was_used() -> None:
    async with a_server(OK, None, OK) as server, a_transport() as transport:
        await get(transport, server.url + "/1")
        again = await get(transport, server.url + "/2")

    assert again.body == b"ok"
    assert [head.split(b" ")[1] for head in server.asked] == [b"/1", b"/2", b"/2"]


@on_both_loops
async def test_does_not_ask_again_where_a_kept_connection_stays_silent() -> None:
    async with a_server(OK, b"") as server, a_transport() as transport:
        await get(transport, server.url + "/1")
        with pytest.raises(httpx.ReadTimeout):
            await get(transport, server.url + "/2", SOON)

    assert len(server.asked) == 2


@on_both_loops
async def test_does_not_post_again() -> None:
    async with a_server(OK, None, OK) as server, a_transport() as transport:
        await get(transport, server.url + "/1")
        with pytest.raises(httpx.RemoteProtocolError):
            await transport.exchange("POST", server.url + "/2", {}, b"x", LONG, LIMIT)

    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (STOP, httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\ncontent-le" + STOP, httpx.RemoteProtocolError),
        (b"hello\r\n\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nx: " + b"x" * 2 * MOST_HEAD_BYTES, httpx.RemoteProtocolError),
        (answer("content-length: 5", body=b"hel") + STOP, httpx.ReadError),
        (answer("transfer-encoding: chunked", body=b"5\r\nhello\r\n") + STOP, httpx.ReadError),
        (answer("transfer-encoding: chunked", body=b"x\r\nhello\r\n"), httpx.RemoteProtocolError),
        (answer("content-length: 5", body=b"hel"), httpx.ReadTimeout),
        (b"HTTP/1.1 200 OK\r\n", httpx.ReadTimeout),
        (answer("content-encoding: gzip", "content-length: 5", body=b"hello"), httpx.DecodingError),
        (answer("content-length: 100001", body=b"x" * 100_001), TooLarge),
        (answer("content-length: 1000000000000", body=b"x" * 100_001), TooLarge),
        (answer(body=b"x" * 100_001) + STOP, TooLarge),
        (answer("content-encoding: gzip", f"content-length: {len(BOMB)}", body=BOMB), TooLarge),
    ],
)
@on_both_loops
async def test_tells_what_went_wrong(sent: bytes, error: type[Exception]) -> None:
    async with a_server(sent) as server, a_transport() as transport:
        with pytest.raises(error):
            await get(transport, server.url + "/", SOON if error is httpx.ReadTimeout else LONG)


@on_both_loops
async def test_closes_the_connection_of_a_call_that_is_given_up() -> None:
    async with a_server(b"HTTP/1.1 200 OK\r\n") as server, a_transport() as transport:
        call = asyncio.create_task(transport.exchange("GET", server.url + "/", {}, b"", LONG, LIMIT))
        await asyncio.wait_for(server.heard.wait(), 5)
        call.cancel()
        await asyncio.wait_for(server.ended.wait(), 5)

    assert call.cancelled()


@on_both_loops
async def test_closes_a_connection_that_nobody_needed_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.transport.KEPT_SECONDS", 0.1)
    async with a_server(OK) as server, a_transport() as transport:
        await get(transport, server.url + "/")
        await asyncio.wait_for(server.ended.wait(), 5)
        await get(transport, server.url + "/")

    assert server.connections == 2


@on_both_loops
async def test_a_pause_counts_from_the_last_byte_and_not_from_the_last_call() -> None:
    async with a_server(OK, b"HTTP/1.1 200 OK\r\n") as server, a_transport() as transport:
        await get(transport, server.url + "/")
        began = asyncio.get_running_loop().time()
        with pytest.raises(httpx.ReadTimeout):
            await transport.exchange("GET", server.url + "/", {}, b"", Patience(1, 0.1), LIMIT)
        lasted = asyncio.get_running_loop().time() - began

    assert 0.05 < lasted < 0.9


# What becomes of errors of the network, through `Upstream`.


async def sent_to(base_url: str, transport: ProviderTransport, post: bool = False) -> Reply:
    provider = Provider(slug="p", code="99", name="P", base_url=base_url)
    now = datetime.now(PARIS)
    upstream = Upstream(transport, UpstreamSettings(), {}, MemoryVault(), MemoryDocuments(), lambda: now)
    return await upstream.send(provider, Post("/") if post else Get("/"), {})


async def code_of(base_url: str, transport: ProviderTransport) -> str:
    with pytest.raises(ProviderFailed) as failed:
        await sent_to(base_url, transport)
    return failed.value.kind.code


@on_both_loops
async def test_a_provider_that_refuses_is_unavailable_and_one_without_address_has_no_name() -> None:
    async with listening(lambda reader, writer: asyncio.sleep(0)) as url:
        pass
    async with a_transport() as transport:
        refused = await code_of(url, transport)
        unknown = await code_of("http://nowhere.invalid", transport)
        unnamed = await code_of(f"http://{'x' * 64}.test", transport)

    assert (refused, unknown, unnamed) == ("001", "004", "001")


@on_both_loops
async def test_a_provider_that_resets_the_connection_is_unavailable() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.get_extra_info("socket").setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER, for no time at all
        writer.transport.abort()

    async with listening(reset) as url, a_transport() as transport:
        assert await code_of(url, transport) == "001"


def server_context(authority: Authority, directory: Path) -> ssl.SSLContext:
    (directory / "server.pem").write_bytes(authority.pem("provider"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem")
    return context


@on_both_loops
async def test_speaks_tls_and_judges_the_certificate(tmp_path: Path) -> None:
    ours, others = Authority(), Authority()
    trusted = ssl.create_default_context(cadata=ours.certificate.public_bytes(serialization.Encoding.PEM).decode())
    async with a_transport(trusted) as transport:
        async with a_server(OK, context=server_context(ours, tmp_path)) as server:
            replies = [await sent_to(server.url, transport) for _ in range(2)]
            connections = server.connections
        async with a_server(OK, context=server_context(others, tmp_path)) as server:
            stranger = await code_of(server.url, transport)

    assert [reply.status for reply in replies] == [200, 200]
    assert connections == 1
    assert stranger == "009"


@on_both_loops
async def test_a_tls_connection_cut_short_is_tried_three_times() -> None:
    connections = 0

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read(10_000)

    async with listening(cut) as url, a_transport() as transport:
        code = await code_of(url.replace("http:", "https:"), transport)

    assert code == "001"
    assert connections == 3


@on_both_loops
async def test_a_provider_that_does_not_finish_to_connect_is_too_slow() -> None:
    async with listening(lambda reader, writer: asyncio.sleep(9)) as url, a_transport() as transport:
        with pytest.raises(httpx.ConnectTimeout):
            await get(transport, url.replace("http:", "https:") + "/", SOON)
