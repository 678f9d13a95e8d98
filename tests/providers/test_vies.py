"""What is peculiar to VIES, beyond the recorded cases."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.settings import UpstreamSettings
from providers import ENDPOINTS
from providers.base import ProviderFailed, Upstream
from providers.vies import ADAPTER, numero_tva_v3
from providers.vies.numero_tva import tva_number
from tests.providers.golden import NOW, MemoryDocuments, MemoryVault, cases, play
from tests.providers.test_tables import a_call

CASES = Path(__file__).parent / "vies"


def a_case(name: str) -> Any:
    return json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("siren", "number"),
    [("552032534", "FR27552032534"), ("130025265", "FR07130025265"), ("672039971", "FR48672039971")],
)
def test_the_number_follows_from_the_siren(siren: str, number: str) -> None:
    assert tva_number(siren) == number


async def test_the_number_is_asked_without_its_country_nor_any_credential() -> None:
    _, _, playback = await play(a_case("v3_in_force"), ENDPOINTS)

    (asked,) = playback.asked
    assert asked.url.path.endswith("/ms/FR/vat/" + tva_number("999570013")[2:])
    assert asked.headers["accept"] == "*/*"
    assert not {"authorization", "content-type"} & asked.headers.keys()


async def failure(case: Any) -> ProviderFailed:
    told = case["exchanges"][0]["response"]

    def vies(request: httpx.Request) -> httpx.Response:
        if told["status"] == "timeout":
            raise httpx.ReadTimeout("as recorded", request=request)
        body = told["body"]
        return httpx.Response(told["status"], content=json.dumps(body["json"]) if "json" in body else body["text"])

    async with httpx.MockTransport(vies) as transport:
        upstream = Upstream(transport, UpstreamSettings(), {}, MemoryVault(), MemoryDocuments(), lambda: NOW)
        with pytest.raises(ProviderFailed) as raised:
            await upstream.fetch(numero_tva_v3, a_call())
    return raised.value


async def test_that_a_number_is_not_in_force_is_kept_and_no_other_failure_is() -> None:
    told = [json.loads(path.read_text(encoding="utf-8")) for path in cases(CASES)]
    failing = [case for case in told if case["exchanges"] and case["expected"]["status"] != 200]

    found = [(case["expected"]["status"], (await failure(case)).kind.cacheable) for case in failing]

    assert len(found) > 10
    assert {status for status, is_kept in found if is_kept} == {404}
    assert all(is_kept for status, is_kept in found if status == 404)


def test_no_scope_is_needed_and_answers_hold_a_day() -> None:
    assert numero_tva_v3.scopes == frozenset()
    assert numero_tva_v3.cache
    assert numero_tva_v3.cache.seconds(NOW) == 86400
    assert [ping.path for ping in ADAPTER.pings] == ["european_commission/numero_tva"]
