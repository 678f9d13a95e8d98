"""What the simulated INSEE serves."""

from itertools import pairwise
from typing import Any

import pytest
from stdnum.fr import siret

from providers.simulator.world import SHOWCASE, World
from tests.simulator.conftest import Caller, recorded


def union(rows: list[dict[str, Any]]) -> set[str]:
    return {key for row in rows for key in row}


async def test_the_token_is_that_of_an_oauth_server(caller: Caller) -> None:
    reply = await caller.client.post("/any.example/token", data={"grant_type": "password"})

    assert reply.json().keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert reply.json()["token_type"] == "Bearer"


async def test_a_call_without_a_good_token_is_refused(caller: Caller) -> None:
    for header in ({}, {"authorization": "Bearer a.b.c"}, {"authorization": "Basic abc"}):
        caller.headers = header
        reply = await caller.insee(f"/siren/{SHOWCASE.siren}")
        assert reply.status_code == 401
        assert reply.json()["header"]["statut"] == 401


async def test_a_token_expires(caller: Caller) -> None:
    caller.clock.now += 7 * 24 * 3600 - 1
    assert (await caller.insee(f"/siren/{SHOWCASE.siren}")).status_code == 200

    caller.clock.now += 1

    assert (await caller.insee(f"/siren/{SHOWCASE.siren}")).status_code == 401


async def test_a_legal_unit_has_the_shape_of_the_wire(caller: Caller) -> None:
    wire = [body["uniteLegale"] for body in recorded("insee", "/siren/") if "uniteLegale" in body]

    ours = (await caller.insee(f"/siren/{SHOWCASE.siren}")).json()

    assert ours.keys() == {"header", "uniteLegale"}
    assert ours["uniteLegale"].keys() == union(wire)
    periods = union([period for unit in wire for period in unit["periodesUniteLegale"]])
    assert ours["uniteLegale"]["periodesUniteLegale"][0].keys() == periods


async def test_an_establishment_has_the_shape_of_the_wire(caller: Caller) -> None:
    wire = [body["etablissement"] for body in recorded("insee", "/siret/") if "etablissement" in body]

    ours = (await caller.insee(f"/siret/{SHOWCASE.siret}")).json()["etablissement"]

    assert ours.keys() == union(wire)
    for part in ("uniteLegale", "adresseEtablissement", "adresse2Etablissement"):
        assert ours[part].keys() == union([row[part] for row in wire if part in row])
    periods = union([period for row in wire for period in row["periodesEtablissement"]])
    assert ours["periodesEtablissement"][0].keys() == periods


async def test_unit_establishment_and_head_office_agree(caller: Caller, world: World) -> None:
    for company in world.companies:
        if not company.siren or company.peculiarities.get("insee"):
            continue
        unit = (await caller.insee(f"/siren/{company.siren}")).json()["uniteLegale"]
        found = (await caller.insee("/siret", q=f"etablissementSiege:true AND siren:{company.siren}")).json()
        [siege] = found["etablissements"]
        assert found["header"] == {"statut": 200, "message": "OK", "total": 1, "debut": 0, "nombre": 1}
        assert siege == (await caller.insee(f"/siret/{siege['siret']}")).json()["etablissement"]
        current = unit["periodesUniteLegale"][0]
        assert siege["nic"] == current["nicSiegeUniteLegale"]
        flat = {**unit, **current}
        assert {key: flat[key] for key in siege["uniteLegale"]} == siege["uniteLegale"]


async def test_only_the_newest_period_is_open_and_periods_follow_each_other(caller: Caller, world: World) -> None:
    for company in world.companies:
        if company.siren:
            unit = (await caller.insee(f"/siren/{company.siren}")).json()["uniteLegale"]
            periods = unit["periodesUniteLegale"]
            assert unit["nombrePeriodesUniteLegale"] == len(periods)
            assert [period["dateFin"] is None for period in periods] == [True] + [False] * (len(periods) - 1)
            assert all(older["dateFin"] < newer["dateDebut"] for newer, older in pairwise(periods))
            assert periods[-1]["dateDebut"] == unit["dateCreationUniteLegale"]


async def test_a_ceased_company_says_when(caller: Caller) -> None:
    unit = (await caller.insee("/siren/000010058")).json()["uniteLegale"]

    assert [
        (period["etatAdministratifUniteLegale"], period["changementEtatAdministratifUniteLegale"], period["dateDebut"])
        for period in unit["periodesUniteLegale"]
    ] == [("C", True, "2019-06-30"), ("A", False, "1983-09-19")]
    place = (await caller.insee("/siret/00001005800022")).json()["etablissement"]
    assert place["periodesEtablissement"][0]["etatAdministratifEtablissement"] == "F"
    assert place["periodesEtablissement"][0]["dateDebut"] == "2012-12-31"


async def test_a_moved_head_office_and_a_changed_name_are_in_the_periods(caller: Caller) -> None:
    moved = (await caller.insee("/siren/000010066")).json()["uniteLegale"]["periodesUniteLegale"]
    renamed = (await caller.insee("/siren/000010074")).json()["uniteLegale"]["periodesUniteLegale"]

    assert [(period["nicSiegeUniteLegale"], period["changementNicSiegeUniteLegale"]) for period in moved] == [
        ("00025", True),
        ("00017", False),
    ]
    assert [period["denominationUniteLegale"] for period in renamed] == [
        "PLUMORANE LOGICIEL",
        "BRACONETTE INFORMATIQUE",
    ]


@pytest.mark.parametrize(
    ("siren", "status"), [("000030015", "O"), ("000030023", "P"), ("000030031", "N"), ("000050013", "P")]
)
async def test_diffusion_is_told(caller: Caller, siren: str, status: str) -> None:
    unit = (await caller.insee(f"/siren/{siren}")).json()["uniteLegale"]

    assert unit["statutDiffusionUniteLegale"] == status


async def test_a_natural_person_has_names_and_no_denomination(caller: Caller) -> None:
    unit = (await caller.insee("/siren/000030015")).json()["uniteLegale"]

    assert (unit["prenom1UniteLegale"], unit["prenom4UniteLegale"], unit["sexeUniteLegale"]) == ("VERVEINE", None, "F")
    period = unit["periodesUniteLegale"][0]
    assert (period["nomUniteLegale"], period["nomUsageUniteLegale"]) == ("AUBEPINE", "TILLEUL")
    assert period["denominationUniteLegale"] is None
    assert period["categorieJuridiqueUniteLegale"] == "1000"


async def test_a_duplicate_redirects_to_the_survivor(caller: Caller) -> None:
    unit = await caller.insee("/siren/000060012")
    place = await caller.insee("/siret/00006001200016")
    search = await caller.insee("/siret", q="etablissementSiege:true AND siren:000060012")

    assert unit.status_code == place.status_code == 301
    assert unit.headers["location"].rsplit("/", 1)[1] == SHOWCASE.siren
    assert place.headers["location"].rsplit("/", 1)[1] == SHOWCASE.siret
    assert search.status_code == 404


async def test_a_duplicate_may_lead_to_another_or_to_itself(caller: Caller) -> None:
    twice = await caller.insee("/siret/00006002000011")
    endless = await caller.insee("/siren/000060038")

    assert twice.headers["location"].rsplit("/", 1)[1].startswith("000060012")
    assert siret.is_valid(twice.headers["location"].rsplit("/", 1)[1])
    assert endless.headers["location"].rsplit("/", 1)[1] == "000060038"


async def test_two_head_offices_are_two_results(caller: Caller) -> None:
    found = (await caller.insee("/siret", q="etablissementSiege:true AND siren:000060046")).json()

    assert found["header"]["total"] == len(found["etablissements"]) == 2


async def test_successions_are_found_from_both_sides(caller: Caller) -> None:
    wire = union([link for body in recorded("insee", "liensSuccession") for link in body.get("liensSuccession", [])])
    asked = "siretEtablissementSuccesseur:{0} OR siretEtablissementPredecesseur:{0}"

    middle = (await caller.insee("/siret/liensSuccession", q=asked.format("00001006600025"))).json()
    none = await caller.insee("/siret/liensSuccession", q=asked.format("00001002500013"))

    assert middle["header"]["total"] == len(middle["liensSuccession"]) == 2
    assert middle["liensSuccession"][0].keys() == wire
    assert none.status_code == 404


@pytest.mark.parametrize("path", ["/siren/000000000", f"/siret/{SHOWCASE.siret_absent}", "/siret/00001001799999"])
async def test_what_is_not_in_the_register_is_not_found(caller: Caller, path: str) -> None:
    reply = await caller.insee(path)

    assert reply.status_code == 404
    assert reply.json()["header"]["statut"] == 404


async def test_an_unreadable_search_is_refused(caller: Caller) -> None:
    assert (await caller.insee("/siret", q="denomination:X")).status_code == 400
    assert (await caller.insee("/siret/liensSuccession", q="siret:1")).status_code == 400
