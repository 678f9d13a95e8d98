"""Customs' EORI registrations, simulated: French numbers only, by SIRET with or without `FR`."""

import re
from typing import Any

from starlette.responses import Response

from providers.simulator.company import Company, Establishment
from providers.simulator.routes import Incoming, Simulated, json_reply

MEDIA_TYPE = "application/json;charset=UTF-8"
FRENCH = re.compile(r"(?:FR)?(\d{14})")
OTHER = re.compile(r"[A-Z]{2}[0-9A-Z]{1,15}")


def eori(call: Incoming) -> Response:
    """`/eori/{identifier}?idClient=…`."""
    asked = call.arguments["identifier"]
    if not call.parameters.get("idClient"):
        return _refuse(401, "Unauthorized", "TECH001", "Client inconnu")
    french = FRENCH.fullmatch(asked)
    if not french and not OTHER.fullmatch(asked):
        return _refuse(400, "Bad Request", "TECH002", "Format incorrect")
    siret = french[1] if french else ""
    company, place = call.world.company(siret[:9]), call.world.establishment(siret)
    if company is None or place is None or "douanes" not in company.dossiers:
        return _refuse(404, "Not found", "FONC001", f"EORI {asked} inconnu")
    return json_reply({"EORI": _registration(company, place)}, media_type=MEDIA_TYPE)


def _registration(company: Company, place: Establishment) -> dict[str, Any]:
    return {
        "identifiant": f"FR{place.siret}",
        "actif": place.closed is None,
        "libelle": company.name,
        "rue": place.adresse.voie,
        "codePostal": place.adresse.code_postal,
        "ville": place.adresse.libelle_commune or place.adresse.commune_etrangere,
        "pays": "FRANCE",
        "codePays": "FR",
    }


def _refuse(status: int, message: str, code: str, libelle: str) -> Response:
    told = {"status": str(status), "message": message, "code": code, "libelle": libelle}
    return json_reply({"erreur": told}, status, media_type=MEDIA_TYPE)


ROUTES = (Simulated(method="GET", path="/eori/{identifier}", handler=eori),)
