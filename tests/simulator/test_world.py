"""The invented companies: identifiers, dates and codes that hold together."""

import csv
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.fr import siren, siret, tva

from providers.simulator.accounts import exercice_of, last_exercices
from providers.simulator.company import Company, Kind, tranche
from providers.simulator.identifiers import siren_of
from providers.simulator.world import GENERATED, SHOWCASE, World

NOMENCLATURES = Path(__file__).parents[3] / "shared" / "facts" / "nomenclatures"
WORLD = World.load()
COMPANIES = [company for company in WORLD.companies if company.siren]
FIVE_DIGITS = st.integers(0, 99_999).map("{:05d}".format)


def codes(name: str) -> set[str]:
    if not NOMENCLATURES.is_dir():
        pytest.skip("the nomenclatures are not beside the project")
    with (NOMENCLATURES / f"{name}.csv").open(encoding="utf-8", newline="") as rows:
        return {row["code"] for row in csv.DictReader(rows)}


def check_coherence(company: Company) -> None:
    """What holds for any company of the world."""
    assert siren.is_valid(company.siren)
    assert tva.is_valid(company.tva)
    assert sum(place.is_siege for place in company.etablissements) == 1
    assert company.headcount == sum(place.headcount for place in company.etablissements)
    assert company.created <= (company.ceased or date(2026, 1, 1))
    assert (company.person is not None) == (company.kind is Kind.ENTREPRENEUR)
    assert (company.association is not None) == (company.kind is Kind.ASSOCIATION)
    for place in company.etablissements:
        assert siret.is_valid(place.siret)
        assert place.siren == company.siren
        assert company.created <= place.opened <= (place.closed or date(2026, 1, 1))
        assert place.closed or not company.ceased
        assert place.adresse.code_commune or place.adresse.code_pays
    assert len({place.siret for place in company.etablissements}) == len(company.etablissements)
    if company.actionnaires:
        assert sum(owner.percent for owner in company.actionnaires) == 100


@pytest.mark.parametrize("company", COMPANIES, ids=lambda company: company.siren)
def test_a_documented_company_holds_together(company: Company) -> None:
    check_coherence(company)
    assert company.note


@given(first=st.sampled_from(["002", "003", "004"]), digits=FIVE_DIGITS)
def test_every_valid_siren_of_the_generated_ranges_is_a_company(first: str, digits: str) -> None:
    company = WORLD.company(siren_of(first + digits))

    assert company is not None
    assert company.kind is GENERATED[first]
    assert company.ceased is None
    check_coherence(company)


def test_a_hundred_thousand_companies_are_distinct() -> None:
    sirens = {siren_of(f"002{number:05d}") for number in range(100_000)}

    assert len(sirens) == 100_000
    assert WORLD.company("002000012") is None  # its key is wrong


def test_the_same_siren_is_the_same_company_in_every_process() -> None:
    number = siren_of("00212345")

    assert World.load().company(number) == World.load().company(number)


def test_a_generated_company_does_not_drift_between_versions() -> None:
    company = WORLD.company(siren_of("00200007"))

    assert company is not None
    assert (company.siren, company.name, company.created.isoformat()) == (
        "002000073",
        "CARDOGANE INGENIERIE",
        "2007-08-06",
    )


def test_documented_sirens_are_recognisable_unless_borrowed() -> None:
    for company in COMPANIES:
        assert company.siren.startswith("0000") or company.note.startswith("Borrowed"), company.siren


def test_owners_and_owned_agree() -> None:
    for company in COMPANIES:
        for owner in company.actionnaires:
            if owner.siren:
                assert (company, owner.percent) in WORLD.filiales(owner.siren)


def test_successions_are_between_known_establishments() -> None:
    for link in WORLD.succession_links:
        predecesseur, successeur = WORLD.establishment(link.predecesseur), WORLD.establishment(link.successeur)
        assert predecesseur
        assert successeur
        assert predecesseur.opened <= link.on == successeur.opened
        assert successeur.is_siege or not link.transfert_siege


def test_duplicates_are_no_companies() -> None:
    for number in WORLD.duplicates:
        assert siren.is_valid(number)
        assert WORLD.company(number) is None


def test_an_association_is_found_by_its_rna() -> None:
    for company in WORLD.companies:
        assert not company.rna or WORLD.association(company.rna) is company
    generated = WORLD.company(siren_of("00400001"))
    assert generated
    assert generated.rna
    assert WORLD.association(generated.rna) == generated
    assert WORLD.association("W002000073") is None  # a company, not an association


def test_the_showcase_is_what_it_says() -> None:
    company, place, association = (
        WORLD.company(SHOWCASE.siren),
        WORLD.establishment(SHOWCASE.siret),
        WORLD.association(SHOWCASE.rna),
    )

    assert company
    assert company.ceased is None
    assert place == company.siege
    assert association
    assert association.ceased is None
    assert siret.is_valid(SHOWCASE.siret_absent)
    assert WORLD.find(SHOWCASE.siret_absent) is None
    assert WORLD.find("000000000") is None
    recipient = WORLD.find(SHOWCASE.recipient)
    assert recipient
    assert recipient.kind is Kind.PUBLIC


@pytest.mark.parametrize(
    "identifier",
    ["30613890002979", "831386297", "900225095", "542065479", "W131015526", "418166096", "352745749", "95086311800010",
     "309103877", "385407184", "50530961700049", "552032534", "89337342300019", "16002307300010", "42054064300376",
     "19753471200017", "780603734"],
)  # fmt: skip
def test_what_the_pings_ask_for_exists(identifier: str) -> None:
    assert WORLD.find(identifier)


def test_codes_are_those_of_the_nomenclatures() -> None:
    forms, naf, naf25, roles = (
        codes(name) for name in ("categories_juridiques", "naf_rev2", "naf_2025", "rne_role_entreprise")
    )

    for company in WORLD.companies:
        assert company.categorie_juridique in forms
        assert company.activity.naf in naf
        assert company.activity.naf25 in naf25
        assert {officer.role for officer in company.dirigeants} <= roles


@pytest.mark.parametrize(
    ("headcount", "code"), [(0, "00"), (2, "01"), (5, "02"), (9, "03"), (10, "11"), (249, "31"), (12_000, "53")]
)
def test_a_headcount_falls_in_its_band(headcount: int, code: str) -> None:
    assert tranche(headcount) == code


@given(digits=FIVE_DIGITS, year=st.integers(2006, 2026))
def test_accounts_balance_and_stay_in_the_life_of_the_company(digits: str, year: int) -> None:
    company = WORLD.company(siren_of(f"002{digits}"))
    assert company

    exercice = exercice_of(company, year)

    if exercice:
        assert exercice.fin.year == year
        assert exercice.fin > company.created
        assert 90 <= exercice.days <= 456
        assert exercice.total == exercice.capitaux_propres + exercice.dettes
        assert exercice.chiffre_affaires > 0


def test_the_last_accounts_are_three_newest_first_and_filed() -> None:
    company = WORLD.company(SHOWCASE.siren)
    assert company

    exercices = last_exercices(company, date(2026, 4, 15))

    assert [exercice.fin for exercice in exercices] == [date(2024, 12, 31), date(2023, 12, 31), date(2022, 12, 31)]


def test_an_association_declares_no_turnover() -> None:
    association = WORLD.association(SHOWCASE.rna)
    assert association

    assert last_exercices(association, date(2026, 4, 15)) == ()
