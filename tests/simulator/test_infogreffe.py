"""What the simulated Infogreffe serves."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from providers.infogreffe import extrait_kbis_v3, mandataires_sociaux_v3
from providers.infogreffe.produits import envelope
from providers.inpi_rne import extrait_rne_v3
from providers.simulator.world import SHOWCASE, World
from tests.simulator.adapters import ask
from tests.simulator.conftest import WIRE, Caller

URL = "/infogreffe.example/WSContextInfogreffe/INFOGREFFE"


async def test_the_extract_agrees_with_the_world(caller: Caller, world: World) -> None:
    company = world.company(SHOWCASE.siren)
    assert company

    data = (await ask(caller, extrait_kbis_v3, siren=SHOWCASE.siren))["data"]

    assert data["personne_morale"]["denomination"] == company.name
    assert data["capital"] == {"montant": float(company.capital), "devise": "EUROS", "code_devise": "EUR"}
    assert data["greffe"] == {"valeur": "RENNES", "code": "3501"}
    assert data["date_immatriculation"] == company.created.isoformat()
    assert data["etablissement_principal"]["code_ape"] == "4321A"
    assert data["personne_physique"]["nom"] == ""


async def test_both_registers_name_the_same_people(caller: Caller) -> None:
    officers = (await ask(caller, mandataires_sociaux_v3, siren="000010025"))["data"]
    of_inpi = (await ask(caller, extrait_rne_v3, siren="000010025"))["data"]["dirigeants_et_associes"]

    people = [one["data"] for one in officers if one["data"]["type"] == "personne_physique"]
    assert [(one["nom"], one["date_naissance"][:7]) for one in people] == [
        (one["nom"], one["date_naissance"]) for one in of_inpi
    ]
    assert [one["data"]["type"] for one in officers].count("personne_morale") == 1


async def test_a_sole_trader_is_his_own_officer(caller: Caller) -> None:
    data = (await ask(caller, extrait_kbis_v3, siren="000030015"))["data"]
    answer = await ask(caller, mandataires_sociaux_v3, siren="000030015")

    assert data["personne_physique"]["nom"] == "AUBEPINE"
    assert data["personne_physique"]["naissance"]["date"] == "1979-08-23"
    assert data["personne_physique"]["adresse"]["code_postal"]
    assert data["personne_morale"]["denomination"] == ""
    assert answer["data"][0]["data"]["date_naissance"] == "1979-08-23"
    assert answer["meta"] == {"personnes_physiques_count": 1, "personnes_morales_count": 0, "count": 1}


async def test_a_company_that_has_ceased_is_struck_off(caller: Caller) -> None:
    data = (await ask(caller, extrait_kbis_v3, siren="000010058"))["data"]

    assert data["date_radiation"] == "2019-06-30"
    assert data["observations"][0]["libelle"].startswith("CESSATION")


@pytest.mark.parametrize("siren", [SHOWCASE.siren, "831386297", "000010140"])
async def test_companies_are_in_the_register(caller: Caller, siren: str) -> None:
    assert (await ask(caller, extrait_kbis_v3, siren=siren))["data"]["siren"] == siren


@pytest.mark.parametrize("siren", ["000020016", "000040014", "000099994", "000000000"])
async def test_others_are_not(caller: Caller, siren: str) -> None:
    assert await ask(caller, extrait_kbis_v3, siren=siren) == "003"


async def test_who_tells_no_password_is_refused(caller: Caller) -> None:
    commande = b"<commande><num_siren>" + SHOWCASE.siren.encode() + b"</num_siren></commande>"

    reply = await caller.client.post(URL, content=envelope("known", "", commande))

    assert "003 -CODE ABONNE OU MOT DE PASSE INVALIDE-" in reply.text


async def test_it_sends_what_infogreffe_sends(caller: Caller) -> None:
    commande = b"<commande><num_siren>000010025</num_siren></commande>"
    reply = await caller.client.post(URL, content=envelope("known", "known", commande))

    ours, theirs = _shape(reply.content), set()
    for content in _recorded(WIRE / "infogreffe"):
        theirs |= _shape(content)
    assert ours <= theirs


def _recorded(folder: Path) -> Iterator[bytes]:
    if not folder.is_dir():
        pytest.skip("the recorded exchanges are not beside the project")
    for file in sorted(folder.glob("*.json")):
        for exchange in json.loads(file.read_text(encoding="utf-8"))["exchanges"]:
            text = exchange["response"]["body"]["text"]
            if "Extrait" in text:
                yield text.encode()


def _shape(content: bytes) -> set[str]:
    """The names of all elements and attributes, without their namespaces."""
    found = set()
    for element in etree.fromstring(content).iter(etree.Element):
        found.add(etree.QName(element).localname)
        found |= {f"{etree.QName(element).localname}@{etree.QName(name).localname}" for name in element.attrib}
    return found
