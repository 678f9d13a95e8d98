"""Real servers for every test that needs one, from the wheels Octroi itself embeds.

The workers of a run share one PostgreSQL; each has a Valkey of its own. Ask for

- `pool`: a pool on a migrated, empty database that nobody else uses (`database_url` is its address);
- `valkey`: a client of an empty Valkey (`valkey_url` is its address, shared by the tests of the worker);
- `postgres_url`: a migrated database shared by the tests of the worker, where isolation does not matter;
- `clock`: a clock that moves only when told.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
import redis.asyncio as redis

from gateway.database import Pool, open_pool
from gateway.embedded import EmbeddedServers
from gateway.migrate import migrate
from tests.ratelimit.servers import Cluster


class HandClock:
    """Seconds since the epoch, as set by the test."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> HandClock:
    """A clock at rest: 2026-03-02, 10:00 in Paris."""
    return HandClock(1772442000.0)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of the run's PostgreSQL; whoever leaves last removes it."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid4().hex)
    folder = Path(tempfile.gettempdir()) / f"octroi-tests-{run}"
    servers = EmbeddedServers(folder, valkey=False, durable=False)
    servers.start()
    yield servers.database_url
    if servers.stop():
        shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="session")
async def postgres_template(postgres_server: str) -> str:
    """The name of a migrated database to copy; one a worker, as a template must be idle while it is copied."""
    name = f"template_{uuid4().hex}"
    await _execute(postgres_server, f"CREATE DATABASE {name}")
    await migrate(_database(postgres_server, name))
    return name


@pytest_asyncio.fixture(scope="session")
async def postgres_url(postgres_server: str, postgres_template: str) -> str:
    """A migrated database, shared by the tests of this worker."""
    name = f"shared_{uuid4().hex}"
    await _execute(postgres_server, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    return _database(postgres_server, name)


@pytest_asyncio.fixture
async def database_url(postgres_server: str, postgres_template: str) -> AsyncIterator[str]:
    """A migrated, empty database for this test alone."""
    name = f"test_{uuid4().hex}"
    await _execute(postgres_server, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    yield _database(postgres_server, name)
    await _execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """Connections to `database_url`."""
    opened = await open_pool(database_url)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """The address of this worker's Valkey."""
    with (
        tempfile.TemporaryDirectory(prefix="octroi-tests-") as folder,
        EmbeddedServers(Path(folder), postgres=False) as servers,
    ):
        yield servers.redis_url


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for the tests that leave it as it was."""
    started = Cluster(tmp_path_factory.mktemp("cluster")).start()
    yield started
    started.stop()


@pytest_asyncio.fixture
async def valkey(valkey_url: str) -> AsyncIterator[redis.Redis]:
    """A client of this worker's Valkey, emptied first."""
    async with redis.Redis.from_url(valkey_url) as client:
        await client.flushall()
        yield client


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _database(url: str, name: str) -> str:
    return url.rpartition("/")[0] + "/" + name
