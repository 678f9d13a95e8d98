"""A gateway that is told to stop finishes what it has begun, and then stops well."""

import asyncio
import signal

import httpx
import pytest

from providers.simulator.identifiers import siren_of
from tests.e2e.office import open_office
from tests.e2e.running import Served
from tests.e2e.simulated import calls_about, providers

WORKERS = 2
SLOW = siren_of("00260001")


async def test_calls_under_way_are_answered_and_recorded_before_the_gateway_ends_well(
    gateway: Served, simulator: Served
) -> None:
    async with open_office(gateway) as office:
        caller = await office.caller()
        async with caller.client() as idle, providers(simulator, latency=1.0):
            kept_alive = await idle.get("/v3/ping")
            paths = [
                f"/v4/insee/sirene/unites_legales/{SLOW}",
                f"/v4/urssaf/unites_legales/{SLOW}/attestation_vigilance",
            ]
            under_way = [asyncio.create_task(caller.ask(path)) for path in paths for _ in range(2)]
            while not await calls_about(simulator, SLOW):  # noqa: ASYNC110 - the provider announces nothing
                await asyncio.sleep(0.05)

            gateway.process.send_signal(signal.SIGTERM)

            answers = await asyncio.gather(*under_way)
            ended = await asyncio.to_thread(gateway.process.wait, 15)
            with pytest.raises(httpx.TransportError):
                await idle.get("/v3/ping")

        found = await office.pool.fetch(
            "SELECT request_id FROM audit_records WHERE request_id = ANY($1)",
            [answer.headers["x-request-id"] for answer in answers],
        )
    log = gateway.log.read_text()
    assert kept_alive.status_code == 200
    assert sorted(answer.status_code for answer in answers) == [200, 200, 409, 409]
    assert ended == 0
    assert len(found) == len(answers)
    assert log.count('"event": "gateway_stopped"') == WORKERS
    assert "Traceback" not in log
