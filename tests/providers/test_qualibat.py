"""What is peculiar to Qualibat, beyond the recorded cases."""

import json
import random
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from providers import ENDPOINTS
from providers.base import RecentTraffic
from providers.qualibat import ADAPTER, certification_batiment_v3, certification_batiment_v4
from providers.qualibat.certificat import INSURERS, UNSUPPORTED, Extrait, extract
from providers.qualibat.nomenclature import label_of
from providers.simulator.pdf import Placed, place, write
from tests.providers.golden import play

CASES = Path(__file__).parent / "qualibat"


def a_case(name: str) -> Any:
    return json.loads((CASES / f"{name}.json").read_text())


def a_document(name: str) -> bytes:
    return b64decode(a_case(name)["exchanges"][-1]["response"]["body"]["base64"])


async def test_qualibat_is_told_its_credentials_in_a_header() -> None:
    _, _, playback = await play(a_case("v4_delivered"), ENDPOINTS)

    login, asked = playback.asked
    assert login.headers["authorization"] == "Basic a25vd246a25vd24="
    assert (login.method, login.content) == ("POST", b"")
    assert asked.headers["authorization"] == "Bearer invented"
    assert "content-type" not in {*login.headers, *asked.headers}


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_certificate_never_makes_the_reading_fail(seed: int) -> None:
    dice = random.Random(seed)
    document = bytearray(a_document("v4_rge_and_not"))
    for _ in range(dice.randint(1, 40)):
        document[dice.randrange(8, len(document))] = dice.randrange(256)

    assert isinstance(extract(bytes(document[: dice.randint(100, len(document))])), Extrait)
    assert isinstance(extract(bytes(document)), Extrait)


def test_a_certificate_written_line_by_line_is_read_too() -> None:
    lines = [
        "CERTIFICAT QUALIBAT « RGE »",
        "NUMÉRO E-1 VALABLE JUSQU’AU 30/09/2026",
        "ÉDITÉ LE 01/10/2025",
        "Assurance Responsabilité Travaux :",
        "QBE 12 34",
        "Code Qualification(s) Date d’attribution",
        "2111 Maçonnerie (Technicité courante) 29/02/2024",
    ]

    read = extract(write([lines]))

    assert (str(read.date_emission), str(read.date_fin_validite)) == ("2025-10-01", "2026-09-30")
    assert (read.responsabilite_travaux.nom, read.responsabilite_travaux.identifiant) == ("QBE", "12 34")
    assert [(one.code, one.rge) for one in read.attributions] == [("2111", True)]


@pytest.mark.parametrize("name", INSURERS)
def test_each_insurer_is_told_from_the_number_of_the_contract(name: str) -> None:
    page = [
        Placed(131, 786, "CERTIFICAT QUALIBAT"),
        Placed(69, 551, "Assurance Responsabilité Civile :"),
        Placed(69, 540, f"{name} 1/248 999"),
    ]

    found = extract(place([page])).responsabilite_civile

    assert (found.nom, found.identifiant) == (name, "1/248 999")


def test_a_reading_stops_after_some_pages() -> None:
    table = [Placed(131, 786, "CERTIFICAT QUALIBAT"), Placed(50, 400, "d'attribution")]
    pages = [[*table, Placed(50, 380, f"{number} x 01/01/2020")] for number in range(2000, 2030)]

    assert len(extract(place(pages)).attributions) == 20


def test_the_nomenclature_has_labels_without_blanks_around() -> None:
    assert label_of("2111") == "Maçonnerie et ouvrages en béton armé"
    assert label_of("0000") is None
    assert len(UNSUPPORTED) == 7


def test_both_versions_share_their_ping_and_their_allowance() -> None:
    (ping,) = ADAPTER.pings

    assert (ping.path, ping.minutes) == ("qualibat/certifications", 10)
    assert isinstance(ping.driver, RecentTraffic)
    assert ping.driver.endpoints == (certification_batiment_v3, certification_batiment_v4)
    assert ping.driver.ignored == {401, 403, 404, 422}
    assert certification_batiment_v3.deprecated
    assert not certification_batiment_v4.deprecated
    assert certification_batiment_v3.quota_name == certification_batiment_v4.quota_name == "low_latency_documents"
