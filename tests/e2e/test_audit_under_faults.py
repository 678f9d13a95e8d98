"""No answer without its record: workers killed under load, disks that take no more."""

import asyncio
import os
import resource
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from providers.simulator.world import SHOWCASE
from tests.e2e.office import Office, Registered, open_office, workers_of
from tests.e2e.running import TRACE, Served, code_of, start_gateway

WORKERS = 2
SETTINGS = {
    "OCTROI_RATELIMIT__IP_PER_MINUTE": "1000000",
    "OCTROI_RATELIMIT__GROUPS__JSON_RESOURCES_ENTREPRISE": "1000000",
}
UNITE = f"/v4/insee/sirene/unites_legales/{SHOWCASE.siren}"
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


@pytest_asyncio.fixture(scope="module")
async def office(gateway: Served) -> AsyncIterator[Office]:
    async with open_office(gateway) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module")
async def caller(office: Office) -> Registered:
    return await office.caller()


async def load(caller: Registered, until: asyncio.Event, clients: int = 8) -> list[httpx.Response]:
    """Answers had by clients that ask one call after the other, and come back where they are cut off."""
    answers: list[httpx.Response] = []

    async def one(number: int) -> None:
        while not until.is_set():
            try:
                async with caller.client() as client:
                    while not until.is_set():
                        told = TRACE | {"object": f"client {number}"}
                        answers.append(await client.get(UNITE, params=told, headers=caller.authorization))
            except httpx.TransportError:
                await asyncio.sleep(0.01)

    await asyncio.gather(*(one(number) for number in range(clients)))
    return answers


async def recorded(office: Office, answers: list[httpx.Response], seconds: float = 60.0) -> Counter[str]:
    """How many records each answer has, once all have one."""
    ids = [answer.headers["x-request-id"] for answer in answers]
    until = time.monotonic() + seconds
    while True:
        rows = await office.pool.fetch(
            "SELECT request_id, count(*) FROM audit_records WHERE request_id = ANY($1) GROUP BY request_id", ids
        )
        found = Counter({row["request_id"]: row["count"] for row in rows})
        if len(found) == len(ids) or time.monotonic() > until:
            return found
        await asyncio.sleep(0.1)


async def both_serve(gateway: Served, office: Office, seconds: float = 60.0) -> None:
    """Wait until as many workers as there should be say that they are well, and the dead say nothing."""
    operator = await office.operator()
    until = time.monotonic() + seconds
    while f'octroi_worker{{what="redis_available"}} {WORKERS}.0' not in (await operator.ask("/metrics")).text:
        assert time.monotonic() < until
        await asyncio.sleep(0.2)
    assert len(workers_of(gateway)) == WORKERS


async def test_the_death_of_a_worker_under_load_loses_no_record_of_an_answer_and_doubles_none(
    gateway: Served, office: Office, caller: Registered
) -> None:
    stop = asyncio.Event()
    loading = asyncio.create_task(load(caller, stop))
    await asyncio.sleep(1.0)
    before = workers_of(gateway)

    os.kill(before[0], signal.SIGKILL)
    await asyncio.sleep(1.0)
    stop.set()
    answers = await loading

    counts = await recorded(office, answers)
    assert {answer.status_code for answer in answers} == {200}
    assert len(answers) > 100
    assert counts == Counter(answer.headers["x-request-id"] for answer in answers)
    await both_serve(gateway, office)


@contextmanager
def writing_nothing(pids: list[int]) -> Iterator[None]:
    """No write to a file succeeds, be it the spool's or the log's."""
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        for pid in pids:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, UNLIMITED)


async def becomes(gateway: Served, path: str, status: int, seconds: float = 30.0) -> httpx.Response:
    """The page, once a worker answers so."""
    until = time.monotonic() + seconds
    while True:
        async with Registered(gateway.url, "").client() as client:  # each time it may be another's
            answer = await client.get(path)
        if answer.status_code == status:
            return answer
        assert time.monotonic() < until, answer.text
        await asyncio.sleep(0.1)


async def test_while_nothing_can_be_recorded_nothing_is_answered_but_that_and_afterwards_all_is(
    gateway: Served, office: Office, caller: Registered
) -> None:
    assert (await caller.ask(UNITE)).status_code == 200

    with writing_nothing(workers_of(gateway)):
        refused = [await caller.ask(path) for path in (UNITE, "/v3/nowhere", "/privileges", "/admin/bans", UNITE)]
        ready = await becomes(gateway, "/readyz", 503)
        alive = [await becomes(gateway, path, 200) for path in ("/livez", "/ping/insee/sirene")]
    await becomes(gateway, "/readyz", 200)
    answers = [answer for answer in await caller.many(UNITE, 50) if answer.status_code == 200]

    assert [(answer.status_code, code_of(answer)) for answer in refused] == [(503, "00020")] * 5
    assert all(answer.json()["errors"][0]["meta"]["retry_in"] > 0 for answer in refused)
    assert all(SHOWCASE.siren not in answer.text for answer in refused)
    assert ready.json()["audit"] == "failed"
    assert len(alive) == 2
    assert len(answers) > 0
    assert await recorded(office, answers) == Counter(answer.headers["x-request-id"] for answer in answers)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of eight megabytes."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", tmp_path], check=False).returncode != 0:
        pytest.skip("this system does not let a small disk be mounted")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


def fill(ballast: Path) -> None:
    """Write until there is no room for one byte."""
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    with suppress(OSError):
        while True:
            os.write(descriptor, bytes(4096))
    os.close(descriptor)


async def test_a_full_disk_stops_answers_not_the_gateway(
    gateway: Served, office: Office, caller: Registered, small_disk: Path
) -> None:
    environ = {name: value for name, value in gateway.environ.items() if name.startswith("OCTROI_")}
    folder = Path(environ.pop("OCTROI_DATA_DIR"))
    data = small_disk / "data"
    data.mkdir()
    for name in ("jwt.secret", "cache.key"):
        shutil.copy(folder / name, data / name)
    small = start_gateway(data, environ)
    try:
        here = Registered(small.url, caller.token)
        before = await here.ask(UNITE)
        (pid,) = workers_of(small)

        fill(small_disk / "ballast")
        room = await here.in_turn("/v3/" + "n" * 900, 300)  # what the spool had taken ahead of its lines
        full = await here.in_turn(UNITE, 100)
        unknown = [await here.ask(path) for path in ("/v3/nowhere", "/privileges", "/admin/bans")]
        await asyncio.sleep(1.2)  # metrics are handed over
        (small_disk / "ballast").unlink()
        await becomes(small, "/readyz", 200)
        after = await here.ask(UNITE)

        answered = [answer for answer in (before, *room, *full, *unknown, after) if answer.status_code != 503]
        assert before.status_code == after.status_code == 200
        assert {code_of(answer) for answer in full[-1:] + unknown[-1:]} == {"00020"}
        assert workers_of(small) == [pid]
        assert await recorded(office, answered) == Counter(answer.headers["x-request-id"] for answer in answered)
    finally:
        small.stop()
