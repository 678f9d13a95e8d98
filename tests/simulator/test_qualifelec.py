"""What the simulated Qualifelec serves."""

import pytest

from providers.qualifelec import certificats_v3
from providers.simulator.world import SHOWCASE, World
from tests.simulator.adapters import ask
from tests.simulator.conftest import Caller, recorded


@pytest.mark.parametrize("siret", [SHOWCASE.siret, "42054064300376"])
async def test_an_electrician_holds_certificates(caller: Caller, siret: str) -> None:
    answer = await ask(caller, certificats_v3, siret=siret)

    first = answer["data"][0]["data"]
    assert (first["date_debut"], first["date_fin"]) == ("2026-01-01", "2026-12-31")
    assert first["qualification"]["indices"]


@pytest.mark.parametrize("siret", [SHOWCASE.siret_absent, "00001003300017", "00007032600012"])
async def test_others_hold_none(caller: Caller, siret: str) -> None:
    assert await ask(caller, certificats_v3, siret=siret) == "003"


async def test_it_sends_what_qualifelec_sends(caller: Caller, world: World) -> None:
    token = (await caller.client.post("/qualifelec.example/auth", json={"username": "u", "password": "p"})).json()
    headers = {"authorization": f"Bearer {token['token']}"}
    reply = await caller.client.get(f"/qualifelec.example/certificates/{SHOWCASE.siret}", headers=headers)

    for sent in recorded("qualifelec", "/certificates/"):
        assert reply.json()[0].keys() == sent[0].keys()


async def test_a_token_is_asked_for(caller: Caller) -> None:
    login = await caller.client.post("/qualifelec.example/auth", json={"username": "u"})
    reply = await caller.client.get(f"/qualifelec.example/certificates/{SHOWCASE.siret}")

    assert (login.status_code, reply.status_code) == (401, 401)
    assert reply.json() == {"code": 401, "message": "JWT Token not found"}
