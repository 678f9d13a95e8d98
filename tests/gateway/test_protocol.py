"""The protocol's own answers beside those of the ASGI door: the same requests, byte for byte the same answers."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from config.settings import Settings
from gateway import metrics
from gateway.app import Gateway
from gateway.parts import Parts
from gateway.protocol import DOORSTEP, SilentProtocol
from gateway.registry.rules import Terms
from gateway.registry.store import Store
from tests.e2e.running import free_port

QUERY = "context=a&object=b&recipient=13002526500013"
UNITE = f"/v4/insee/sirene/unites_legales/000010017?{QUERY}"

TARGETS = st.sampled_from(
    [
        UNITE,
        "/v4/insee/sirene/unites_legales/123?" + QUERY,
        "/v4/insee/sirene/unites_legales/000010017",
        "/v4/insee/sirene/etablissements/00001001700010/adresse?" + QUERY,
        "/v3/nowhere",
        "/v2/anything",
        "/privileges",
        "//v3/insee",
        "/v3/insee/%2e%2e/x?%ff=%00",
        "/v4/insee/sirene/unites_legales/0000%2F10017?" + QUERY,
        "/livez",
        "/openapi.json",
        "/admin/bans",
        "/",
    ]
)
METHODS = st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "DELETE"])
HEADERS = st.lists(
    st.sampled_from(
        [
            "Accept: application/json",
            "Accept: nonsense",
            "X-Request-Id: 7c1f0d3e-6f0a-4c5e-9d3a-0a4a4d9c2b11",
            "X-Request-Id: not a uuid",
            "Cache-Control: no-cache",
            "X-Forwarded-For: 203.0.113.9",
            "X-Odd: \xe9\xff",
            "Content-Length: 0",
            "Connection: close",
            "Authorization: Bearer junk",
        ]
    ),
    max_size=3,
    unique=True,
)


@dataclass
class Both:
    """The same gateway, behind each protocol."""

    direct: int
    asgi: int
    token: str


@pytest_asyncio.fixture(scope="module")
async def both(postgres_url: str, valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    folder = tmp_path_factory.mktemp("protocol")
    metrics.prepare(folder / "metrics")
    told = Settings(
        redis_url=valkey_url,  # type: ignore[arg-type]
        database_url=postgres_url,  # type: ignore[arg-type]
        data_dir=folder,
        public_url="http://octroi.test",  # type: ignore[arg-type]
        upstream={"override": "http://127.0.0.1:9", "breaker": False},  # type: ignore[arg-type]
        ratelimit={"ip_per_minute": 10**9, "groups": {"json_resources_entreprise": 10**9}},  # type: ignore[arg-type]
    )
    gateway = Gateway(told)
    parts = await gateway.open()
    servers = [await _served(gateway, parts, protocol) for protocol in (SilentProtocol, HttpToolsProtocol)]
    yield Both(servers[0][1], servers[1][1], await _token(parts, folder))
    for server, _, task in servers:
        server.should_exit = True
        await task
    await gateway.close()


async def _served(
    gateway: Gateway, parts: Parts, protocol: type[asyncio.Protocol]
) -> tuple[uvicorn.Server, int, "asyncio.Task[None]"]:
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(
            gateway,
            port=port,
            http=protocol,
            lifespan="off",
            ws="none",
            server_header=False,
            access_log=False,
            log_config=None,
            proxy_headers=False,
        )
    )
    task = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)  # uvicorn tells nobody
    server.lifespan.state[DOORSTEP] = parts.doorstep
    return server, port, task


async def _token(parts: Parts, folder: Path) -> str:
    del folder
    store = Store(parts.pool, parts.clock)
    terms = Terms(siret="13002526500013", intitule="Test", scopes=("entreprises", "etablissements"))
    token, _ = await store.issue_token((await store.create_habilitation(terms)).id)
    return parts.keys.sign(
        jti=token.jti, scopes=token.scopes, subject="Test", issued_at=int(parts.clock()), expires_at=2**31
    )


async def exchange(port: int, pieces: list[bytes]) -> bytes:
    """What comes back, up to the end of the connection, for a request sent in those pieces."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        return await asyncio.wait_for(reader.read(), 15)
    finally:
        writer.close()


def comparable(raw: bytes) -> bytes:
    """Without what differs between any two answers: the moment, and what counts calls."""
    raw = re.sub(rb"(?m)^date: [^\r]*\r\n", b"", raw)
    raw = re.sub(rb"ratelimit-(remaining|reset): \d+", b"", raw)
    return re.sub(rb"x-request-id: (?!7c1f0d3e)[0-9a-f-]{36}", b"x-request-id: made", raw)


def in_head_order(raw: bytes) -> list[object]:
    """The answers one by one: status line, headers as a set (their order is no promise), body."""
    heads = comparable(raw).split(b"\r\n\r\n")
    return [[lines[0], sorted(lines[1:])] for lines in (head.split(b"\r\n") for head in heads)]


def request_text(method: str, target: str, headers: list[str], token: str | None, *, last: bool) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: octroi.test", *headers]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if last and "Connection: close" not in headers:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


REQUESTS = st.lists(st.tuples(METHODS, TARGETS, HEADERS, st.booleans()), min_size=1, max_size=4)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(asked=REQUESTS, cut=st.integers(0, 200))
async def test_pipelined_and_split_requests_are_answered_alike(
    both: Both, asked: list[tuple[str, str, list[str], bool]], cut: int
) -> None:
    last = len(asked) - 1
    raw = b"".join(
        request_text(method, target, headers, both.token if has_token else None, last=index == last)
        for index, (method, target, headers, has_token) in enumerate(asked)
    )
    pieces = [raw[:cut], raw[cut:]] if cut else [raw]

    direct, asgi = await exchange(both.direct, pieces), await exchange(both.asgi, pieces)

    assert in_head_order(direct) == in_head_order(asgi)


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /privileges HTTP/1.0\r\n\r\n",
        b"GET http://elsewhere.test/privileges HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /privileges HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"GET /privileges HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
        b"GET /privileges HTTP/1.1\nHost: x\nConnection: close\n\n",
        b"\x00\x01\x02\x03",
        b"GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab",
        b"GET /" + b"a" * 60000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
    ids=["http-1.0", "absolute-form", "two-lengths", "body", "bare-lf", "junk", "expect", "long-path"],
)
async def test_odd_requests_are_answered_alike(both: Both, raw: bytes) -> None:
    direct, asgi = await exchange(both.direct, [raw]), await exchange(both.asgi, [raw])

    assert in_head_order(direct) == in_head_order(asgi)


async def test_a_client_that_leaves_does_not_disturb_the_next(both: Both) -> None:
    for port in (both.direct, both.asgi):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_text("GET", UNITE, [], both.token, last=False)[:-2])
        writer.close()

    answer = await exchange(both.direct, [request_text("GET", "/privileges", [], both.token, last=True)])

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
