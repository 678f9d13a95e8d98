"""What the simulated GIP-MDS serves."""

import pytest

from providers.gip_mds import effectifs_annuels_v3, effectifs_mensuels_v3
from providers.simulator.world import SHOWCASE, World
from tests.simulator.adapters import ask
from tests.simulator.conftest import Caller, recorded


@pytest.mark.parametrize(("siren", "year"), [(SHOWCASE.siren, "2025"), ("552032534", "2024")])
async def test_a_company_has_the_head_count_of_the_register(
    caller: Caller, world: World, siren: str, year: str
) -> None:
    company = world.company(siren)
    assert company

    answer = await ask(caller, effectifs_annuels_v3, siren=siren, year=year)

    counts = {row["regime"]: row["value"] for row in answer["data"]["effectifs_annuel"]}
    assert counts["regime_agricole"] is None
    assert counts["regime_general"] == pytest.approx(company.headcount, rel=0.05)


async def test_a_farm_is_in_the_agricultural_scheme(caller: Caller) -> None:
    answer = await ask(caller, effectifs_mensuels_v3, siret="00001011600010", year="2025", month="06")

    counts = {row["regime"]: row["value"] for row in answer["data"]["effectifs_mensuels"]}
    assert counts["regime_general"] is None
    assert counts["regime_agricole"] == pytest.approx(7, rel=0.05)


async def test_months_before_are_told_oldest_first(caller: Caller) -> None:
    answer = await ask(
        caller,
        effectifs_mensuels_v3,
        siret=SHOWCASE.siret,
        year="2026",
        month="02",
        profondeur=3,
        nature_effectif="boeth",
    )

    rows = answer["data"]["effectifs_mensuels"]
    assert [(row["annee"], row["mois"]) for row in rows[::2]] == [("2025", "12"), ("2026", "01"), ("2026", "02")]
    assert {row["nature"] for row in rows} == {"effectif_boeth_mensuel"}


@pytest.mark.parametrize(
    ("siren", "year"),
    [(SHOWCASE.siren, "2026"), (SHOWCASE.siren, "1990"), ("000010058", "2024"), ("000099994", "2024")],
)
async def test_nothing_is_known_before_after_or_of_nobody(caller: Caller, siren: str, year: str) -> None:
    assert await ask(caller, effectifs_annuels_v3, siren=siren, year=year) == "003"


async def test_it_sends_what_gip_mds_sends(caller: Caller) -> None:
    query = {"nature": "A01", "siren": SHOWCASE.siren, "periode": "20241231"}
    reply = await caller.client.get("/gip-mds.example/rcd-api/1.0.0/effectifs", params=query, headers=caller.headers)

    rows = [row for sent in recorded("gip_mds", "nature=A01") if isinstance(sent, list) for row in sent]
    told = {row["effectifs"] == "NC": row.keys() for row in rows}
    for row in reply.json():
        assert row.keys() == told[row["effectifs"] == "NC"]
