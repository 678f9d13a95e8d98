"""What watches the gateway: its own health, and its providers' (facts of the pings), asked without a token."""

import asyncio
import re
import time
from datetime import datetime

import httpx
import pytest

from providers.simulator.world import SHOWCASE
from tests.e2e.office import Office, Registered
from tests.e2e.running import Caller, Served, code_of
from tests.e2e.simulated import calls_about, providers

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0[12]:00")


async def watch(gateway: Served, path: str, source: str = "127.0.0.1", verb: str = "GET") -> httpx.Response:
    async with Registered(gateway.url, "", source).client() as client:
        return await client.request(verb, path)


@pytest.mark.parametrize("verb", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/livez", "/v2/ping", "/v3/ping", "/v4/ping"])
async def test_the_gateway_says_that_it_lives(gateway: Served, path: str, verb: str) -> None:
    answer = await watch(gateway, path, verb=verb)

    assert (answer.status_code, answer.content) == (200, b"")


async def test_the_gateway_says_that_it_is_ready_and_how_well_it_is(gateway: Served) -> None:
    answer = await watch(gateway, "/readyz")

    told = answer.json()
    assert answer.status_code == 200
    assert (told["redis"], told["database"], told["audit"]) == ("ok", "ok", "ok")
    assert told["audit_backlog_bytes"] >= 0


async def test_the_pings_are_listed_by_name_and_address(gateway: Served) -> None:
    listed = (await watch(gateway, "/pings")).json()

    assert {"name": "INSEE - Sirene", "url": f"{gateway.url}/ping/insee/sirene"} in listed
    assert {frozenset(one) for one in listed} == {frozenset({"name", "url"})}
    assert len({one["url"] for one in listed}) == len(listed)


async def test_a_provider_that_answers_is_well_and_stays_so_without_being_asked_again(
    gateway: Served, simulator: Served
) -> None:
    async with providers(simulator):
        first = await watch(gateway, "/ping/insee/sirene")
        calls = await calls_about(simulator, "30613890002979")
        again = await watch(gateway, "/ping/insee/sirene")
        calls_later = await calls_about(simulator, "30613890002979")

    assert (first.status_code, first.headers["content-type"]) == (200, "application/json")
    assert list(first.json()) == ["status", "last_update", "last_ok_status"]
    assert first.json()["status"] == "ok"
    assert MOMENT.fullmatch(first.json()["last_update"])
    assert datetime.fromisoformat(first.json()["last_ok_status"]) <= datetime.fromisoformat(first.json()["last_update"])
    assert again.content == first.content
    assert calls_later == calls


async def test_a_provider_that_fails_is_a_bad_gateway_until_it_is_mended(gateway: Served, simulator: Served) -> None:
    path = "/ping/opqibi/certification_ingenierie"
    async with providers(simulator, faults={"opqibi": "http_500"}):
        failing = await watch(gateway, path)
    mended = await watch(gateway, path)

    assert (failing.status_code, failing.json()["status"]) == (502, "bad_gateway")
    assert set(failing.json()) == {"status", "last_update", "last_ok_status"}
    assert (mended.status_code, mended.json()["status"]) == (200, "ok")


async def test_a_provider_judged_by_its_traffic_is_unknown_without_any(gateway: Served) -> None:
    answer = await watch(gateway, "/ping/cibtp/attestation_cotisations_conges_payes_chomage_intemperies")

    assert (answer.status_code, answer.json()["status"]) == (200, "unknown")


async def test_a_provider_judged_by_its_traffic_is_well_once_it_answered(
    gateway: Served, office: Office, caller: Registered
) -> None:
    answer = await caller.ask(f"/v4/urssaf/unites_legales/{SHOWCASE.siren}/attestation_vigilance")
    await office.record_of(answer)

    told = await watch(gateway, "/ping/urssaf/attestation_sociale")

    assert told.json()["status"] == "ok"


async def test_dgfip_is_judged_by_what_it_says_of_itself(gateway: Served, simulator: Served) -> None:
    async with providers(simulator, faults={"dgfip": "http_503"}):
        failing = await watch(gateway, "/ping/dgfip/liasses_fiscales")
    well = await watch(gateway, "/ping/dgfip/liasses_fiscales")

    assert (failing.status_code, failing.json()["status"]) == (502, "bad_gateway")
    assert (well.status_code, well.json()["status"]) == (200, "ok")


async def test_a_provider_that_keeps_its_caller_waiting_is_told_of_as_it_was_found_last(
    gateway: Served, simulator: Served
) -> None:
    path = "/ping/ademe/certification_rge"
    async with providers(simulator, faults={"ademe": "slow"}):
        first, took = await timed(gateway, path)
        until = time.monotonic() + 30  # the probe gives up after five seconds
        second, took_again = first, took
        while second.json()["status"] == "unknown" and time.monotonic() < until:
            await asyncio.sleep(0.5)
            second, took_again = await timed(gateway, path)

    assert (first.status_code, first.json()["status"]) == (200, "unknown")
    assert (second.status_code, second.json()["status"]) == (502, "bad_gateway")
    assert datetime.fromisoformat(second.json()["last_update"]) > datetime.fromisoformat(first.json()["last_update"])
    assert max(took, took_again) < 2  # 0.7 s of patience, and what a busy machine adds


async def timed(gateway: Served, path: str) -> tuple[httpx.Response, float]:
    answer = await watch(gateway, path)
    return answer, answer.elapsed.total_seconds()


async def test_maintenance_is_told_by_the_ping_and_by_the_data_alike(gateway: Served, caller: Registered) -> None:
    ping = await watch(gateway, "/ping/cnetp/attestation_cotisations_conges_payes_chomage_intemperies")
    data = await caller.ask(
        f"/v3/cnetp/unites_legales/{SHOWCASE.siren}/attestation_cotisations_conges_payes_chomage_intemperies"
    )

    detailed = await watch(gateway, "/ping/cnetp/attestation_cotisations_conges_payes_chomage_intemperies?detail=true")

    for answer, word in ((ping, "unknown"), (detailed, "maintenance")):
        assert answer.status_code == 200
        assert list(answer.json()) == ["status", "until", "last_update", "last_ok_status"]
        assert answer.json()["status"] == word
        assert MOMENT.fullmatch(answer.json()["until"])
    assert (data.status_code, code_of(data)) == (503, "08020")
    assert 0 < data.json()["errors"][0]["meta"]["retry_in"] <= 86400


@pytest.mark.parametrize(
    "path", ["/ping/nobody/nothing", "/ping/insee", "/ping/insee/sirene/", "/ping/%00", "/ping/insee/%0A"]
)
async def test_a_ping_that_does_not_exist_is_an_empty_object(gateway: Served, path: str) -> None:
    answer = await watch(gateway, path)

    assert (answer.status_code, answer.content) == (404, b"{}")


async def test_whoever_watches_is_neither_counted_nor_recorded_nor_told_of_quotas(
    gateway: Served, office: Office, operator: Registered
) -> None:
    paths = ("/livez", "/readyz", "/pings", "/ping/insee/sirene", "/v3/ping")
    answers = await asyncio.gather(*(watch(gateway, path, "127.0.3.9") for path in paths))

    seen = await Caller(gateway.url, operator.token).ask("/admin/ips/127.0.3.9")
    await office.record_of(seen)
    records = await office.records(0, request_id=answers[0].headers["x-request-id"])

    assert seen.json()["data"]["requests"] == 0
    assert records == []
    for answer in answers:
        assert not {name for name in answer.headers if name.startswith(("ratelimit", "x-response", "x-cache"))}


async def test_two_who_ask_for_the_same_ping_at_once_ask_the_provider_once(gateway: Served, simulator: Served) -> None:
    async with providers(simulator, latency=0.6):
        answers = await asyncio.gather(
            *(watch(gateway, "/ping/fntp/carte_professionnelle_travaux_publics") for _ in range(5))
        )
        calls = await calls_about(simulator, "385407184")

    assert {answer.json()["status"] for answer in answers} == {"ok"}
    assert calls == 1
