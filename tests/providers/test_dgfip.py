"""What is peculiar to DGFIP, beyond the recorded cases."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from providers import ENDPOINTS
from providers.base import HealthThenRatio, Reply
from providers.dgfip import (
    ADAPTER,
    attestation_fiscale_v3,
    attestation_fiscale_v4,
    dictionnaire,
    liasses_fiscales_v3,
    liens_capitalistiques_v3,
)
from providers.dgfip.attestation_fiscale import normalise_v4
from tests.providers.golden import play
from tests.providers.test_tables import a_call

CASES = Path(__file__).parent / "dgfip"


def a_case(name: str) -> Any:
    return json.loads((CASES / f"{name}.json").read_text())


async def test_adelie_is_told_who_asks_before_what() -> None:
    _, _, playback = await play(a_case("v4_attestation_delivered"), ENDPOINTS)

    asked = playback.asked[-1]
    assert list(dict(asked.url.params)) == ["userId", "siren", "groupeIS", "groupeTVA"]
    assert asked.headers["x-correlation-id"] == asked.headers["x-request-id"] == "00000000-0000-4000-8000-000000000001"
    assert asked.extensions["timeout"]["read"] == asked.extensions["timeout"]["connect"] == 15


async def test_data_is_waited_for_less_than_certificates() -> None:
    _, _, playback = await play(a_case("v3_liens_neither_form"), ENDPOINTS)

    assert playback.asked[-1].extensions["timeout"]["read"] == 10


@pytest.mark.parametrize(
    ("today", "analysed"),
    [("2026-04-28", "2026-03-31"), ("2026-01-01", "2025-12-31"), ("2024-03-31", "2024-02-29")],
)
def test_a_certificate_looks_at_the_end_of_the_month_before(today: str, analysed: str) -> None:
    call = replace(a_call(), today=date.fromisoformat(today)).with_document("https://octroi.test/attestation.pdf")

    data = normalise_v4(b"", call).data

    assert (data.date_delivrance_attestation.isoformat(), data.date_periode_analysee.isoformat()) == (today, analysed)


def test_both_versions_of_the_certificate_draw_on_one_allowance() -> None:
    assert attestation_fiscale_v3.quota_name == attestation_fiscale_v4.quota_name
    assert attestation_fiscale_v3.deprecated
    assert not attestation_fiscale_v4.deprecated


def test_only_the_absence_of_both_forms_is_kept() -> None:
    filed = {"declarations": [{"numero_imprime": "2051"}]}
    replies = {
        "neither form": Reply(200, {}, json.dumps(filed).encode()),
        "nothing filed": Reply(200, {}, b'{"declarations": []}'),
        "not found": Reply(404, {}, b""),
    }

    kept = {
        name: next(failed for rule in liens_capitalistiques_v3.failures if (failed := rule.judge(reply))).kind.cacheable
        for name, reply in replies.items()
    }

    assert kept == {"neither form": True, "nothing filed": False, "not found": False}


@pytest.mark.parametrize("year", range(2006, 2026))
def test_our_dictionary_knows_each_year(year: int) -> None:
    known = dictionnaire.of_year(year)

    assert len(known) > 1500
    assert known["2051", "300414"].code == "DA"


def test_a_year_after_the_last_is_read_with_the_last() -> None:
    assert dictionnaire.of_year(2031) is dictionnaire.of_year(2025)


def test_an_entry_holds_only_in_its_years() -> None:
    assert [("2051", "300415") in dictionnaire.of_year(year) for year in (2014, 2015, 2016, 2017)] == [
        True,
        False,
        True,
        False,
    ]


def test_a_rank_that_would_fill_the_memory_is_not_believed() -> None:
    donnees = [{"code_nref": "1", "valeurs": {"indiceRepetition": rank, "valeur": "x"}} for rank in ("1", "999999999")]
    sent = {"declarations": [{"numero_imprime": "2051", "imprime": {"donnees": donnees}}]}

    with pytest.raises(Exception, match="not the expected shape"):
        liasses_fiscales_v3.read(Reply(200, {}, json.dumps(sent).encode()))


def test_each_ping_asks_adelie_how_it_feels() -> None:
    told = {
        ping.path: (ping.minutes, ping.driver.request.path, ping.driver.endpoints[-1].path)
        for ping in ADAPTER.pings
        if isinstance(ping.driver, HealthThenRatio)
    }

    health = "/adelie/v1/etatSante"
    assert told == {
        "dgfip/attestation_fiscale": (5, health, "/v4/dgfip/unites_legales/{siren}/attestation_fiscale"),
        "dgfip/chiffre_affaires": (5, health, "/v3/dgfip/etablissements/{siret}/chiffres_affaires"),
        "dgfip/liasses_fiscales": (5, health, "/v3/dgfip/unites_legales/{siren}/liasses_fiscales/{year}"),
    }
