"""A gateway and simulated providers for each module that asks; settings are told by the module's `SETTINGS`."""

import json
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.running import Caller, Served, command, start_gateway, start_simulator

ALL = {"siret": "13002526500013", "title": "Test"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the gateway logged beside the failure it may explain."""
    report = yield
    given = getattr(item, "funcargs", {})
    served = given.get("gateway") or getattr(given.get("house"), "gateway", None)
    if report.failed and isinstance(served, Served):
        ended = served.process.poll()
        state = "is running" if ended is None else f"ended with {ended}"
        report.sections.append((f"gateway {served.process.pid}, which {state}", served.log.read_text()[-8000:]))
    return report


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = start_simulator(tmp_path_factory.mktemp("simulator"))
    yield served
    served.stop()


@pytest_asyncio.fixture(scope="module")
async def module_database(postgres_server: str, postgres_template: str) -> str:
    from uuid import uuid4

    from tests.conftest import _database, _execute

    name = f"module_{uuid4().hex}"
    await _execute(postgres_server, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    return _database(postgres_server, name)


@pytest.fixture(scope="module")
def module_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from gateway.embedded import EmbeddedServers

    with EmbeddedServers(tmp_path_factory.mktemp("redis"), postgres=False) as servers:
        yield servers.redis_url


@pytest.fixture(scope="module")
def gateway(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    simulator: Served,
    module_database: str,
    module_redis: str,
) -> Iterator[Served]:
    environ = {
        "OCTROI_DATABASE_URL": module_database,
        "OCTROI_REDIS_URL": module_redis,
        "OCTROI_UPSTREAM__OVERRIDE": simulator.url,
        "OCTROI_UPSTREAM__BREAKER": "false",
        "OCTROI_UPSTREAM__MAINTENANCE": "false",
        **getattr(request.module, "SETTINGS", {}),
    }
    folder = tmp_path_factory.mktemp("gateway")
    served = start_gateway(folder, environ, workers=getattr(request.module, "WORKERS", 1))
    yield served
    served.stop()


class Desk:
    """Creates habilitations and tokens, as an operator would."""

    def __init__(self, gateway: Served) -> None:
        self.environ = gateway.environ
        self.url = gateway.url

    def habilitation(self, scopes: str = "all", *more: str) -> str:
        words = [
            "habilitation",
            "create",
            "--siret",
            ALL["siret"],
            "--title",
            "Test",
            "--scopes",
            scopes,
            *more,
            "--json",
        ]
        return str(json.loads(command(self.environ, *words))["id"])

    def token(self, habilitation: str, *more: str) -> str:
        return command(self.environ, "token", "issue", "--habilitation", habilitation, *more)

    def caller(self, scopes: str = "all", *more: str, source: str = "127.0.0.1") -> Caller:
        return Caller(self.url, self.token(self.habilitation(scopes, *more)), source)

    def operator(self, scopes: str = "admin:read,admin:write") -> Caller:
        return Caller(self.url, command(self.environ, "operator", "issue", "--scopes", scopes))


@pytest.fixture(scope="module")
def desk(gateway: Served) -> Desk:
    return Desk(gateway)


@pytest.fixture(scope="module")
def caller(desk: Desk) -> Caller:
    return desk.caller()


@pytest.fixture
def spool(gateway: Served) -> Path:
    return gateway.log.parent / "spool"
