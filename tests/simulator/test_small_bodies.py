"""What the simulated MSA, ADEME, CARIF-OREF and ProBTP serve."""

import httpx
import pytest

from providers.ademe import certification_rge_v3
from providers.base.pdf import first_pages
from providers.carif_oref import certifications_qualiopi_france_competences_v3
from providers.msa import conformite_cotisations_v3
from providers.probtp import attestation_cotisations_retraite_v3, conformite_cotisations_retraite_v3
from providers.simulator.world import SHOWCASE, World
from tests.simulator.adapters import ask, ask_with_documents
from tests.simulator.conftest import Caller, recorded

FARM, FARM_OF_THE_PING = "00001011600010", "95086311800010"


def siege(world: World, siren: str) -> str:
    company = world.company(siren)
    assert company is not None
    return company.siege.siret


# MSA


@pytest.mark.parametrize(
    ("siren", "status"), [("000010116", "up_to_date"), ("000070359", "outdated"), ("000070367", "under_investigation")]
)
async def test_msa_knows_where_a_farm_stands(caller: Caller, world: World, siren: str, status: str) -> None:
    answer = await ask(caller, conformite_cotisations_v3, siret=siege(world, siren))

    assert answer["data"] == {"status": status}


@pytest.mark.parametrize("siret", [SHOWCASE.siret, FARM, FARM_OF_THE_PING])
async def test_msa_answers_those_who_count_on_it(caller: Caller, siret: str) -> None:
    assert (await ask(caller, conformite_cotisations_v3, siret=siret))["data"]["status"] == "up_to_date"


@pytest.mark.parametrize("siret", [SHOWCASE.siret_absent, "00001003300017", "00000000000000"])
async def test_msa_does_not_know_others(caller: Caller, siret: str) -> None:
    assert await ask(caller, conformite_cotisations_v3, siret=siret) == "003"


# ADEME


async def lines(caller: Caller, siret: str, size: int, **headers: str) -> httpx.Response:
    query = {"size": str(size), "qs": f"siret:{siret} AND traitement_termine:false"}
    return await caller.client.get("/ademe.example/lines", params=query, headers=headers)


@pytest.mark.parametrize("siret", [SHOWCASE.siret, "50530961700049"])
async def test_ademe_knows_certificates(caller: Caller, siret: str) -> None:
    answer = await ask(caller, certification_rge_v3, siret=siret)

    first = answer["data"][0]["data"]
    assert first["date_attribution"] < first["date_expiration"]
    assert first["meta"]["archived"] is False


async def test_ademe_gives_no_more_lines_than_asked(caller: Caller, world: World) -> None:
    counts = {
        company.siege.siret: (await lines(caller, company.siege.siret, 1000, **{"x-apikey": "k"})).json()["total"]
        for company in world.companies
        if "ademe" in company.dossiers
    }
    several = max(counts, key=lambda siret: counts[siret])

    answer = await ask(caller, certification_rge_v3, siret=several, limit=1)

    assert counts[several] > 1
    assert len(answer["data"]) == 1


@pytest.mark.parametrize("siret", [SHOWCASE.siret_absent, "00001006600025"])
async def test_ademe_knows_nothing_of_others(caller: Caller, siret: str) -> None:
    assert await ask(caller, certification_rge_v3, siret=siret) == "003"


async def test_ademe_sends_what_it_sends(caller: Caller) -> None:
    sent = (await lines(caller, SHOWCASE.siret, 1, **{"x-apikey": "k"})).json()["results"][0]

    for reply in recorded("ademe", "/lines"):
        for result in reply["results"]:
            assert result.keys() - sent.keys() <= {"latitude", "longitude", "_geopoint"}


async def test_ademe_wants_a_key_and_a_question(caller: Caller) -> None:
    without_key = await lines(caller, SHOWCASE.siret, 1)
    without_question = await caller.client.get("/ademe.example/lines?size=1", headers={"x-apikey": "k"})

    assert (without_key.status_code, without_question.status_code) == (401, 400)


# CARIF-OREF


@pytest.mark.parametrize("siret", [SHOWCASE.siret, "00001012400014", "19753471200017"])
async def test_carif_oref_knows_training_establishments(caller: Caller, siret: str) -> None:
    answer = await ask(caller, certifications_qualiopi_france_competences_v3, siret=siret)

    data = answer["data"]
    assert data["siret"] == siret
    assert data["declarations_activites_etablissement"][0]["certification_qualiopi"]["action_formation"] is True
    assert all(one["date_decision"] for one in data["habilitations_france_competence"])
    assert data["habilitations_france_competence"]


@pytest.mark.parametrize("siret", [SHOWCASE.siret_absent, "00001003300017"])
async def test_carif_oref_sends_a_skeleton_for_others(caller: Caller, siret: str) -> None:
    reply = await caller.client.get(f"/carif.example/organisme/{siret}", headers={"token-connexion": "k"})

    assert (reply.status_code, reply.json()["siret_actif"]) == (200, None)
    assert await ask(caller, certifications_qualiopi_france_competences_v3, siret=siret) == "003"


async def test_carif_oref_wants_a_key(caller: Caller) -> None:
    reply = await caller.client.get(f"/carif.example/organisme/{SHOWCASE.siret}")

    assert reply.status_code == 401


# ProBTP


async def test_probtp_certifies_a_building_company(caller: Caller) -> None:
    conformite = await ask(caller, conformite_cotisations_retraite_v3, siret=SHOWCASE.siret)
    attestation, kept = await ask_with_documents(caller, attestation_cotisations_retraite_v3, siret=SHOWCASE.siret)

    assert conformite["data"] == {"eligible": True}
    assert attestation["data"]["expires_in"] == 86400
    assert f"Siret : {SHOWCASE.siret}" in first_pages(kept[0], 1)[0]


async def test_probtp_refuses_a_company_in_debt(caller: Caller, world: World) -> None:
    siret = siege(world, "000070375")

    conformite = await ask(caller, conformite_cotisations_retraite_v3, siret=siret)
    attestation = await ask(caller, attestation_cotisations_retraite_v3, siret=siret)

    assert (conformite["data"], attestation) == ({"eligible": False}, "003")


@pytest.mark.parametrize(("siren", "code"), [("000070383", "000"), ("000010066", "003")])
async def test_probtp_tells_failures_and_absences_in_its_body(
    caller: Caller, world: World, siren: str, code: str
) -> None:
    siret = siege(world, siren)

    conformite = await ask(caller, conformite_cotisations_retraite_v3, siret=siret)
    attestation = await ask(caller, attestation_cotisations_retraite_v3, siret=siret)

    assert conformite == attestation == code
