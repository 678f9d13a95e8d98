"""OPQIBI's certificates, simulated: JSON with irregular names, HTML where there is none."""

from datetime import date, timedelta
from typing import Any

from starlette.responses import HTMLResponse, Response

from providers.simulator.company import Company
from providers.simulator.dice import Dice
from providers.simulator.routes import Incoming, Simulated, json_reply

YEAR = timedelta(days=365)
QUALIFICATION_YEARS, PROBATION_YEARS = 4, 2

CATALOGUE = (
    ("0101", "Assistance à maîtrise d'ouvrage en technique", "Accompagnement fictif d'un maître d'ouvrage."),
    ("1216", "Étude de structures en bois", "Calcul fictif de charpentes et d'ossatures."),
    ("1313", "Étude de réseaux d'eau", "Dimensionnement fictif de réseaux et de bassins."),
    ("1419", "Étude d'éclairage intérieur", "Conception fictive d'éclairages de bâtiments."),
    ("1717", "Audit énergétique des bâtiments", "Relevé fictif des consommations et scénarios de travaux."),
    ("1911", "Audit énergétique de logements", "Bilan fictif d'une maison et de ses équipements."),
    ("2014", "Étude d'installations photovoltaïques", "Dimensionnement fictif de toitures solaires."),
)
RGE = frozenset({"1717", "1911", "2014"})
"""Codes that carry the mention."""


def certificat(call: Incoming) -> Response:
    """`/certificats/{siren}`."""
    company = call.world.company(call.arguments["siren"])
    if company is None or company.ceased or "opqibi" not in company.dossiers:
        return HTMLResponse("requête incorrecte, ou siren sans certificat", 404)
    return json_reply(_certificat(company, call.today))


def _certificat(company: Company, today: date) -> dict[str, Any]:
    dice = Dice(f"opqibi/{company.siren}")
    issued = today - timedelta(days=dice.between("age", 20, 340))
    first = issued - dice.between("years", 0, QUALIFICATION_YEARS - 2) * YEAR
    place = dice.roll("first", len(CATALOGUE))
    turned = CATALOGUE[place:] + CATALOGUE[:place]
    count = dice.between("count", 1, 4)
    on_trial = turned[count : count + dice.roll("probation", 3)]
    told: dict[str, Any] = {
        "numero_certificat": f"{first:%y %m} {dice.between('number', 1, 9999):04d}",
        "date_de_delivrance_du_certificat": _day(issued),
        "duree_de_validite_du_certificat": "valable un an",
        "assurance": dice.pick("insurers", ("ASSURANCE FICTIVE - MUTUELLE INVENTEE", "MUTUELLE INVENTEE", "")),
        "url": f"https://opqibi.example/fiche/{company.siren}",
        "qualifications": [_qualification(row) for row in turned[:count]],
        "date_de_validite_des_qualification": _day(first + QUALIFICATION_YEARS * YEAR),
        "qualifications_probatoires": [_qualification(row) for row in on_trial],
    }
    if on_trial:
        told["date_de_validite_des_qualifications_probatoires"] = _day(issued + PROBATION_YEARS * YEAR)
    return told


def _qualification(row: tuple[str, str, str]) -> dict[str, str]:
    code, name, definition = row
    return {"CodeQualification": code, "Nom": name, "Definition": definition, "rge": "1" if code in RGE else "0"}


def _day(moment: date) -> str:
    return f"{moment:%d/%m/%Y}"


ROUTES = (Simulated(method="GET", path="/certificats/{siren}", handler=certificat),)
