"""How a gateway ends: well, once it has finished what it had begun; and at once, where it cannot begin."""

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from providers.simulator.identifiers import siren_of
from tests.e2e.office import children_of, open_office
from tests.e2e.running import OCTROI, Served, _clean, start_gateway
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


async def test_workers_whose_supervisor_is_killed_end_well_and_free_the_port(gateway: Served, tmp_path: Path) -> None:
    told = {name: value for name, value in gateway.environ.items() if name.startswith("OCTROI_")}
    orphaned = start_gateway(tmp_path, told | {"OCTROI_DATA_DIR": str(tmp_path)}, workers=WORKERS)
    workers = children_of({orphaned.process.pid})

    orphaned.process.kill()
    orphaned.process.wait()

    until = time.monotonic() + 20
    while any(os.path.exists(f"/proc/{pid}") for pid in workers):  # noqa: PTH110, ASYNC240 - no disk is behind it
        assert time.monotonic() < until
        await asyncio.sleep(0.05)
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{orphaned.url}/livez")
    assert orphaned.log.read_text().count('"event": "gateway_stopped"') == WORKERS


async def test_a_gateway_whose_workers_cannot_begin_ends_at_once_and_says_why(
    module_database: str, module_redis: str, tmp_path: Path
) -> None:
    (tmp_path / "spool").touch()
    environ = _clean() | {
        "OCTROI_DATA_DIR": str(tmp_path),
        "OCTROI_DATABASE_URL": module_database,
        "OCTROI_REDIS_URL": module_redis,
    }

    ended = await asyncio.to_thread(
        subprocess.run, [OCTROI, "serve", "--port", "0"], env=environ, capture_output=True, text=True, timeout=40
    )

    assert ended.returncode == 1
    assert f"the audit spool cannot use {tmp_path / 'spool'}" in ended.stderr
    assert ended.stderr.rstrip().endswith("The gateway did not start: the lines above say why")
    assert "Traceback" not in ended.stderr
