"""What the simulated OPQIBI serves."""

import pytest

from providers.opqibi import certification_ingenierie_v3
from providers.simulator.world import SHOWCASE
from tests.simulator.adapters import ask
from tests.simulator.conftest import Caller, recorded


@pytest.mark.parametrize("siren", [SHOWCASE.siren, "000010090", "309103877"])
async def test_a_firm_of_the_world_holds_a_certificate(caller: Caller, siren: str) -> None:
    answer = await ask(caller, certification_ingenierie_v3, siren=siren)

    assert None not in (answer["data"]["date_delivrance_certificat"], answer["data"]["date_validite_qualifications"])
    assert {one["rge"] for one in answer["data"]["qualifications"]} <= {True, False}


@pytest.mark.parametrize("siren", ["000010066", "000099994", "000000000", "000010058"])
async def test_others_hold_none(caller: Caller, siren: str) -> None:
    assert await ask(caller, certification_ingenierie_v3, siren=siren) == "003"


async def test_it_sends_what_opqibi_sends(caller: Caller) -> None:
    reply = await caller.client.get(f"/opqibi.example/certificats/{SHOWCASE.siren}")

    late = {"date_de_validite_des_qualifications_probatoires"}
    for sent in recorded("opqibi", "/certificats/"):
        assert reply.json().keys() - late == sent.keys() - late
