"""What is peculiar to INPI, beyond the recorded cases: its two accounts, and links that are asked for later."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.settings import ProviderSettings, UpstreamSettings
from providers import ENDPOINTS
from providers.base import ProviderFailed, Upstream
from providers.base.marks import unpacked
from providers.base.vault import Fetch
from providers.inpi_rne import (
    ADAPTER,
    actes_bilans_v3,
    beneficiaires_effectifs_open_data_v3,
    beneficiaires_effectifs_v3,
)
from providers.inpi_rne.documents import DOCUMENT_ID, acte, bilan, extrait
from providers.inpi_rne.texts import calendar_date, day_and_month
from tests.providers.golden import NOW, MemoryDocuments, play
from tests.providers.test_tables import a_call

CASES = Path(__file__).parent / "inpi_rne"
BOTH = ProviderSettings(username="first", password="known", fallback_username="second", fallback_password="known")
ONE = ProviderSettings(username="first", password="known")


def a_case(name: str) -> Any:
    return json.loads((CASES / f"{name}.json").read_text())


class Vault:
    """Keeps what it is given until its time is over, on a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0
        self.kept: dict[str, tuple[int, bytes]] = {}

    async def get(self, name: str) -> bytes | None:
        until, value = self.kept.get(name, (0, b""))
        return value if until > self.now else None

    async def once(self, name: str, fetch: Fetch, *, other_than: bytes | None = None) -> bytes:
        known = await self.get(name)
        if known is not None and known != other_than:
            return known
        value, seconds = await fetch()
        self.kept[name] = (self.now + seconds, value)
        return value


class Inpi:
    """INPI, which lets in the accounts it is told to, and knows one company."""

    def __init__(self, admitted: Iterable[str]) -> None:
        self.admitted = set(admitted)
        self.logins: list[str] = []
        self.served: list[str] = []
        self.stale: set[str] = set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/login"):
            name = json.loads(request.content)["username"]
            self.logins.append(name)
            if name not in self.admitted:
                return httpx.Response(401, json={"code": "401"})
            claims = urlsafe_b64encode(json.dumps({"exp": NOW.timestamp() + 86400}).encode()).decode().rstrip("=")
            return httpx.Response(200, json={"token": f"{name}.{claims}.{len(self.logins)}"})
        token = request.headers["authorization"].removeprefix("Bearer ")
        self.served.append(token.partition(".")[0])
        return httpx.Response(401) if token in self.stale else httpx.Response(200, json={"actes": [{"id": "0" * 24}]})


def an_upstream(inpi: Inpi, vault: Vault, told: ProviderSettings = BOTH) -> Upstream:
    client = httpx.MockTransport(inpi)
    return Upstream(client, UpstreamSettings(breaker=False), {"inpi_rne": told}, vault, MemoryDocuments(), lambda: NOW)


async def test_both_accounts_are_drawn_and_each_logs_in_once() -> None:
    inpi = Inpi({"first", "second"})
    upstream = an_upstream(inpi, Vault())

    for _ in range(40):
        await upstream.fetch(actes_bilans_v3, a_call())

    assert set(inpi.served) == {"first", "second"}
    assert sorted(inpi.logins) == ["first", "second"]


async def test_the_other_account_stands_in_for_one_that_is_refused() -> None:
    inpi = Inpi({"second"})
    upstream = an_upstream(inpi, Vault())

    for _ in range(40):
        await upstream.fetch(actes_bilans_v3, a_call())

    assert set(inpi.served) == {"second"}
    assert sorted(inpi.logins) == ["first", "second"], "a refused account is left alone for a while"


async def test_two_refused_accounts_are_left_alone_then_tried_again_by_themselves() -> None:
    inpi, vault = Inpi(set()), Vault()
    upstream = an_upstream(inpi, vault)

    for _ in range(3):
        with pytest.raises(ProviderFailed, match="020") as failed:
            await upstream.fetch(actes_bilans_v3, a_call())
        assert failed.value.kind.status == 503
    asked = len(inpi.logins)
    inpi.admitted = {"first", "second"}
    vault.now += 301

    await upstream.fetch(actes_bilans_v3, a_call())

    assert asked == 2
    assert inpi.served


async def test_one_account_will_do() -> None:
    inpi = Inpi({"first"})
    upstream = an_upstream(inpi, Vault(), ONE)

    for _ in range(10):
        await upstream.fetch(actes_bilans_v3, a_call())

    assert inpi.logins == ["first"]


async def test_no_account_at_all_is_no_refusal() -> None:
    inpi = Inpi(set())

    with pytest.raises(ProviderFailed, match="006"):
        await an_upstream(inpi, Vault(), ProviderSettings()).fetch(actes_bilans_v3, a_call())

    assert not inpi.logins


async def test_a_token_that_is_refused_is_replaced_once() -> None:
    inpi = Inpi({"first"})
    upstream = an_upstream(inpi, Vault(), ONE)
    await upstream.fetch(actes_bilans_v3, a_call())
    inpi.stale = {next(iter(upstream._vault.kept.values()))[1].decode()}  # type: ignore[attr-defined]

    await upstream.fetch(actes_bilans_v3, a_call())

    assert inpi.logins == ["first", "first"]


async def test_credentials_travel_as_json() -> None:
    _, _, playback = await play(a_case("actes_bilans_deeds_alone"), ENDPOINTS)

    assert json.loads(playback.asked[0].content) == {"username": "known", "password": "known"}
    timeout = playback.asked[1].extensions["timeout"]
    assert (timeout["connect"], timeout["read"]) == (10, 15)


async def test_a_link_says_which_document_of_which_company() -> None:
    _, body, _ = await play(a_case("actes_bilans_deeds_alone"), ENDPOINTS)
    _, whole, _ = await play(a_case("extrait_company"), ENDPOINTS)

    links = [body["data"]["actes"][0]["url"], whole["data"]["document_url"]]
    assert [unpacked(link.removeprefix("octroi-deferred:").encode()) for link in links] == [
        {"operation": "actes", "document_id": f"{1:024x}", "siren": "999502024"},
        {"operation": "extrait", "siren": "999502024"},
    ]


def test_documents_are_asked_for_where_they_are() -> None:
    call = a_call().asking(document_id="a" * 24)

    asked = [endpoint.request(call) for endpoint in (acte, bilan, extrait)]

    assert [one.path for one in asked] == [
        f"/api/actes/{'a' * 24}/download",
        f"/api/bilans/{'a' * 24}/download",
        "https://data.inpi.fr/export/companies",
    ]
    assert asked[2].query == {"format": "pdf", "ids": '["999501018"]'}
    assert set(ADAPTER.deferred) == {"actes", "bilans", "extrait"}


@pytest.mark.parametrize(
    ("text", "is_read"), [("63e7e2e3998acaecf81b485e", True), ("63E7E2E3998ACAECF81B485E", False), ("63e7", False)]
)
def test_a_document_is_named_by_24_digits(text: str, is_read: bool) -> None:
    assert (DOCUMENT_ID.read(text, NOW) is not None) is is_read


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2020-01-15", "2020-01-15"),
        ("2020-01-15T23:30:00-10:00", "2020-01-15"),
        ("2020-01", "2020-01-01"),
        ("15/01/2020", "15/01/2020"),
        (" ", None),
        (None, None),
    ],
)
def test_dates_are_told_as_they_are_written(text: str | None, told: str | None) -> None:
    assert calendar_date(text) == told


@pytest.mark.parametrize(("text", "told"), [("3112", "12-31"), ("30-06", "30-06"), (None, None)])
def test_a_closing_day_is_told_month_first(text: str | None, told: str | None) -> None:
    assert day_and_month(text) == told


def test_each_operation_has_an_allowance_of_its_own() -> None:
    names = {endpoint.quota_name for endpoint in ADAPTER.endpoints}

    assert len(names) == 4
    assert all(name.startswith("inpi_rne:") for name in names)


def test_natural_persons_need_their_own_right_at_any_address() -> None:
    assert beneficiaires_effectifs_open_data_v3.scopes == beneficiaires_effectifs_v3.scopes
    assert "open_data" not in beneficiaires_effectifs_open_data_v3.scopes
