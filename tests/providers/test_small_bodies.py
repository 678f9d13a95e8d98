"""What is peculiar to MSA, ADEME, CARIF-OREF and ProBTP, beyond the recorded cases."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from config.clock import PARIS
from config.settings import ProviderSettings, UpstreamSettings
from providers import ENDPOINTS, ademe, carif_oref, msa, probtp
from providers.base import ProviderFailed, RecentTraffic, Retriever, Single, Upstream
from tests.providers.golden import MemoryDocuments, MemoryVault, Playback, play
from tests.providers.test_tables import a_call
from tests.providers.wire import answering, transport

HERE = Path(__file__).parent


async def played(slug: str, name: str) -> tuple[Any, Playback]:
    case = json.loads((HERE / slug / f"{name}.json").read_text())
    _, body, playback = await play(case, ENDPOINTS)
    return body, playback


@pytest.mark.parametrize(("moment", "closed"), [("02:59:59", False), ("03:00:00", True), ("03:30:01", False)])
async def test_msa_is_not_called_in_the_night(moment: str, closed: bool) -> None:
    now = datetime.fromisoformat(f"2026-04-28T{moment}").replace(tzinfo=PARIS)
    wire = answering({"TopRMPResponse": {"topRegMarchePublic": "S"}})
    upstream = Upstream(transport(wire), UpstreamSettings(), {}, MemoryVault(), MemoryDocuments(), lambda: now)

    with pytest.raises(ProviderFailed) as failed:
        await upstream.fetch(msa.conformite_cotisations_v3, a_call().asking(siret="99950101800013"))

    assert failed.value.kind.code == ("020" if closed else "003")


async def test_ademe_is_told_who_asks() -> None:
    _, playback = await played("ademe", "v3_one")

    (asked,) = playback.asked
    assert list(asked.url.params) == ["size", "qs"]
    assert asked.url.params["qs"].endswith(" AND traitement_termine:false")
    assert (asked.headers["x-apikey"], asked.headers["referer"]) == ("known", "https://octroi.test")


async def test_carif_oref_is_shown_its_key() -> None:
    _, playback = await played("carif_oref", "v3_known")

    (asked,) = playback.asked
    assert asked.headers["token-connexion"] == "known"
    assert asked.headers["accept"] == asked.headers["content-type"] == "application/json"


@pytest.mark.parametrize("name", ["conformite_eligible", "attestation_delivered"])
async def test_probtp_is_asked_in_a_body(name: str) -> None:
    case = json.loads((HERE / "probtp" / f"v3_{name}.json").read_text())

    _, _, playback = await play(case, ENDPOINTS)

    (asked,) = playback.asked
    assert json.loads(asked.content) == {"corps": case["request"]["path"].split("/")[4]}


async def test_probtp_is_shown_a_certificate() -> None:
    certified = answering({"entete": {"code": "0"}, "corps": "00"})
    told = {"probtp": ProviderSettings(certificate=Path("certificat.pem"))}
    call = a_call().asking(siret="99950101800013")

    def upstream(**more: Any) -> Upstream:
        now = datetime(2026, 4, 28, 10, tzinfo=PARIS)
        nobody = transport(answering({}, status=500))
        return Upstream(nobody, UpstreamSettings(), told, MemoryVault(), MemoryDocuments(), lambda: now, certified=more)

    answered = await upstream(probtp=transport(certified)).fetch(probtp.conformite_cotisations_retraite_v3, call)
    with pytest.raises(ProviderFailed) as failed:
        await upstream().fetch(probtp.conformite_cotisations_retraite_v3, call)

    assert isinstance(answered, Single)
    assert answered.data.eligible is True
    assert (failed.value.kind.code, certified.calls.call_count) == ("006", 1)
    assert probtp.ADAPTER.providers[0].needs == ("certificate",)


async def test_the_carif_oref_ping_wants_habilitations() -> None:
    (ping,) = carif_oref.ADAPTER.pings
    assert isinstance(ping.driver, Retriever)

    verdicts = []
    for name in ("v3_known", "v3_nothing_more"):
        case = json.loads((HERE / "carif_oref" / f"{name}.json").read_text())
        client = transport(answering(case["exchanges"][0]["response"]["body"]["json"]))
        told = {"carif_oref": ProviderSettings.model_validate({"api_key": "known"})}
        now = datetime(2026, 4, 28, 10, tzinfo=PARIS)
        upstream = Upstream(client, UpstreamSettings(), told, MemoryVault(), MemoryDocuments(), lambda now=now: now)
        call = a_call().asking(**ping.driver.identifiers)
        verdicts.append(ping.driver.accepts(await upstream.fetch(ping.driver.endpoint, call)))

    assert verdicts == [True, False]


def test_the_pings() -> None:
    told = {
        ping.path: (ping.minutes, type(ping.driver))
        for adapter in (msa.ADAPTER, ademe.ADAPTER, carif_oref.ADAPTER, probtp.ADAPTER)
        for ping in adapter.pings
    }

    assert told == {
        "msa/conformite_cotisations": (2, Retriever),
        "ademe/certification_rge": (2, Retriever),
        "carif_oref/qualiopi": (5, Retriever),
        "probtp/cotisations_retraite": (10, RecentTraffic),
    }
