"""What the simulated Banque de France serves."""

import pytest

from providers.banque_de_france import bilans_v3
from providers.dgfip import liasses_fiscales_v3
from providers.simulator.world import SHOWCASE
from tests.simulator.adapters import ask
from tests.simulator.conftest import Caller, recorded


@pytest.mark.parametrize("siren", [SHOWCASE.siren, "418166096", "000010025"])
async def test_a_company_has_three_balance_sheets(caller: Caller, siren: str) -> None:
    answer = await ask(caller, bilans_v3, siren=siren)

    years = [int(one["data"]["annee"]) for one in answer["data"]]
    assert years == [years[0], years[0] - 1, years[0] - 2]
    assert answer["meta"] == {"count": 3}


async def test_the_balance_sheet_agrees_with_the_tax_return(caller: Caller) -> None:
    bilan = (await ask(caller, bilans_v3, siren=SHOWCASE.siren))["data"][0]["data"]
    liasse = (await ask(caller, liasses_fiscales_v3, siren=SHOWCASE.siren, year=2024))["data"]["declarations"]

    ours, theirs = (
        {row["code_nref"]: row["valeurs"][0] for form in forms for row in form["donnees"]}
        for forms in (bilan["declarations"], liasse)
    )
    for code in ("300476", "300438", "300414", "300506", "300606"):
        assert int(ours[code]) // 1000 == int(theirs[code]) // 1000


@pytest.mark.parametrize("siren", ["000010058", "000020016", "000040014", "000099994", "000000000"])
async def test_others_have_none(caller: Caller, siren: str) -> None:
    assert await ask(caller, bilans_v3, siren=siren) == "003"


async def test_it_sends_what_the_bank_sends(caller: Caller) -> None:
    reply = await caller.client.get(f"/banque-de-france.example/bilans/{SHOWCASE.siren}")

    assert reply.headers["content-encoding"] == "gzip"
    for sent in recorded("banque_de_france", "/bilans/"):
        if sent.get("bilans"):
            assert reply.json().keys() == sent.keys()
            assert all(row.keys() == sent["bilans"][0].keys() for row in reply.json()["bilans"])
