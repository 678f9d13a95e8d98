"""The whole gateway over a Redis cluster of three: what works on one server works there, unchanged."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio

from providers.simulator.identifiers import siren_of
from providers.simulator.world import SHOWCASE
from tests.e2e.office import Office, open_office
from tests.e2e.running import Served, bytes_from, code_of, in_one_minute
from tests.e2e.simulated import TWINS_MEET, calls_about, providers
from tests.ratelimit.servers import Cluster

pytestmark = pytest.mark.slow

WORKERS = 2
SETTINGS = {
    "OCTROI_RATELIMIT__IP_PER_MINUTE": "100000",
    "OCTROI_RATELIMIT__REFUSALS_BEFORE_BAN": "30",
    "OCTROI_RATELIMIT__REDIS_TIMEOUT_SECONDS": "1",
}
UNITE = f"/v4/insee/sirene/unites_legales/{SHOWCASE.siren}"
PAGE = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    started = Cluster(tmp_path_factory.mktemp("cluster")).start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def module_redis(cluster: Cluster) -> str:
    return cluster.url


@pytest_asyncio.fixture(scope="module")
async def office(gateway: Served) -> AsyncIterator[Office]:
    async with open_office(gateway) as opened:
        yield opened


async def test_answers_are_asked_for_once_and_kept_wherever_their_slot_is(
    office: Office, simulator: Served, cluster: Cluster, gateway: Served
) -> None:
    caller = await office.caller()
    sirens = [siren_of(f"002500{number:02d}") for number in range(20)]

    async with providers(simulator):
        for _ in range(2):
            answers = await asyncio.gather(
                *(caller.ask(f"/v4/insee/sirene/unites_legales/{siren}") for siren in sirens)
            )
        calls = [await calls_about(simulator, siren) for siren in sirens]

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["x-response-cached"] for answer in answers} == {"true"}
    assert calls == [1] * 20
    assert all(node.command("DBSIZE") for node in cluster.nodes)
    assert "CROSSSLOT" not in gateway.log.read_text()


async def test_quotas_are_counted_over_all_workers(office: Office) -> None:
    caller = await office.caller(rate_limit=20)
    await in_one_minute(8)

    answers = await caller.many(UNITE, 25)

    allowed = [answer for answer in answers if answer.status_code == 200]
    assert sorted(int(answer.headers["ratelimit-remaining"]) for answer in allowed) == list(range(20))
    assert [code_of(answer) for answer in answers if answer.status_code != 200] == ["00429"] * 5


async def test_a_ban_holds_in_all_workers_and_is_listed(office: Office, gateway: Served) -> None:
    caller = await office.caller(rate_limit=1, source="127.0.5.1")
    await in_one_minute(8)

    answers = await caller.in_turn(UNITE, 31)

    assert [answer.status_code for answer in answers] == [200] + [429] * 30
    assert [bytes_from(gateway.port, PAGE, "127.0.5.1") for _ in range(8)] == [b""] * 8
    operator = await office.operator()
    assert (await operator.ask("/admin/bans/127.0.5.1")).json()["data"]["reason"] == "refusals"
    assert (await operator.ask("/admin/ips/127.0.5.1")).json()["data"]["ban"] is not None


async def test_a_revocation_holds_at_the_next_call_of_every_worker(office: Office) -> None:
    caller, operator = await office.caller(), await office.operator()
    before = await caller.many(UNITE, 10)

    async with operator.client() as client:
        await client.post(f"/admin/tokens/{caller.jti}/revocation", headers=operator.authorization)
    after = await caller.many(UNITE, 10)

    assert {answer.status_code for answer in before} == {200}
    assert {code_of(answer) for answer in after} == {"00105"}


async def test_an_identical_call_under_way_is_a_conflict_and_a_link_leads_to_its_document(
    office: Office, simulator: Served
) -> None:
    caller = await office.caller()
    no_cache = {"cache-control": "no-cache"}

    async with providers(simulator, latency=TWINS_MEET):
        twins = await asyncio.gather(*(caller.ask(UNITE, headers=no_cache) for _ in range(2)))
    certificate = await caller.ask(f"/v4/urssaf/unites_legales/{SHOWCASE.siren}/attestation_vigilance")
    async with httpx.AsyncClient() as client:
        document = await client.get(certificate.json()["data"]["document_url"])
        pings = [await client.get(f"{office.url}/{path}") for path in ("ping/insee/sirene", "readyz")]

    assert sorted(answer.status_code for answer in twins) == [200, 409]
    assert document.content.startswith(b"%PDF-")
    assert [ping.status_code for ping in pings] == [200, 200]
    assert pings[1].json()["redis"] == "ok"
