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
from tests.e2e.office import children_of, open_office, workers_of
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
            ended = await asyncio.to_thread(gateway.process.wait, 40)
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


async def test_workers_that_end_with_the_gateway_at_ctrl_c_are_not_replaced(gateway: Served, tmp_path: Path) -> None:
    told = {name: value for name, value in gateway.environ.items() if name.startswith("OCTROI_")}
    interrupted = start_gateway(tmp_path, told | {"OCTROI_DATA_DIR": str(tmp_path)}, workers=WORKERS)

    for pid in (interrupted.process.pid, *workers_of(interrupted)):  # as a terminal does
        os.kill(pid, signal.SIGINT)

    log = tmp_path / "serve.log"
    assert await asyncio.to_thread(interrupted.process.wait, 40) == 0
    assert "worker_died" not in log.read_text()
    assert log.read_text().count('"event": "gateway_stopped"') == WORKERS


async def test_workers_whose_supervisor_is_killed_end_well_and_free_the_port(gateway: Served, tmp_path: Path) -> None:
    told = {name: value for name, value in gateway.environ.items() if name.startswith("OCTROI_")}
    orphaned = start_gateway(tmp_path, told | {"OCTROI_DATA_DIR": str(tmp_path)}, workers=WORKERS)
    workers = children_of({orphaned.process.pid})

    orphaned.process.kill()
    orphaned.process.wait()

    until = time.monotonic() + 40
    while any(os.path.exists(f"/proc/{pid}") for pid in workers):  # noqa: PTH110, ASYNC240 - no disk is behind it
        assert time.monotonic() < until
        await asyncio.sleep(0.05)
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{orphaned.url}/livez")
    assert orphaned.log.read_text().count('"event": "gateway_stopped"') == WORKERS


async def test_a_worker_that_dies_while_none_can_begin_is_replaced_once_one_can_and_the_others_serve_meanwhile(
    module_database: str, module_redis: str, tmp_path: Path
) -> None:
    told = {"OCTROI_DATABASE_URL": module_database, "OCTROI_REDIS_URL": module_redis}
    gateway = await asyncio.to_thread(start_gateway, tmp_path, told, workers=WORKERS)
    spool = tmp_path / "spool"
    one, other = workers_of(gateway)

    spool.rename(tmp_path / "kept")
    spool.touch()
    os.kill(one, signal.SIGKILL)
    await logged(gateway, "the audit spool cannot use", times=2)
    meanwhile = workers_of(gateway)
    alive = await asyncio.to_thread(httpx.get, f"{gateway.url}/livez")
    spool.unlink()
    (tmp_path / "kept").rename(spool)
    await logged(gateway, '"event": "gateway_started"', times=WORKERS + 1)

    assert alive.status_code == 200
    assert other in meanwhile
    assert len(workers_of(gateway)) == WORKERS
    assert gateway.stop() == 0


async def logged(gateway: Served, words: str, times: int) -> None:
    """Wait until it logged them that often."""
    until = time.monotonic() + 40
    while gateway.log.read_text().count(words) < times:
        assert time.monotonic() < until, gateway.log.read_text()
        await asyncio.sleep(0.05)


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
        subprocess.run, [OCTROI, "serve", "--port", "0"], env=environ, capture_output=True, text=True, timeout=60
    )

    assert ended.returncode == 1
    assert f"the audit spool cannot use {tmp_path / 'spool'}" in ended.stderr
    assert ended.stderr.rstrip().endswith("The gateway did not start: the lines above say why")
    assert "Traceback" not in ended.stderr
