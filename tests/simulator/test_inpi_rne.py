"""What the simulated national register of companies serves."""

from typing import Any

import pytest

from providers.inpi_rne import actes_bilans_v3, beneficiaires_effectifs_v3, extrait_rne_v3
from providers.inpi_rne.documents import acte, bilan, extrait
from providers.simulator.world import SHOWCASE, World
from tests.simulator.adapters import ask, ask_with_documents
from tests.simulator.conftest import Caller, recorded


async def test_the_extract_agrees_with_the_world(caller: Caller, world: World) -> None:
    company = world.company(SHOWCASE.siren)
    assert company

    data = (await ask(caller, extrait_rne_v3, siren=SHOWCASE.siren))["data"]

    identite = data["identite_entreprise"]
    assert (identite["siren"], identite["denomination"]) == (company.siren, company.name)
    assert identite["capital_social"] == {"montant": float(company.capital), "devise": "EUR"}
    assert identite["date_cloture_exercice"] == "12-31"
    assert [place["siret"] for place in data["etablissements"]] == [place.siret for place in company.etablissements]
    assert data["dirigeants_et_associes"][0]["qualite"] == "Président de SAS"


async def test_a_sole_trader_has_a_name_and_no_officer(caller: Caller) -> None:
    data = (await ask(caller, extrait_rne_v3, siren="000030015"))["data"]

    assert data["identite_entreprise"]["nom"] == "AUBEPINE"
    assert data["identite_entreprise"]["denomination"] is None
    assert data["dirigeants_et_associes"] == []
    assert await ask(caller, beneficiaires_effectifs_v3, siren="000030015") == "003"


async def test_a_company_that_has_ceased_has_closed_places(caller: Caller) -> None:
    data = (await ask(caller, extrait_rne_v3, siren="000010058"))["data"]

    assert data["etablissements_fermes_total"] == 2
    assert [place["type_etablissement"] for place in data["etablissements"]] == ["Secondaire"]
    assert data["observations"][0]["date"] == "2019-06-30"


@pytest.mark.parametrize(("siren", "status"), [("000010017", True), ("000050039", False), ("000030023", False)])
async def test_diffusion_is_that_of_the_register_of_companies(caller: Caller, siren: str, status: bool) -> None:
    data = (await ask(caller, extrait_rne_v3, siren=siren))["data"]

    assert (data["diffusion_insee"], data["diffusion_commerciale"]) == (status, status)


async def test_those_who_control_hold_a_quarter_directly_or_through_a_company(caller: Caller) -> None:
    answer = await ask(caller, beneficiaires_effectifs_v3, siren=SHOWCASE.siren)

    held = [one["data"]["modalites"]["detention_de_capital"] for one in answer["data"]]
    assert held
    assert all(one["parts_totale"] >= 25 for one in held)
    assert any(one["parts_indirectes"]["detention"] for one in held)
    assert answer["meta"]["count"] == len(held)


@pytest.mark.parametrize("siren", ["900225095", "000010025", "000010033"])
async def test_somebody_always_controls_a_company(caller: Caller, siren: str) -> None:
    assert (await ask(caller, beneficiaires_effectifs_v3, siren=siren))["data"]


@pytest.mark.parametrize("siren", [SHOWCASE.siren, "542065479"])
async def test_deeds_and_accounts_are_filed(caller: Caller, siren: str) -> None:
    data = (await ask(caller, actes_bilans_v3, siren=siren))["data"]

    assert data["actes"][-1]["types_actes"] == [{"type_acte": "Statuts constitutifs"}]
    assert len(data["bilans"]) == 3
    assert {one["type"] for one in data["bilans"]} <= {"bilan complet", "bilan simplifié"}


async def test_each_document_is_a_pdf(caller: Caller) -> None:
    data = (await ask(caller, actes_bilans_v3, siren=SHOWCASE.siren))["data"]

    for endpoint, values in (
        (acte, {"document_id": data["actes"][0]["id"]}),
        (bilan, {"document_id": data["bilans"][0]["id"]}),
        (extrait, {"siren": SHOWCASE.siren}),
    ):
        answer, documents = await ask_with_documents(caller, endpoint, **values)
        assert answer["data"]["expires_in"] == 86400
        assert documents[0].startswith(b"%PDF")


@pytest.mark.parametrize("siren", ["000020016", "000040014", "000099994", "000000000"])
@pytest.mark.parametrize("endpoint", [actes_bilans_v3, beneficiaires_effectifs_v3, extrait_rne_v3])
async def test_associations_and_public_bodies_are_not_in_it(caller: Caller, endpoint: Any, siren: str) -> None:
    assert await ask(caller, endpoint, siren=siren) == "003"


async def test_an_unknown_document_is_not_found(caller: Caller) -> None:
    assert await ask(caller, acte, document_id="0" * 24) == "003"
    assert await ask(caller, extrait, siren="000020016") == "003"


async def test_it_sends_what_the_register_sends(caller: Caller) -> None:
    reply = await caller.client.get(f"/inpi-rne.example/api/companies/{SHOWCASE.siren}", headers=caller.headers)

    ours, theirs = _names(reply.json()), set()
    for sent in recorded("inpi_rne", "/api/companies/"):
        theirs |= _names(sent)
    assert ours <= theirs


def _names(value: Any) -> set[str]:
    """The names of all members, at any depth."""
    if isinstance(value, dict):
        return set(value) | {name for one in value.values() for name in _names(one)}
    return {name for one in value for name in _names(one)} if isinstance(value, list) else set()
