"""Each fault does what the table of the reference says, whichever the provider."""

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator
from itertools import pairwise

import httpx
import pytest
import uvicorn

from config.clock import system_clock
from providers.simulator import faults
from providers.simulator.app import create_simulator
from providers.simulator.world import SHOWCASE, World
from tests.simulator.conftest import Caller

S = {fault.name: fault.siren for fault in faults.FAULTS}


@pytest.mark.parametrize(
    ("name", "status"),
    [("http_500", 500), ("http_502", 502), ("http_503", 503), ("http_504", 504), ("quota", 429), ("protected", 403),
     ("unknown", 404)],
)  # fmt: skip
async def test_a_fault_is_the_same_for_every_provider(caller: Caller, world: World, name: str, status: int) -> None:
    company = world.company(S[name])
    assert company

    replies = [
        await caller.insee(f"/siren/{S[name]}"),
        await caller.insee(f"/siret/{company.siege.siret}"),
        await caller.insee("/siret", q=f"etablissementSiege:true AND siren:{S[name]}"),
        await caller.dgfip("chiffreAffaires", siret=company.siege.siret),
        await caller.urssaf(S[name]),
    ]

    assert {reply.status_code for reply in replies} == {status}


@pytest.mark.parametrize(("name", "seconds"), [("slow", 12.0), ("sluggish", 3.0)])
async def test_a_late_answer_is_a_good_one(caller: Caller, name: str, seconds: float) -> None:
    reply = await caller.insee(f"/siren/{S[name]}")

    assert caller.waits == [seconds]
    assert reply.json()["uniteLegale"]["siren"] == S[name]


async def test_a_quota_says_when_to_come_back(caller: Caller) -> None:
    assert (await caller.urssaf(S["quota"])).headers["retry-after"] == "10"


async def test_garbage_is_a_page(caller: Caller) -> None:
    reply = await caller.dgfip("attestationFiscale", siren=S["garbage"])

    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/html")


async def test_truncated_and_empty_answers_are_no_json(caller: Caller) -> None:
    truncated, empty = await caller.insee(f"/siren/{S['truncated']}"), await caller.insee(f"/siren/{S['empty']}")

    assert truncated.text.startswith('{"header"')
    with pytest.raises(json.JSONDecodeError):
        truncated.json()
    assert empty.status_code == 200
    assert empty.content == b""


async def test_a_wrong_charset_does_not_decode(caller: Caller) -> None:
    reply = await caller.insee(f"/siren/{S['charset']}")

    with pytest.raises(UnicodeDecodeError):
        reply.content.decode()


async def test_flapping_fails_one_call_in_two(caller: Caller) -> None:
    seen = [(await caller.insee(f"/siren/{S['flapping']}")).status_code for _ in range(4)]

    assert seen == [200, 500, 200, 500]


async def test_huge_deep_and_bomb_are_more_than_is_accepted(caller: Caller) -> None:
    huge, deep, bomb = [await caller.dgfip("chiffreAffaires", siret=f"{S[n]}00001") for n in ("huge", "deep", "bomb")]

    assert len(huge.content) > 20 * 1024 * 1024
    assert deep.content.startswith(b"[" * faults.DEEP)
    assert len(bomb.content) > 20 * 1024 * 1024  # once httpx has unpacked it
    assert int(bomb.headers["content-length"]) < 64 * 1024
    assert len(gzip.compress(bomb.content)) < 64 * 1024


async def test_a_drip_waits_after_each_byte(caller: Caller) -> None:
    reply = await caller.insee(f"/siren/{S['drip']}")

    assert reply.json()["uniteLegale"]["siren"] == S["drip"]
    assert set(caller.waits) == {faults.DRIP_SECONDS}
    assert len(caller.waits) == len(reply.content)


async def test_down_hangs_up_in_process(caller: Caller) -> None:
    with pytest.raises(ConnectionAbortedError):
        await caller.urssaf(S["down"])


async def test_token_endpoints_never_fail(caller: Caller) -> None:
    await caller.control("faults", faults={"*": "http_500"})

    reply = await caller.client.post("/x.example/token", data={"grant_type": "client_credentials"})

    assert reply.status_code == 200


async def test_the_recipient_of_a_certificate_brings_no_fault(caller: Caller) -> None:
    reply = await caller.urssaf(SHOWCASE.siren, beneficiaire=f"{S['http_500']}00001")

    assert reply.status_code == 200


def test_names_and_numbers_of_faults_are_unique() -> None:
    assert len(faults.BY_NAME) == len(faults.BY_SIREN) == len(faults.FAULTS)


@pytest.fixture
async def served(world: World) -> AsyncIterator[str]:
    """The simulator behind a real uvicorn."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(create_simulator(world, clock=system_clock), log_level="error", lifespan="on")
        server = uvicorn.Server(config)
        server.config.load()
        serving = asyncio.create_task(server.serve([listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await serving


async def test_down_closes_the_connection_without_a_byte(served: str, caplog: pytest.LogCaptureFixture) -> None:
    async with httpx.AsyncClient(base_url=served) as client:
        token = (await client.post("/i.example/token", data={"grant_type": "password"})).json()["access_token"]
        headers = {"authorization": f"Bearer {token}"}

        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await client.get(f"/i.example/api-sirene/prive/3.11/siren/{S['down']}", headers=headers)
        after = await client.get(f"/i.example/api-sirene/prive/3.11/siren/{SHOWCASE.siren}", headers=headers)

    assert after.status_code == 200
    assert not caplog.records


def test_faults_are_told_apart_by_two_digits() -> None:
    orders = sorted(fault.order for fault in faults.FAULTS)

    assert all(one != other for one, other in pairwise(orders))
