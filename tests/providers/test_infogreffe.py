"""What is peculiar to Infogreffe, beyond the recorded cases: the question it is asked, and how Paris counted time."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from providers import ENDPOINTS
from providers.infogreffe.extrait import timestamp
from providers.infogreffe.produits import PRODUITS, envelope
from tests.providers.golden import SHARED, play

CASES = Path(__file__).parent / "infogreffe"
SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"


def a_case(name: str) -> Any:
    return json.loads((CASES / f"{name}.json").read_text())


async def test_it_is_asked_for_an_extract_by_a_subscriber() -> None:
    _, _, playback = await play(a_case("kbis_company"), ENDPOINTS)

    asked = playback.asked[-1]
    assert asked.headers["content-type"] == "text/xml"
    assert (asked.headers["charset"], asked.headers["soapaction"]) == ("utf-8", "getProduitsWebServicesXML")
    root = etree.fromstring(asked.content)
    assert [element.tag for element in root] == [f"{SOAP}Header", f"{SOAP}Body"]
    operation = root[1][0]
    assert operation.tag == "{urn:WebServicesProduits}getProduitsWebServicesXML"
    assert [element.tag for element in operation] == ["arg0"]
    demande = operation.find("arg0/demande")
    assert demande is not None
    assert demande.findtext("emetteur/code_abonne") == demande.findtext("emetteur/mot_passe") == "known"
    assert demande.findtext("commande/num_siren") == "999502032"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared golden cases are not beside this checkout")
async def test_the_question_is_the_recorded_one() -> None:
    case = json.loads((SHARED / "infogreffe" / "kbis_recorded_personne_morale.json").read_text())

    _, _, playback = await play(case, ENDPOINTS)

    theirs = case["exchanges"][0]["request"]["body"]["text"]
    assert _leaves(playback.asked[-1].content) == _leaves(theirs.encode())


def _leaves(content: bytes) -> list[tuple[str, str]]:
    """Elements without children, and their texts, secrets apart."""
    return sorted(
        (etree.QName(one).localname, one.text or "")
        for one in etree.fromstring(content).iter(etree.Element)
        if not len(one) and etree.QName(one).localname not in ("code_abonne", "mot_passe")
    )


def test_credentials_cannot_add_elements() -> None:
    root = etree.fromstring(envelope("</code_abonne>", "a&b<c>", b"<commande/>"))

    assert root.findtext(".//code_abonne") == "</code_abonne>"
    assert root.findtext(".//mot_passe") == "a&b<c>"


@pytest.mark.parametrize(
    ("day", "told"),
    [
        ("1980-02-15", datetime(1980, 2, 14, 23, tzinfo=UTC)),
        ("1975-07-14", datetime(1975, 7, 13, 23, tzinfo=UTC)),  # no summer time before 1976
        ("1976-07-14", datetime(1976, 7, 13, 22, tzinfo=UTC)),
        ("1935-01-01", datetime(1935, 1, 1, 0, tzinfo=UTC)),  # Greenwich's time before 1940
        ("1900-01-01", datetime(1899, 12, 31, 23, 50, 39, tzinfo=UTC)),  # Paris's own before 1911
    ],
)
def test_midnight_is_that_of_paris_as_it_counted_then(day: str, told: datetime) -> None:
    assert timestamp(day) == int(told.timestamp())


@pytest.mark.parametrize("day", ["", None, "1980", "1980-02-30", "hier"])
def test_what_is_no_date_has_no_moment(day: str | None) -> None:
    assert timestamp(day) is None


def test_it_needs_a_subscriber() -> None:
    assert PRODUITS.needs == ("username", "password")
