"""What the simulated DGFIP serves."""

import io
from typing import Any

import pypdf
import pytest

from providers.simulator.identifiers import siren_of
from providers.simulator.world import SHOWCASE, World
from tests.simulator.conftest import Caller, recorded


def text_of(document: bytes) -> str:
    return pypdf.PdfReader(io.BytesIO(document)).pages[0].extract_text()


def boxes(liasse: dict[str, Any], form: str) -> dict[str, list[str]]:
    """The values of a form, by code."""
    [declaration] = [row for row in liasse["declarations"] if row["numero_imprime"] == form]
    donnees = declaration["imprime"]["donnees"]
    found: dict[str, list[str]] = {}
    for donnee in donnees if isinstance(donnees, list) else [donnees]:
        value = donnee["valeur"] if "valeur" in donnee else donnee["valeurs"]["valeur"]
        found.setdefault(donnee["code_nref"], []).append(value)
    return found


async def test_health_answers_those_who_have_a_token(caller: Caller) -> None:
    assert (await caller.dgfip("etatSante")).status_code == 200
    caller.headers = {}
    assert (await caller.dgfip("etatSante")).status_code == 401


async def test_tokens_are_given_for_client_credentials(caller: Caller) -> None:
    reply = await caller.client.post("/dgfip.example/token", data={"grant_type": "client_credentials"})

    assert reply.json().keys() == {"access_token", "token_type", "expires_in"}
    assert reply.json()["expires_in"] == 3600


async def test_a_certificate_is_a_pdf_that_names_the_company(caller: Caller) -> None:
    reply = await caller.dgfip("attestationFiscale", siren=SHOWCASE.siren, groupeIS="NON", groupeTVA="NON")

    assert reply.headers["content-type"] == "application/pdf"
    assert f"Siren : {SHOWCASE.siren}" in text_of(reply.content)
    assert "15/04/2026" in text_of(reply.content)


async def test_a_refused_certificate_says_so_on_its_first_page(caller: Caller) -> None:
    reply = await caller.dgfip("attestationFiscale", siren="000070011")

    assert reply.status_code == 200
    assert text_of(reply.content).startswith("Impossible de délivrer votre attestation de régularité fiscale")


async def test_turnover_has_the_shape_of_the_wire(caller: Caller) -> None:
    lists = [body["liste_ca"] for body in recorded("dgfip", "chiffreAffaires") if body.get("liste_ca")]

    ours = (await caller.dgfip("chiffreAffaires", siret=SHOWCASE.siret)).json()

    assert ours.keys() == {"liste_ca"}
    assert len(ours["liste_ca"]) == 3
    assert ours["liste_ca"][0].keys() == lists[0][0].keys()
    assert ours["liste_ca"][0]["dateFinExercice"] == "2024-12-31T00:00:00+01:00"


async def test_a_single_exercice_is_a_bare_object(caller: Caller) -> None:
    ours = (await caller.dgfip("chiffreAffaires", siret="00001009000017")).json()

    assert isinstance(ours["liste_ca"], dict)


async def test_a_company_without_accounts_has_empty_answers(caller: Caller) -> None:
    assert (await caller.dgfip("attestationFiscale", siren="000070110")).status_code == 404
    assert (await caller.dgfip("chiffreAffaires", siret="00007011000010")).json() == {"liste_ca": []}
    assert (await caller.dgfip("getLiasseFiscale", annee="2023", siren="000070110")).json()["declarations"] == []


@pytest.mark.parametrize(
    ("operation", "query"),
    [
        ("attestationFiscale", {"siren": "000099994"}),
        ("chiffreAffaires", {"siret": SHOWCASE.siret_absent}),
        ("getLiasseFiscale", {"siren": "000099994", "annee": "2023"}),
    ],
)
async def test_the_unknown_is_not_found(caller: Caller, operation: str, query: dict[str, str]) -> None:
    assert (await caller.dgfip(operation, **query)).status_code == 404


@pytest.mark.parametrize("operation", ["attestationFiscale", "chiffreAffaires", "getLiasseFiscale"])
async def test_adelie_stumbles_on_some_companies(caller: Caller, operation: str) -> None:
    error = await caller.dgfip(operation, siren="000070102", siret="00007010200017", annee="2023")
    page = await caller.dgfip(operation, siren="000070128", siret="00007012800012", annee="2023")

    assert error.status_code == 500
    assert error.json()["erreur"].keys() == {"code", "message", "horodatage"}
    assert page.status_code == 200
    assert "Une erreur applicative s'est produite sur le serveur ADELIE." in page.text


async def test_tax_returns_have_the_shape_of_the_wire(caller: Caller) -> None:
    wire = [body for body in recorded("dgfip", "getLiasseFiscale") if body.get("declarations")]
    declarations = {key for body in wire for row in body["declarations"] for key in row}

    ours = (await caller.dgfip("getLiasseFiscale", annee="2023", siren=SHOWCASE.siren)).json()

    assert ours.keys() == {"entreprise", "declarations"}
    assert ours["entreprise"].keys() == {"siren", "denomination", "itip", "setOcfis"}
    assert all(row.keys() == declarations for row in ours["declarations"])


async def test_tax_returns_agree_with_the_declared_turnover(caller: Caller, world: World) -> None:
    company = world.company(SHOWCASE.siren)
    assert company

    declared = (await caller.dgfip("chiffreAffaires", siret=SHOWCASE.siret)).json()["liste_ca"]
    liasse = (await caller.dgfip("getLiasseFiscale", annee="2024", siren=SHOWCASE.siren)).json()

    assert boxes(liasse, "2052")["300506"] == [declared[0]["ca"]]
    assert boxes(liasse, "2050")["300405"] == boxes(liasse, "2051")["300476"]
    assert boxes(liasse, "2051")["300414"] == [str(company.capital)]


async def test_capital_links_count_owners_in_hundredths(caller: Caller) -> None:
    liasse = (await caller.dgfip("getLiasseFiscale", annee="2023", siren="000010041")).json()

    capital, participations = boxes(liasse, "2059F"), boxes(liasse, "2059G")

    assert capital["304859"] == ["000010025"]
    assert capital["304861"] == ["3000"]
    assert capital["309323"] == ["100"]
    assert int(capital["309325"][0]) == 100 * len(capital["304868"])
    assert sum(int(percent) for code in ("304861", "304871") for percent in capital[code]) == 10_000
    assert participations["304960"] == [SHOWCASE.siren]


async def test_each_regime_files_its_own_forms(caller: Caller, world: World) -> None:
    seen: dict[str, set[str]] = {}
    companies = [world.company(siren_of(f"00{kind}000{number:02d}")) for kind in "23" for number in range(60)]
    for company in [*companies, world.company("000010025"), world.company("000010033")]:
        assert company
        liasse = (await caller.dgfip("getLiasseFiscale", annee="2023", siren=company.siren)).json()
        for row in liasse["declarations"]:
            seen.setdefault(row["code_regime"], set()).add(row["numero_imprime"])

    normal = {"2050", "2051", "2052", "2053", "2059F", "2059G"}
    assert seen == {
        "RN": normal,
        "RNGROUPE": normal,
        "RNMEMBRE": normal,
        "RS": {"2033A", "2033B", "2033F", "2033G"},
        "DECC": {"2035A"},
    }


async def test_the_head_of_a_group_has_several_obligations(caller: Caller) -> None:
    head = (await caller.dgfip("getLiasseFiscale", annee="2023", siren="000010025")).json()["entreprise"]["setOcfis"]
    other = (await caller.dgfip("getLiasseFiscale", annee="2023", siren=SHOWCASE.siren)).json()["entreprise"][
        "setOcfis"
    ]

    assert [obligation["codeObf"] for obligation in head] == ["IS GROUPE", "IS"]
    assert other["codeObf"] == "IS"


async def test_returns_of_the_future_are_not_filed(caller: Caller) -> None:
    liasse = (await caller.dgfip("getLiasseFiscale", annee="2026", siren=SHOWCASE.siren)).json()

    assert liasse["declarations"] == []


async def test_the_dictionary_has_the_shape_of_the_wire(caller: Caller) -> None:
    wire = [body["dictionnaire"][0] for body in recorded("dgfip", "dictionnaire")]

    ours = (await caller.dgfip("dictionnaire", annee="2023")).json()["dictionnaire"]

    assert ours[0].keys() == wire[0].keys()
    assert ours[0]["millesimes"].keys() == wire[0]["millesimes"].keys()
    assert ours[0]["millesimes"]["declaration"][0].keys() == wire[0]["millesimes"]["declaration"][0].keys()
