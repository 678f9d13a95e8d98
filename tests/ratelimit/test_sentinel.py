"""The link behind a sentinel: the primary may die, and another take its place."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ratelimit.link import Link, RedisUnavailable
from tests.ratelimit.servers import Watched, eventually

pytestmark = pytest.mark.slow


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    started = Watched(tmp_path).start()
    yield started
    started.stop()


async def test_the_primary_is_found_and_after_a_failover_the_new_one(watched: Watched) -> None:
    link = await Link.open(watched.url, 0.25)
    assert await link.send(b"k", b"SET", b"k", b"v") == b"OK"
    assert await link.client.get("k") == b"v"
    await eventually(lambda: watched.replica.command("GET", "k") == b"v")

    watched.primary.kill()
    await eventually(lambda: not link.available)
    with pytest.raises(RedisUnavailable):
        await link.send(b"k", b"GET", b"k")
    await eventually(lambda: link.available, 15.0)

    assert await link.send(b"k", b"GET", b"k") == b"v"
    assert await link.send(b"k", b"SET", b"k", b"w") == b"OK"
    assert watched.replica.command("GET", "k") == b"w"
    await link.close()


async def test_a_primary_that_hangs_is_replaced_too(watched: Watched) -> None:
    link = await Link.open(watched.url, 0.25)
    watched.primary.freeze()

    async def works() -> bool:
        try:
            return await link.send(b"k", b"SET", b"k", b"v") == b"OK"
        except RedisUnavailable:
            return False

    async with asyncio.timeout(15.0):
        while not await works():  # noqa: ASYNC110 - a failover is announced to nobody here
            await asyncio.sleep(0.02)

    assert watched.replica.command("GET", "k") == b"v"
    await link.close()
