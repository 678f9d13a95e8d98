"""The handles for those who test with the simulator."""

import asyncio

import httpx
import pytest

from providers.simulator.app import create_simulator, discover
from providers.simulator.world import SHOWCASE, World
from tests.simulator.conftest import NOW, Caller, Waits


def test_each_provider_with_a_simulation_is_found() -> None:
    assert {"dgfip", "insee", "urssaf"} <= discover().keys()


async def test_calls_are_counted_by_route_and_by_path(caller: Caller) -> None:
    await asyncio.gather(*(caller.insee(f"/siren/{SHOWCASE.siren}") for _ in range(5)))

    calls = (await caller.state())["calls"]

    assert calls["total"] == 6
    assert calls["routes"]["insee GET /api-sirene/prive/3.11/siren/{siren}"] == 5
    assert calls["paths"][f"GET /insee-sirene.example/api-sirene/prive/3.11/siren/{SHOWCASE.siren}"] == 5
    assert calls["routes"]["insee POST /token"] == 1


async def test_the_list_tells_companies_faults_and_that_all_is_fictitious(caller: Caller, world: World) -> None:
    state = await caller.state()

    assert state["fictitious"] is True
    assert len(state["companies"]) == len(world.companies)
    assert {"slow", "down", "drip"} <= {fault["name"] for fault in state["faults"]}


async def test_a_fault_is_switched_for_a_siren_a_provider_or_all(caller: Caller) -> None:
    await caller.control("faults", faults={SHOWCASE.siren: "http_503", "urssaf": "quota"})
    assert (await caller.insee(f"/siren/{SHOWCASE.siren}")).status_code == 503
    assert (await caller.insee("/siren/000010025")).status_code == 200
    assert (await caller.urssaf("000010025")).status_code == 429

    await caller.control("faults", faults={"*": "http_500"})
    assert (await caller.insee("/siren/000010025")).status_code == 500
    assert (await caller.dgfip("etatSante")).status_code == 500

    await caller.control("faults", faults={})
    assert (await caller.insee(f"/siren/{SHOWCASE.siren}")).status_code == 200


@pytest.mark.parametrize(
    "body",
    [{"faults": {"*": "earthquake"}}, {"faults": ["slow"]}, {"latency": -1}, {"latency": "fast"}, {"speed": 3}],
)
async def test_a_wrong_switch_is_refused_and_changes_nothing(caller: Caller, body: dict[str, object]) -> None:
    before = await caller.state()

    reply = await caller.control("faults", **body)

    assert reply.status_code == 422
    assert await caller.state() == before


async def test_a_body_that_is_no_json_is_refused(caller: Caller) -> None:
    assert (await caller.client.post("/_simulator/faults", content=b"{")).status_code == 422


async def test_expired_tokens_are_refused_and_new_ones_accepted(caller: Caller) -> None:
    await caller.control("expire-tokens")
    assert (await caller.insee(f"/siren/{SHOWCASE.siren}")).status_code == 401

    await caller.log_in()

    assert (await caller.insee(f"/siren/{SHOWCASE.siren}")).status_code == 200


async def test_reset_brings_back_the_start(caller: Caller) -> None:
    await caller.control("faults", faults={"*": "slow"}, latency=2)

    await caller.control("reset")

    state = await caller.state()
    assert (state["switched"], state["latency"], state["calls"]["total"]) == ({}, 0, 0)


async def test_latency_and_jitter_delay_each_call(world: World) -> None:
    waits = Waits()
    app = create_simulator(world, latency=0.5, jitter=0.2, clock=lambda: NOW, sleep=waits)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simulator") as client:
        for _ in range(20):
            await client.post("/i.example/token", data={"grant_type": "password"})

    assert len(waits) == 20
    assert all(0.3 <= wait <= 0.7 for wait in waits)
    assert len(set(waits)) > 1


async def test_two_simulators_accept_each_others_tokens(caller: Caller, world: World) -> None:
    other = create_simulator(world, clock=caller.clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(other), base_url="http://other") as client:
        path = f"/i.example/api-sirene/prive/3.11/siren/{SHOWCASE.siren}"

        reply = await client.get(path, headers=caller.headers)

    assert reply.status_code == 200


async def test_an_unserved_path_says_so(caller: Caller) -> None:
    unserved = await caller.client.get("/host.example/nothing/here")
    bare = await caller.client.get("/")
    control = await caller.client.delete("/_simulator/faults")

    assert [reply.status_code for reply in (unserved, bare, control)] == [404, 404, 404]
