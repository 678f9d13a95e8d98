"""What answers tell of their version, other addresses of the same answers, and the public status."""

import time

import httpx

from providers.simulator.faults import BY_NAME
from providers.simulator.world import SHOWCASE
from tests.e2e.conftest import Desk
from tests.e2e.running import Caller, Served

UNITE = "/insee/sirene/unites_legales/{siren}"


async def test_a_deprecated_version_names_the_next_which_answers_and_says_nothing(
    gateway: Served, caller: Caller
) -> None:
    former = await caller.ask("/v3" + UNITE.format(siren=SHOWCASE.siren))
    failed = await caller.ask("/v3" + UNITE.format(siren=BY_NAME["unknown"].siren))
    address, _, relation = former.headers["link"].partition("; ")
    current = await caller.ask(address.strip("<>"))

    assert (former.status_code, failed.status_code, current.status_code) == (200, 404, 200)
    assert relation == 'rel="successor-version"'
    assert address == f"<{gateway.url}/v4{UNITE.format(siren=SHOWCASE.siren)}>"
    for answer in (former, failed):
        assert int(answer.headers["deprecation"].removeprefix("@")) < time.time()
        assert "sunset" not in answer.headers
    assert not {"deprecation", "link"} & set(current.headers)


async def test_another_address_of_an_endpoint_gives_the_answer_that_was_kept(caller: Caller) -> None:
    path = "/api-association/associations/open_data/" + SHOWCASE.rna

    first = await caller.ask("/v4/djepva" + path)
    other = await caller.ask("/v4/ministere_interieur" + path)

    assert first.json() == other.json()
    assert other.headers["x-response-cached"] == "true"


async def test_the_status_is_there_for_whoever_asks(desk: Desk) -> None:
    async with httpx.AsyncClient(base_url=desk.url) as client:
        answers = [await client.get(f"/status{form}") for form in ("", ".json", ".atom")]
        head = await client.head("/status")

    assert [answer.status_code for answer in answers] == [200] * 3
    assert [answer.headers["content-type"] for answer in answers] == [
        "text/html; charset=utf-8",
        "application/json",
        "application/atom+xml",
    ]
    assert {answer.headers["cache-control"] for answer in answers} == {"public, max-age=60"}
    assert (head.status_code, head.content) == (200, b"")
