"""What is peculiar to URSSAF, beyond the recorded cases."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.settings import ProviderSettings, UpstreamSettings
from providers import ENDPOINTS
from providers.base import ProviderFailed, RecentTraffic, Upstream
from providers.urssaf import ADAPTER, attestation_vigilance_v3, attestation_vigilance_v4
from providers.urssaf.attestation_vigilance import end_of_validity
from tests.providers.golden import NOW, MemoryDocuments, MemoryVault, play
from tests.providers.test_tables import a_call

CASES = Path(__file__).parent / "urssaf"


def a_case(name: str) -> Any:
    return json.loads((CASES / f"{name}.json").read_text())


async def test_urssaf_is_told_who_asks_and_for_whom() -> None:
    _, _, playback = await play(a_case("v4_delivered"), ENDPOINTS)

    assert json.loads(playback.asked[-1].content) == {
        "typeAttestation": "AVG_UR",
        "siren": "999501042",
        "idClient": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "beneficiaire": "13002526500013",
    }
    assert b"scope=attn.api_entreprise" in playback.asked[0].content


@pytest.mark.parametrize("version", ["v3", "v4"])
@pytest.mark.parametrize(
    "name", ["rate_limited", "internal_error", "unknown_siren", "out_of_perimeter", "unknown_reason"]
)
async def test_the_reasons_are_told_to_the_caller(version: str, name: str) -> None:
    case = a_case(f"{version}_{name}")

    _, body, _ = await play(case, ENDPOINTS)

    assert body["errors"][0]["meta"] == {"provider_errors": case["exchanges"][-1]["response"]["body"]["json"]}


@pytest.mark.parametrize(
    "name", ["under_analysis", "pending", "object", "blank_body", "error_page", "no_reason", "base64_of_a_text"]
)
async def test_no_list_of_reasons_is_told_where_the_contract_has_none(name: str) -> None:
    _, body, _ = await play(a_case(f"v3_{name}"), ENDPOINTS)

    assert body["errors"][0]["meta"] == {}


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2022-12-31", "2023-06-30"),
        ("2022-12-03", "2023-06-30"),
        ("2023-08-31", "2024-02-29"),
        ("2024-08-31", "2025-02-28"),
        ("2025-06-01", "2025-12-31"),
        ("2025-07-15", "2026-01-31"),
    ],
)
def test_a_certificate_holds_until_the_end_of_the_sixth_month(start: str, end: str) -> None:
    assert end_of_validity(date.fromisoformat(start)) == date.fromisoformat(end)


def test_both_versions_draw_on_one_allowance() -> None:
    assert attestation_vigilance_v3.quota_name == attestation_vigilance_v4.quota_name
    assert attestation_vigilance_v3.deprecated
    assert not attestation_vigilance_v4.deprecated


def test_the_ping_looks_at_the_traffic_of_both_versions() -> None:
    (ping,) = ADAPTER.pings

    assert (ping.path, ping.minutes) == ("urssaf/attestation_sociale", 5)
    assert isinstance(ping.driver, RecentTraffic)
    assert ping.driver.endpoints == (attestation_vigilance_v3, attestation_vigilance_v4)


@pytest.mark.parametrize(("reason", "state"), [("FUNC503", "closed"), ("FUNC504", "closed"), ("FUNC510", "open")])
async def test_a_company_under_analysis_says_nothing_of_the_service(reason: str, state: str) -> None:
    def urssaf(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "invented", "expires_in": 3600})
        return httpx.Response(400, json=[{"code": reason}])

    upstream = Upstream(
        httpx.MockTransport(urssaf),
        UpstreamSettings(),
        {"urssaf": ProviderSettings(client_id="known", client_secret="known")},
        MemoryVault(),
        MemoryDocuments(),
        lambda: NOW,
    )

    for _ in range(10):
        with pytest.raises(ProviderFailed):
            await upstream.fetch(attestation_vigilance_v4, a_call())

    assert upstream.states() == {"urssaf": state}
