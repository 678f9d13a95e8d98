"""Links that are followed: to documents asked for then, and to those that are kept here or at providers'."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
import pytest_asyncio

from audit.search import Query, search
from config.settings import Settings
from gateway import remote
from gateway.documents import Deferred
from gateway.door import Door
from gateway.pages import create_pages
from gateway.parts import Parts, opened
from gateway.registry.rules import Terms
from gateway.registry.store import Store
from providers import ENDPOINTS
from providers.base.marks import deferred_document, remote_document
from providers.simulator.app import create_simulator
from providers.simulator.faults import BY_NAME
from providers.simulator.world import SHOWCASE, World
from ratelimit.address import Networks
from tests.conftest import HandClock
from tests.e2e.running import in_one_minute
from tests.gateway.serving import served

BASE = "https://octroi.test"
TRACE = {"context": "essai", "object": "essai", "recipient": SHOWCASE.recipient}
ACTES = f"/v3/inpi/rne/unites_legales/open_data/{SHOWCASE.siren}/actes_bilans"
EXTRAIT = f"/v3/inpi/rne/unites_legales/{SHOWCASE.siren}/extrait_rne"
NO_LINK = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
KNOWN_SCOPES = frozenset(scope for endpoint in ENDPOINTS for scope in endpoint.scopes)


@dataclass
class House:
    """A gateway in front of simulated providers, a token, and who calls."""

    parts: Parts
    store: Store
    clock: HandClock
    door: Door
    caller: httpx.AsyncClient
    jti: str
    token: str

    async def data(self, path: str) -> Any:
        reply = await self.caller.get(path, params=TRACE, headers={"authorization": f"Bearer {self.token}"})
        assert reply.status_code == 200, reply.text
        return reply.json()["data"]

    async def follow(self, url: str) -> httpx.Response:
        return await self.caller.get(url.removeprefix(BASE))

    async def draw(self, mark: str, jti: str | None = None) -> str:
        body = await self.parts.documents.with_links(orjson.dumps([mark]), jti or self.jti)
        [url] = orjson.loads(body)
        return str(url)

    async def new_token(self, **terms: Any) -> tuple[str, str]:
        told = {"siret": SHOWCASE.recipient, "intitule": "Essai", "scopes": tuple(KNOWN_SCOPES), **terms}
        habilitation = await self.store.create_habilitation(Terms(**told))
        token, _ = await self.store.issue_token(habilitation.id)
        jwt = self.parts.keys.sign(
            jti=token.jti,
            scopes=token.scopes,
            subject="essai",
            issued_at=int(self.clock()),
            expires_at=int(self.clock()) + 86400,
        )
        return token.jti, jwt

    async def recorded(self, status: int) -> Any:
        """The record of a link that was followed, and answered with that status."""
        assert await self.parts.trail.flush(5)
        async with aclosing(search(self.parts.pool, Query(limit=20))) as found:
            followed = [record async for record in found if record["path"].startswith("/proxy/")]
        return next(record for record in followed if record["status"] == status)


@pytest_asyncio.fixture
async def house(
    valkey_url: str, valkey: Any, database_url: str, tmp_path: Path, clock: HandClock
) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(served(create_simulator(World.load(), clock=clock)))
        settings = Settings(
            redis_url=valkey_url,
            database_url=database_url,
            public_url=BASE,
            data_dir=tmp_path,
            upstream={"override": simulator},
        )
        parts = await stack.enter_async_context(opened(settings, clock))
        door = Door(parts.pipeline, parts.visits, create_pages(parts), Networks(()), parts.clock)
        transport = httpx.ASGITransport(door, client=("192.0.2.7", 1))
        caller = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url=BASE))
        made = House(parts, Store(parts.pool, clock, KNOWN_SCOPES), clock, door, caller, "", "")
        made.jti, made.token = await made.new_token()
        yield made


def refused_with(reply: httpx.Response, status: int, code: str) -> bool:
    return (reply.status_code, [error["code"] for error in reply.json()["errors"]]) == (status, [code])


@pytest.mark.parametrize("kind", ["actes", "bilans"])
async def test_a_listed_document_is_had_by_following_two_links(house: House, kind: str) -> None:
    url = (await house.data(ACTES))[kind][0]["url"]

    envelope = await house.follow(url)
    document = await house.follow(envelope.json()["data"]["document_url"])

    assert envelope.status_code == 200
    assert envelope.headers["content-type"] == "application/vnd.api+json"
    assert envelope.json() == {
        "data": {"document_url": envelope.json()["data"]["document_url"], "expires_in": 86400},
        "links": {},
        "meta": {},
    }
    assert re.fullmatch(rf"{BASE}/proxy/files/[0-9a-f-]{{36}}/{kind}_download_inpi\.pdf", str(document.url))
    assert document.content.startswith(b"%PDF")
    assert document.headers["content-security-policy"].startswith("sandbox")
    assert document.headers["x-content-type-options"] == "nosniff"


async def test_a_kept_answer_gives_each_caller_a_link_of_its_own(house: House) -> None:
    other_jti, other_token = await house.new_token()
    first = (await house.data(EXTRAIT))["document_url"]
    house.token = other_token
    second = (await house.data(EXTRAIT))["document_url"]

    drawn = [house.parts.documents.read_deferred(url.rpartition("/")[2]) for url in (first, second)]

    assert [one.jti for one in drawn] == [house.jti, other_jti]
    assert drawn[0] == Deferred("extrait", {"siren": SHOWCASE.siren}, int(house.clock()), house.jti)
    assert (await house.follow(second)).status_code == 200


async def test_following_a_link_is_recorded_for_the_token_it_was_drawn_for(house: House) -> None:
    await house.follow((await house.data(EXTRAIT))["document_url"])
    await house.follow(await house.draw(deferred_document("actes", document_id="0" * 24, siren=SHOWCASE.siren)))

    granted, failed = await house.recorded(200), await house.recorded(404)

    assert (granted["jti"], granted["operation_id"]) == (house.jti, "inpi_rne_telechargement_extrait")
    assert (granted["siren"], granted["provider"]) == (SHOWCASE.siren, "inpi_rne")
    assert (failed["jti"], failed["codes"]) == (house.jti, ["34003"])


@pytest.mark.parametrize("blob", ["invalid_stuff", "%C3%A9", "A" * 120])
async def test_a_link_that_we_did_not_draw_is_refused(house: House, blob: str) -> None:
    reply = await house.follow(f"/proxy/inpi/download/{blob}")

    assert refused_with(reply, 422, "00314")
    assert reply.json()["errors"][0]["source"] == {"parameter": "uuid"}
    assert reply.headers["content-type"] == "application/json"


async def test_a_link_to_an_operation_that_is_no_more_is_refused(house: House) -> None:
    assert refused_with(await house.follow(await house.draw(deferred_document("marques"))), 422, "00314")


async def test_a_link_lives_an_hour(house: House) -> None:
    url = (await house.data(EXTRAIT))["document_url"]

    house.clock.advance(3600)
    still = await house.follow(url)
    house.clock.advance(1)
    no_more = await house.follow(url)

    assert still.status_code == 200
    assert refused_with(no_more, 410, "00403")


async def test_a_link_dies_with_its_token(house: House) -> None:
    url = (await house.data(EXTRAIT))["document_url"]
    _, [state] = await house.store.revoke_token(house.jti)
    await house.parts.limiter.publish_state(house.jti, state.version, state.pack(), 60)

    assert refused_with(await house.follow(url), 401, "00106")


async def test_a_link_for_a_token_that_is_not_in_the_registry_is_refused(house: House) -> None:
    url = await house.draw(deferred_document("extrait", siren=SHOWCASE.siren), str(uuid4()))

    assert refused_with(await house.follow(url), 401, "00106")


@pytest.mark.parametrize(
    ("mark", "code"),
    [
        (deferred_document("actes", document_id="not-an-id"), "00501"),
        (deferred_document("bilans"), "00501"),
        (deferred_document("extrait", siren="1"), "00301"),
    ],
)
async def test_a_link_to_what_cannot_be_read_is_refused(house: House, mark: str, code: str) -> None:
    assert refused_with(await house.follow(await house.draw(mark)), 422, code)


@pytest.mark.parametrize(
    ("siren", "status", "code"),
    [
        ("000090506", 502, "34999"),
        ("000090530", 502, "34001"),
        ("000090290", 502, "34008"),
        ("000090209", 502, "34055"),
    ],
)
async def test_the_failures_of_the_register_are_told(house: House, siren: str, status: int, code: str) -> None:
    reply = await house.follow(await house.draw(deferred_document("extrait", siren=siren)))

    assert refused_with(reply, status, code)
    assert reply.headers["content-type"] == "application/vnd.api+json"


async def test_following_links_draws_on_the_tokens_allowance_of_documents(house: House) -> None:
    url = await house.draw(deferred_document("actes", document_id="not-an-id"))

    await in_one_minute()
    replies = [await house.follow(url) for _ in range(51)]

    assert [reply.status_code for reply in replies] == [422] * 50 + [429]
    assert replies[0].headers["ratelimit-limit"] == "50"
    assert replies[0].headers["ratelimit-remaining"] == "49"
    assert int(replies[50].headers["retry-after"]) > 0
    assert refused_with(replies[50], 429, "00429")


async def test_a_habilitations_own_limit_holds_for_links_too(house: House) -> None:
    jti, _ = await house.new_token(rate_limit_per_minute=1)
    url = await house.draw(deferred_document("actes", document_id="not-an-id"), jti)

    statuses = [(await house.follow(url)).status_code for _ in range(2)]

    assert statuses == [422, 429]


async def test_a_document_at_its_provider_is_passed_on(house: House) -> None:
    url = await house.draw(
        remote_document("inpi_rne", "https://inpi-rne.example/api/companies/000099994", "absent.pdf")
    )

    reply = await house.follow(url)

    assert refused_with(reply, 502, "34053"), "the simulator asks for a token, of which none is shown"
    assert (await house.recorded(502))["provider"] == "inpi_rne"


async def test_a_document_of_which_the_rest_will_not_come_is_cut_off(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "LARGEST", 1024 * 1024)
    endless = BY_NAME["huge"].siren
    url = await house.draw(
        remote_document("inpi_rne", f"https://inpi-rne.example/api/companies/{endless}", "sans_fin.pdf")
    )
    cut = []

    async def with_a_server_that_can_hang_up(scope: Any, receive: Any, send: Any) -> None:
        await house.door({**scope, "extensions": {"octroi.hangup": lambda: cut.append(scope["path"])}}, receive, send)

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(with_a_server_that_can_hang_up), base_url=BASE
    ) as caller:
        reply = await caller.get(url)

    assert cut == [url.removeprefix(BASE)]
    assert len(reply.content) <= 1024 * 1024


async def test_no_link_leads_elsewhere_than_to_its_provider(house: House) -> None:
    url = await house.draw(remote_document("inpi_rne", "https://elsewhere.example/secret", "secret.pdf"))

    assert refused_with(await house.follow(url), 502, "34054")


@pytest.mark.parametrize("path", ["/proxy/files/nonsense", f"/proxy/files/{NO_LINK}", "/proxy/inpi/download"])
async def test_an_unknown_page_is_nowhere(house: House, path: str) -> None:
    assert (await house.follow(path)).status_code == 404
