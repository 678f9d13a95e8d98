"""Links to real servers: alone, and in a cluster of three."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import redis

from config.clock import system_clock
from config.settings import RateLimitSettings
from ratelimit.limiter import Limiter
from ratelimit.link import Link
from tests.ratelimit.servers import Cluster, Valkey

TIMEOUT = 0.25


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey of this test alone, to be maltreated."""
    started = Valkey(tmp_path).start()
    yield started
    started.kill()


@pytest_asyncio.fixture
async def link(valkey_url: str, valkey: object) -> AsyncIterator[Link]:
    """A link to an empty single server."""
    opened = await Link.open(valkey_url, TIMEOUT)
    yield opened
    await opened.close()


@pytest.fixture(params=["single", pytest.param("cluster", marks=pytest.mark.slow)])
def any_url(request: pytest.FixtureRequest, valkey_url: str) -> str:
    """An empty single server, then an empty cluster: what passes on one must pass on the other."""
    if request.param == "cluster":
        cluster: Cluster = request.getfixturevalue("cluster")
        cluster.flush()
        return cluster.url
    with redis.Redis.from_url(valkey_url) as client:
        client.flushall()
    return valkey_url


@pytest_asyncio.fixture
async def any_link(any_url: str) -> AsyncIterator[Link]:
    """A link to either, not in the last seconds of a minute, which the counts of a test would straddle."""
    opened = await Link.open(any_url, 1.0)
    left = 60 - int((await opened.send(b"k", b"TIME"))[0]) % 60  # type: ignore[index]
    if left < 3:
        await asyncio.sleep(left)
    yield opened
    await opened.close()


@pytest.fixture
def limiter_of() -> Callable[..., Limiter]:
    """A limiter on that link, with those settings."""

    def make(link: Link, *, workers: int = 1, clock: Callable[[], float] = system_clock, **settings: int) -> Limiter:
        return Limiter(link, RateLimitSettings(**settings), workers, clock)

    return make
