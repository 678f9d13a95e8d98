"""The bench's own generator and its banned client, against servers that behave as told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench import work
from bench.knock import Client, Knock
from bench.load import CLOSED, Generator, Load
from bench.upstream import Connection, State

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HITS = work.asks((("hit", 100),), 8, companies=8)


@asynccontextmanager
async def upstream() -> AsyncIterator[int]:
    """The bench's provider, which finds every company: a gateway that never refuses."""
    server = await asyncio.get_running_loop().create_server(lambda: Connection(State()), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[int]:
    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def load(folder: Path, port: int, asks: list[work.Ask], **more: Any) -> Load:
    path = folder / "asks"
    path.write_text("".join(f"{ask.line()}\n" for ask in asks))
    told = {"varying": False, "connections": 4, "seconds": 5.0, "requests": 20, **more}
    return Load(port=port, asks=str(path), tokens={"good": "t", "forged": "f"}, **told)


async def test_every_answer_is_read_and_none_is_left_unfinished(tmp_path: Path) -> None:
    async with upstream() as port:
        outcome = await Generator(load(tmp_path, port, HITS)).run()

    assert (outcome.answers, outcome.sent, outcome.statuses) == (20, 20, {200: 20})
    assert (outcome.wrong, outcome.broken, outcome.unfinished) == (0, 0, 0)
    assert outcome.p50_ms <= outcome.p99_ms


async def test_an_answer_that_another_request_deserves_is_wrong(tmp_path: Path) -> None:
    forged = work.asks((("forged", 100),), 8, companies=8)
    async with upstream() as port:
        outcome = await Generator(load(tmp_path, port, forged)).run()

    assert (outcome.statuses, outcome.wrong) == ({200: 20}, 20)


async def test_a_pace_is_kept(tmp_path: Path) -> None:
    async with upstream() as port:
        outcome = await Generator(load(tmp_path, port, HITS, per_second=100, seconds=0.4, requests=None)).run()

    assert 38 <= outcome.answers <= 41


async def test_a_connection_closed_without_an_answer_is_told(tmp_path: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with talking(hang_up) as port:
        outcome = await Generator(load(tmp_path, port, HITS)).run()

    assert (outcome.statuses, outcome.wrong) == ({CLOSED: 20}, 20)


async def test_a_banned_client_counts_silences_and_bytes_apart() -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        writer.transport.abort()

    async def refusal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    for talk, status in ((silence, CLOSED), (refusal, 403)):
        async with talking(talk) as port:
            told = Knock(port=port, source="127.0.9.7", token="t", path="/", connections=2, seconds=0.2)
            outcome = await Client(told).run()
        assert outcome.statuses == {status: outcome.answers}
        assert outcome.answers > 2
        assert outcome.broken == 0
