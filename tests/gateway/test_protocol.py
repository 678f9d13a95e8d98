"""The protocol's own answers beside those of the ASGI door: the same requests, byte for byte the same answers."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from config.settings import Settings
from gateway import metrics
from gateway.app import Gateway
from gateway.parts import Parts, publisher
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
    parts: Parts

    async def another_token(self) -> str:
        return await _token(self.parts)

    async def revoke(self, token: str) -> None:
        jti = self.parts.keys.verify(token).jti
        _, states = await Store(self.parts.pool, self.parts.clock).revoke_token(jti)
        for state in states:
            await publisher(self.parts.limiter)(state.jti, state.version, state.pack())


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
    yield Both(servers[0][1], servers[1][1], await _token(parts), parts)
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


async def _token(parts: Parts) -> str:
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
    raw = re.sub(rb"ratelimit-(remaining|reset): \d+\r\n", b"", raw)
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


async def conversation(port: int, sent: list[bytes], *, pause: bool = True) -> list[object]:
    """What comes back over one connection for requests sent one after the other, or all at once."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    if not pause:
        writer.write(b"".join(sent))
    for piece in sent:
        if pause:
            writer.write(piece)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 15)
        length = int(re.search(rb"content-length: (\d+)", head)[1])  # type: ignore[index]
        answers.append(in_head_order(head + await reader.readexactly(length)))
    writer.close()
    return answers


class TestARequestThatHasBeenReadBefore:
    """It is not parsed again, and nobody can tell."""

    @pytest.mark.parametrize("target", [UNITE, "/v3/nowhere", "/v2/gone", UNITE.replace("000010017", "123")])
    async def test_is_answered_alike_each_time(self, both: Both, target: str) -> None:
        sent = [request_text("GET", target, ["Accept: */*"], both.token, last=False)] * 4

        direct, asgi = await conversation(both.direct, sent), await conversation(both.asgi, sent)

        assert direct == asgi

    async def test_keeps_its_place_among_pipelined_ones(self, both: Both) -> None:
        known = request_text("GET", "/v3/known", [], both.token, last=False)
        await conversation(both.direct, [known, known])
        others = [request_text("GET", target, [], both.token, last=False) for target in (UNITE, "/privileges", "/v2/x")]
        sent = [known, *others, known]

        last = request_text("GET", "/v3/known", [], both.token, last=True)

        at_once = await conversation(both.direct, sent, pause=False)
        oracle = await conversation(both.asgi, sent, pause=False)
        in_two = await exchange(both.direct, [known, b"".join([*others, last])])

        assert at_once == oracle
        assert in_two.count(b"HTTP/1.1 ") == len(sent)

    async def test_has_an_identifier_of_its_own(self, both: Both) -> None:
        sent = request_text("GET", UNITE, ["Accept: a/b"], both.token, last=False)
        reader, writer = await asyncio.open_connection("127.0.0.1", both.direct)
        found = []
        for _ in range(3):
            writer.write(sent)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(re.search(rb"content-length: (\d+)", head)[1]))  # type: ignore[index]
            found.append(re.search(rb"x-request-id: (\S+)", head)[1])  # type: ignore[index]
        writer.close()

        assert len(set(found)) == 3

    async def test_is_refused_once_its_token_is_revoked(self, both: Both) -> None:
        token = await both.another_token()
        sent = [request_text("GET", UNITE, [], token, last=False)]
        await conversation(both.direct, sent * 2)

        await both.revoke(token)

        assert b"00105" in str(await conversation(both.direct, sent)).encode()

    async def test_two_requests_in_one_piece_are_two_each_time(self, both: Both) -> None:
        pair = request_text("GET", "/v3/a", [], both.token, last=False) + request_text(
            "GET", "/v3/b", [], both.token, last=False
        )
        for _ in range(3):
            answers = await conversation(
                both.direct, [pair[: pair.index(b"GET /v3/b")], pair[pair.index(b"GET /v3/b") :]], pause=False
            )
            assert len(answers) == 2


async def test_a_client_that_leaves_does_not_disturb_the_next(both: Both) -> None:
    for port in (both.direct, both.asgi):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_text("GET", UNITE, [], both.token, last=False)[:-2])
        writer.close()

    answer = await exchange(both.direct, [request_text("GET", "/privileges", [], both.token, last=True)])

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
