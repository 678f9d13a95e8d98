"""One gateway behind two protocols, ours and uvicorn's own, and raw conversations with both."""

import asyncio
import math
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from config.settings import Settings
from gateway import metrics
from gateway.app import Gateway
from gateway.cache import Kept
from gateway.parts import Parts, publisher
from gateway.protocol import DOORSTEP, SilentProtocol
from gateway.registry.rules import Terms
from gateway.registry.store import CHANNEL, Store
from tests.e2e.running import free_port

SCOPES = ("entreprises", "etablissements")
QUERY = "context=a&object=b&recipient=13002526500013"
UNITE = f"/v4/insee/sirene/unites_legales/000010017?{QUERY}"
KEPT = f"/v4/insee/sirene/unites_legales/000010025?{QUERY}"
"""An answer that the cache holds: from its second call on, the fast path's."""
KEPT_REFUSAL = f"/v3/insee/sirene/unites_legales/000010033?{QUERY}"


@dataclass
class Both:
    """The same gateway, behind each protocol."""

    direct: int
    asgi: int
    token: str
    parts: Parts

    async def another_token(self, scopes: tuple[str, ...] = SCOPES) -> str:
        token = await _token(self.parts, scopes)
        await self.has_heard()
        return token

    async def has_heard(self) -> None:
        """Wait until the worker has heard all that PostgreSQL announced so far: announcements come in their order."""
        registry, last = self.parts.registry, f"announced-{uuid4()}"
        await registry.is_listening.wait()
        registry._absent[last] = math.inf
        await self.parts.pool.execute("SELECT pg_notify($1, $2)", CHANNEL, last)
        async with asyncio.timeout(30):
            while last in registry._absent:  # noqa: ASYNC110 - what is forgotten announces itself to nobody
                await asyncio.sleep(0.005)

    async def revoke(self, token: str) -> None:
        jti = self.parts.keys.verify(token).jti
        _, states = await Store(self.parts.pool, self.parts.clock).revoke_token(jti)
        for state in states:
            await publisher(self.parts.limiter)(state.jti, state.version, state.pack())


@asynccontextmanager
async def both_served(postgres_url: str, valkey_url: str, folder: Path) -> AsyncIterator[Both]:
    """Until the end of the block."""
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
    await fill(parts)
    servers = [await _served(gateway, parts, protocol) for protocol in (SilentProtocol, HttpToolsProtocol)]
    yield Both(servers[0][1], servers[1][1], await _token(parts), parts)
    for server, _, task in servers:
        server.should_exit = True
        await task
    await gateway.close()


async def fill(parts: Parts) -> None:
    """Have the cache hold what it is said to hold."""
    now = parts.clock()
    await keep(parts, KEPT, Kept(200, b'{"data":{}}', now, now + 3600))
    await keep(parts, KEPT_REFUSAL, Kept(404, b'{"errors":[]}', now, now + 3600, ("01003",)))


async def keep(parts: Parts, target: str, kept: Kept) -> None:
    async def make() -> Kept:
        return kept

    await parts.pipeline.cache.fill(digest_of(parts, target), make)


def digest_of(parts: Parts, target: str) -> bytes:
    return parts.pipeline.router.find(target.partition("?")[0].encode()).digest


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


async def _token(parts: Parts, scopes: tuple[str, ...] = SCOPES) -> str:
    store = Store(parts.pool, parts.clock)
    terms = Terms(siret="13002526500013", intitule="Test", scopes=scopes)
    token, _ = await store.issue_token((await store.create_habilitation(terms)).id)
    return parts.keys.sign(
        jti=token.jti, scopes=token.scopes, subject="Test", issued_at=int(parts.clock()), expires_at=2**31
    )


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
    raw = re.sub(rb"(x-cache-expires-in: |ttl=)\d+", rb"\1some", raw)
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
