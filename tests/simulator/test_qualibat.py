"""What the simulated Qualibat serves."""

import re

import pytest

from providers.qualibat import certification_batiment_v3, certification_batiment_v4
from providers.simulator.world import SHOWCASE, World
from tests.simulator.adapters import ask, ask_with_documents
from tests.simulator.conftest import Caller


async def test_a_building_company_gets_a_certificate(caller: Caller) -> None:
    answer, kept = await ask_with_documents(caller, certification_batiment_v3, siret=SHOWCASE.siret)

    assert answer["data"]["expires_in"] == 86400
    assert kept[0].startswith(b"%PDF-")


async def test_every_certificate_can_be_read(caller: Caller, world: World) -> None:
    certified = [
        company.siege.siret
        for company in world.companies
        if "qualibat" in company.dossiers and not company.ceased and not company.peculiarities.get("qualibat")
    ]

    read = [await ask(caller, certification_batiment_v4, siret=siret) for siret in certified]

    assert len(read) > 3
    for answer in read:
        data = answer["data"]
        assert answer["meta"] == {"extractor_error": None}
        assert data["date_emission"] < data["date_fin_validite"]
        for insurer in ("assurance_responsabilite_travaux", "assurance_responsabilite_civile"):
            assert re.fullmatch(r"\d{10}", data["entity"][insurer]["identifiant"])
        assert all(one["nom"] and one["date_attribution"] for one in data["entity"]["certifications"])
    mentions = {one["rge"] for answer in read for one in answer["data"]["entity"]["certifications"]}
    assert mentions == {True, False}


@pytest.mark.parametrize(
    ("siret", "code"), [(SHOWCASE.siret_absent, "003"), ("00001003300017", "003"), ("00007033400016", "056")]
)
async def test_others_get_none(caller: Caller, siret: str, code: str) -> None:
    assert await ask(caller, certification_batiment_v4, siret=siret) == code


async def test_a_certificate_of_another_kind_is_delivered_without_being_read(caller: Caller) -> None:
    answer = await ask(caller, certification_batiment_v4, siret="00007034200019")

    assert answer["meta"] == {"extractor_error": "amiante_pdf_not_supported"}
    assert answer["data"]["document_url"]


async def test_the_login_takes_a_name_and_a_password(caller: Caller) -> None:
    good = await caller.client.post("/qualibat.example/token", auth=("nom", "secret"))
    bad = await caller.client.post("/qualibat.example/token")

    assert (good.status_code, good.json()["expires_in"]) == (200, 1800.0)
    assert bad.status_code == 401


async def test_a_token_is_asked_for(caller: Caller) -> None:
    reply = await caller.client.get(f"/qualibat.example/certificat/{SHOWCASE.siret}")

    assert reply.status_code == 401
