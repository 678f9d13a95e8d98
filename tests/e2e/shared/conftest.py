"""One gateway for the tests that leave it as it was."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
import pytest_asyncio
import redis

from gateway.embedded import EmbeddedServers
from tests.conftest import _database, _execute
from tests.e2e.office import Office, Registered, open_office
from tests.e2e.running import Served, free_port, start_gateway

SETTINGS = {
    "OCTROI_UPSTREAM__BREAKER": "false",
    "OCTROI_PROVIDERS__DGFIP__MAINTENANCE": "[]",
    "OCTROI_PROVIDERS__CNETP__MAINTENANCE": '[{"start": "00:00", "end": "23:59:59"}]',
    "OCTROI_RATELIMIT__IP_PER_MINUTE": "100000",
    "OCTROI_RATELIMIT__REFUSALS_BEFORE_BAN": "10",
    "OCTROI_RATELIMIT__GROUPS__JSON_RESOURCES_ENTREPRISE": "100000",
    "OCTROI_RATELIMIT__GROUPS__HIGH_LATENCY_DOCUMENTS": "1000",
    "OCTROI_LOG_REQUESTS": "true",
}


@pytest_asyncio.fixture(scope="package")
async def shared_database(postgres_server: str, postgres_template: str) -> str:
    name = f"shared_{uuid4().hex}"
    await _execute(postgres_server, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    return _database(postgres_server, name)


@pytest.fixture(scope="package")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EmbeddedServers(tmp_path_factory.mktemp("redis"), postgres=False) as servers:
        yield servers.redis_url


@pytest.fixture(scope="package")
def metrics_port() -> int:
    return free_port()


@pytest.fixture(scope="package")
def gateway(
    tmp_path_factory: pytest.TempPathFactory,
    simulator: Served,
    shared_database: str,
    shared_redis: str,
    metrics_port: int,
) -> Iterator[Served]:
    environ = SETTINGS | {
        "OCTROI_DATABASE_URL": shared_database,
        "OCTROI_REDIS_URL": shared_redis,
        "OCTROI_UPSTREAM__OVERRIDE": simulator.url,
        "OCTROI_METRICS__PORT": str(metrics_port),
    }
    served = start_gateway(tmp_path_factory.mktemp("gateway"), environ)
    yield served
    served.stop()


@pytest_asyncio.fixture(scope="package")
async def office(gateway: Served) -> AsyncIterator[Office]:
    async with open_office(gateway) as opened:
        yield opened


@pytest_asyncio.fixture(scope="package")
async def caller(office: Office) -> Registered:
    return await office.caller()


@pytest_asyncio.fixture(scope="package")
async def operator(office: Office) -> Registered:
    return await office.operator()


@pytest.fixture
def stored(shared_redis: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(shared_redis) as client:
        yield client
