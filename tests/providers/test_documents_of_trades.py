"""What is peculiar to the certificates of FNTP, CNETP and CIBTP, beyond the recorded cases."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.clock import PARIS
from config.settings import ProviderSettings, UpstreamSettings
from providers import ENDPOINTS, cibtp, cnetp, fntp
from providers.base import ProviderFailed, RecentTraffic, Retriever, Upstream
from tests.providers.golden import NOW, MemoryDocuments, MemoryVault, Playback, play
from tests.providers.test_tables import a_call

HERE = Path(__file__).parent


async def played(slug: str, name: str) -> tuple[Any, Playback]:
    case = json.loads((HERE / slug / f"{name}.json").read_text())
    _, body, playback = await play(case, ENDPOINTS)
    return body, playback


@pytest.mark.parametrize(
    ("slug", "query", "content_type"),
    [
        ("fntp", {"token": "known"}, "application/pdf"),
        ("cnetp", {"id": "known", "jeton": "known", "siren": "999562010"}, "application/octet-stream"),
    ],
)
async def test_keys_travel_in_the_query(slug: str, query: dict[str, str], content_type: str) -> None:
    _, playback = await played(slug, "v3_delivered")

    (asked,) = playback.asked
    assert dict(asked.url.params) == query
    assert asked.headers["content-type"] == content_type


async def test_cibtp_is_told_its_credentials_in_json() -> None:
    _, playback = await played("cibtp", "v3_delivered")

    login, asked = playback.asked
    assert login.content == b'{"client_id":"known","client_secret":"known"}'
    assert login.headers["content-type"] == "application/json"
    assert asked.headers["authorization"] == "Bearer invented"
    assert "content-type" not in asked.headers


async def test_a_login_that_is_not_json_is_tried_five_times() -> None:
    case = json.loads((HERE / "cibtp" / "v3_login_second_time.json").read_text())
    case["exchanges"] = [case["exchanges"][0] for _ in range(5)]

    status, body, playback = await play(case, ENDPOINTS)

    assert (status, body["errors"][0]["code"], len(playback.asked)) == (502, "38999", 5)


async def test_an_access_refused_by_cnetp_promises_no_end() -> None:
    body, _ = await played("cnetp", "v3_access_refused")

    assert body["errors"][0]["meta"] == {}


@pytest.mark.parametrize(
    ("moment", "left"),
    [("05:59:59", None), ("06:00:00", 1800), ("06:29:00", 60), ("06:30:00", 1), ("06:30:01", None)],
)
async def test_cnetp_is_not_called_in_the_early_morning(moment: str, left: int | None) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(404)

    now = datetime.fromisoformat(f"2026-04-28T{moment}").replace(tzinfo=PARIS)
    upstream = an_upstream(answer, "cnetp", now)

    with pytest.raises(ProviderFailed) as failed:
        await upstream.fetch(cnetp.attestation_cotisations_v3, a_call())

    assert failed.value.kind.code == ("003" if left is None else "020")
    assert failed.value.meta.get("retry_in") == left
    assert bool(asked) == (left is None)


@pytest.mark.parametrize(("status", "state"), [(409, "closed"), (422, "closed"), (404, "closed"), (500, "open")])
async def test_the_situation_of_a_company_says_nothing_of_the_service(status: int, state: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "invented", "expires_in": 3599})
        return httpx.Response(status)

    upstream = an_upstream(answer, "cibtp", NOW)

    for _ in range(10):
        with pytest.raises(ProviderFailed):
            await upstream.fetch(cibtp.attestation_cotisations_v3, a_call().asking(siret="99950101800013"))

    assert upstream.states() == {"cibtp": state}


def an_upstream(answer: Any, slug: str, now: datetime) -> Upstream:
    told = ProviderSettings(client_id="known", client_secret="known", api_key="known")
    client = httpx.MockTransport(answer)
    return Upstream(client, UpstreamSettings(), {slug: told}, MemoryVault(), MemoryDocuments(), lambda: now)


def test_the_pings() -> None:
    told = {ping.path: ping for adapter in (fntp, cnetp, cibtp) for ping in adapter.ADAPTER.pings}

    card, certificate, traffic = (
        told["fntp/carte_professionnelle_travaux_publics"],
        told["cnetp/attestation_cotisations_conges_payes_chomage_intemperies"],
        told["cibtp/attestation_cotisations_conges_payes_chomage_intemperies"],
    )
    assert card.driver == Retriever(endpoint=fntp.carte_professionnelle_v3, identifiers={"siren": "385407184"})
    assert certificate.driver == Retriever(
        endpoint=cnetp.attestation_cotisations_v3, identifiers={"siren": "352745749"}
    )
    assert isinstance(traffic.driver, RecentTraffic)
    assert traffic.driver.ignored == {401, 403, 404, 422}
    assert (card.minutes, certificate.minutes, traffic.minutes) == (10, 5, 10)
