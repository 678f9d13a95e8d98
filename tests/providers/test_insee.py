"""What is peculiar to Sirene: its token, its duplicates, its dates, and what open data must never show."""

import json
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from providers import insee
from providers.insee.conversions import creation_epoch, epoch, type_personne
from providers.insee.nomenclatures import label_categorie_juridique, label_naf_2025, label_naf_rev2
from tests.providers.golden import cases, play

CASES = Path(__file__).parent / "insee"
ENDPOINTS = insee.ADAPTER.endpoints
PERSONAL = "PERSONAL"
"""Stands in for each value that may tell who a natural person is."""


def a_case(name: str) -> dict[str, Any]:
    case: dict[str, Any] = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    return case


def a_person(*, unite: str | None, etablissement: str | None) -> dict[str, Any]:
    """A head office in open data, whose personal values all read the same."""
    case = a_case("v4_etablissement_open_of_partial_unit")
    sent = case["exchanges"][1]["response"]["body"]["json"]["etablissement"]
    sent["statutDiffusionEtablissement"] = etablissement
    names = ("nom", "nomUsage", "prenom1", "prenom2", "prenom3", "prenom4", "prenomUsuel", "pseudonyme", "sexe")
    sent["uniteLegale"].update({f"{name}UniteLegale": PERSONAL for name in names})
    sent["uniteLegale"]["statutDiffusionUniteLegale"] = unite
    return case


@pytest.mark.parametrize("path", ["/v3/…/{}", "/v4/…/{}", "/v3/…/{}/adresse", "siege"])
@pytest.mark.parametrize("unite", ["P", "N", "X", None])
@pytest.mark.parametrize("etablissement", ["O", "P", "X", None])
async def test_open_data_never_name_a_person_whose_unit_is_not_open(
    path: str, unite: str | None, etablissement: str | None
) -> None:
    case = a_person(unite=unite, etablissement=etablissement)
    if path == "siege":
        body = case["exchanges"][1]["response"]["body"]
        body["json"] = {"etablissements": [body["json"]["etablissement"]]}
        case["exchanges"][1]["request"]["uri"] = "https://insee-sirene.example/api-sirene/prive/3.11/siret"
        case["request"]["path"] = "/v4/insee/sirene/unites_legales/diffusibles/999530009/siege_social"
    else:
        case["request"]["path"] = path.replace("…", "insee/sirene/etablissements/diffusibles").format("99953000900011")

    status, answer, _ = await play(case, ENDPOINTS)

    assert status == 200
    assert PERSONAL not in json.dumps(answer)


async def test_open_data_name_a_person_who_let_them() -> None:
    case = a_person(unite="O", etablissement="O")

    _, answer, _ = await play(case, ENDPOINTS)

    assert answer["data"]["unite_legale"]["personne_physique_attributs"]["nom_naissance"] == PERSONAL
    assert answer["data"]["adresse"]["acheminement_postal"]["l2"] == f"{PERSONAL} {PERSONAL}"


async def test_an_establishment_not_to_be_shown_is_not_known_to_open_data() -> None:
    case = a_person(unite="O", etablissement="N")

    status, answer, _ = await play(case, ENDPOINTS)

    assert (status, answer["errors"][0]["code"]) == (404, "01003")


async def test_the_token_is_asked_with_the_fields_in_their_order_and_the_usual_patience() -> None:
    case = a_case("v4_siege_open")

    _, _, playback = await play(case, ENDPOINTS)

    login, search = playback.asked
    assert [name for name, _ in parse_qsl(login.content.decode())] == [
        "client_id",
        "client_secret",
        "grant_type",
        "username",
        "password",
    ]
    assert login.extensions["timeout"] == dict.fromkeys(("connect", "read", "write", "pool"), 10)
    assert search.extensions["timeout"] == dict.fromkeys(("connect", "read", "write", "pool"), 2)
    assert search.headers["authorization"] == "Bearer invented"
    assert search.url.params["q"] == "etablissementSiege:true AND siren:999500002"


async def test_a_refused_token_is_renewed_once_and_the_caller_told_when_to_come_back() -> None:
    case = a_case("v4_unite_legale_still_refused")

    _, answer, playback = await play(case, ENDPOINTS)

    assert [request.method for request in playback.asked] == ["POST", "GET", "POST", "GET"]
    assert answer["errors"][0]["code"] == "01011"
    assert all(rule.kind.retry_in == 10 for e in ENDPOINTS for rule in e.failures if 401 in rule.statuses)


@pytest.mark.parametrize(
    "location",
    ["", "/", "https://[", "/siren/99950000", "/siren/99950000200012", "/siren/999500002/", "/siren/999500003"],
)
async def test_a_location_that_ends_with_no_siren_is_the_provider_s_own_error(location: str) -> None:
    case = a_case("v4_unite_legale_redirected_nowhere")
    case["exchanges"][1]["response"]["headers"]["location"] = location

    status, answer, playback = await play(case, ENDPOINTS)

    assert (status, answer["errors"][0]["code"]) == (502, "01000")
    assert len(playback.asked) == 2


async def test_a_duplicate_is_asked_on_our_own_path_whatever_the_location() -> None:
    case = a_case("v4_unite_legale_redirected")
    case["exchanges"][1]["response"]["headers"]["location"] = "https://elsewhere.example/siren/999500002?a=/b#c"

    _, _, playback = await play(case, ENDPOINTS)

    assert playback.asked[-1].url.path == "/api-sirene/prive/3.11/siren/999500002"
    assert playback.asked[-1].url.host == "api.insee.fr"


@pytest.mark.parametrize(
    ("day", "seconds"),
    [
        (date(2024, 3, 31), 1711839600),  # the night Paris goes to summer time: midnight is still at +01:00
        (date(2024, 7, 1), 1719784800),
        (date(1970, 1, 1), -3600),
        (date(1965, 7, 1), -142131600),
    ],
)
def test_a_date_is_told_as_midnight_in_paris(day: date, seconds: int) -> None:
    told = epoch(day)

    assert told == seconds


def test_a_creation_in_1900_is_one_nobody_knows() -> None:
    told = creation_epoch(date(1900, 1, 1)), epoch(date(1900, 1, 1))

    assert told[0] is None
    assert told[1] is not None


@pytest.mark.parametrize(
    ("category", "person"),
    [("1000", "personne_physique"), ("5710", "personne_morale"), ("", None), (" ", None), (None, None)],
)
def test_the_legal_category_tells_the_kind_of_person(category: str | None, person: str | None) -> None:
    told = type_personne(category)

    assert told == person


def test_a_code_outside_its_nomenclature_is_said_not_to_be_listed() -> None:
    labels = [label_naf_rev2("62.10Y"), label_naf_2025("62.01Z"), label_categorie_juridique("57"), label_naf_rev2(None)]

    assert labels == ["non référencé"] * 4


def test_every_resource_has_a_case_of_ours() -> None:
    played = [json.loads(path.read_text(encoding="utf-8"))["endpoint"] for path in cases(CASES)]

    assert {resource(path) for path in played} == {resource(endpoint.path) for endpoint in ENDPOINTS}


def resource(path: str) -> str:
    """A path whatever its version, and whether it is open data."""
    return path.split("/", 2)[2].replace("diffusibles/", "")
