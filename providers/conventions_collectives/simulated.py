"""Collective agreements, simulated: those of the trade of the establishment. Their names are real, all else is not."""

from datetime import date
from typing import Any

from starlette.responses import Response

from providers.simulator.dice import Dice
from providers.simulator.routes import Incoming, Simulated, json_reply

AGREEMENTS = {
    16: "Transports routiers et activités auxiliaires du transport",
    18: "Industrie textile",
    573: "Commerces de gros",
    843: "Boulangerie-pâtisserie artisanale",
    1090: "Services de l'automobile",
    1486: "Bureaux d'études techniques et sociétés de conseil",
    1516: "Organismes de formation",
    1518: "Animation",
    1596: "Bâtiment : ouvriers, jusqu'à dix salariés",
    1597: "Bâtiment : ouvriers, plus de dix salariés",
    1702: "Travaux publics : ouvriers",
    1979: "Hôtels, cafés, restaurants",
    2420: "Bâtiment : cadres",
    2511: "Sport",
    2596: "Coiffure",
    2609: "Bâtiment : employés, techniciens et agents de maîtrise",
    2941: "Aide, accompagnement, soins et services à domicile",
    3043: "Entreprises de propreté",
    7024: "Production agricole et coopératives d'utilisation de matériel agricole",
}
"""By IDCC number."""
ATTACHED = frozenset({2420, 2609})
"""Told without state or date."""


def conventions(call: Incoming) -> Response:
    """`/siret2idcc/{siret}`."""
    siret = call.arguments["siret"]
    place = call.world.establishment(siret)
    if place is None:
        return Response(b"", 404)
    return json_reply([{"siret": siret, "conventions": [_agreement(idcc) for idcc in place.activity.conventions]}])


def _agreement(idcc: int) -> dict[str, Any]:
    dice = Dice(f"convention/{idcc}")
    name = AGREEMENTS[idcc]
    published = dice.day("published", date(1955, 1, 1), date(2010, 12, 31))
    agreement: dict[str, Any] = {
        "active": True,
        "nature": "IDCC",
        "id": f"KALICONT9999{idcc:08d}",
        "num": idcc,
        "title": f"Convention collective nationale (simulée) : {name}, du {published:%d/%m/%Y}. ",
        "shortTitle": name,
        "url": f"https://conventions-collectives.example/idcc/{idcc}",
        "effectif": dice.between("employees", 20, 900) * 1000,
        "mtime": dice.between("updated", 1_600_000_000, 1_700_000_000),
    }
    if idcc not in ATTACHED:
        agreement["etat"] = "VIGUEUR_ETEN"
        agreement["date_publi"] = f"{published}T00:00:00.000Z"
        agreement["synonymes"] = [name.partition(" ")[0].strip(",:").lower()]
    return agreement


ROUTES = (Simulated(method="GET", path="/siret2idcc/{siret}", handler=conventions),)
