"""ADEME's table of RGE certificates, simulated: one question, one page of lines."""

import re
from datetime import date, timedelta
from typing import Any

from starlette.responses import Response

from providers.simulator.company import Company
from providers.simulator.dice import Dice
from providers.simulator.routes import Incoming, Simulated, json_reply

YEAR = timedelta(days=365)

WORKS = (
    ("qualibat", "QUALIBAT-RGE", "Ventilation mécanique", "Travaux d'efficacité énergétique", "8611M12D108"),
    ("qualibat", "QUALIBAT-RGE", "Isolation des combles perdus", "Travaux d'efficacité énergétique", "7122M40D104"),
    ("qualitenr", "QualiPAC Chauffage", "Pompe à chaleur : chauffage", "Installations d'énergies renouvelables", "41"),
    ("qualitenr", "QualiPV Elec", "Panneaux solaires photovoltaïques", "Installations d'énergies renouvelables", "32"),
    ("certibat", "CERTIBAT-RGE", "Projet complet de rénovation", "Rénovation globale", "RG01"),
)


def lignes(call: Incoming) -> Response:
    """`/lines`."""
    if not call.headers.get("x-apikey"):
        return Response("Clé absente", 401, media_type="text/plain")
    asked = re.fullmatch(r"siret:(\d{14}) AND traitement_termine:false", call.parameters.get("qs", ""))
    size = call.parameters.get("size", "")
    if asked is None or not size.isdecimal():
        return Response("Requête illisible", 400, media_type="text/plain")
    siret = asked[1]
    company = call.world.company(siret[:9]) if call.world.establishment(siret) else None
    known = company is not None and not company.ceased and "ademe" in company.dossiers
    rows = _rows(company, siret, call.today) if company and known else []
    return json_reply({"total": len(rows), "results": rows[: int(size)]}, media_type="application/json; charset=utf-8")


def _rows(company: Company, siret: str, today: date) -> list[dict[str, Any]]:
    dice = Dice(f"ademe/{siret}")
    chosen = [work for work in WORKS if dice.chance(work[4], 60)] or [WORKS[0]]
    return [_row(company, siret, Dice(f"ademe/{siret}/{work[4]}"), work, today) for work in chosen]


def _row(company: Company, siret: str, dice: Dice, work: tuple[str, ...], today: date) -> dict[str, Any]:
    body, certificate, domain, family, code = work
    since = dice.day("since", today - 3 * YEAR, today - timedelta(days=30))
    updated = dice.day("updated", since, today)
    address = company.siege.adresse
    return {
        "url_qualification": f"https://{body}.example/certificats/{siret}-{code}.pdf",
        "nom_certificat": certificate,
        "domaine": domain,
        "meta_domaine": family,
        "code_qualification": code,
        "nom_qualification": f"{domain}, qualification fictive ({code})",
        "organisme": body,
        "lien_date_debut": since.isoformat(),
        "lien_date_fin": (since + 4 * YEAR).isoformat(),
        "date_debut": updated.isoformat(),
        "date_fin": (since + 4 * YEAR).isoformat(),
        "siret": siret,
        "nom_entreprise": company.name,
        "adresse": address.voie,
        "code_postal": address.code_postal,
        "commune": address.libelle_commune,
        "telephone": "00 00 00 00 00",
        "email": "contact@example.com",
        "site_internet": None,
        "particulier": True,
        "traitement_termine": False,
        "motif_insertion": "url_qualification",
        "_id": f"F{siret}-{code}-{updated.isoformat()}",
        "_updatedAt": f"{updated.isoformat()}T04:11:53.153Z",
        "_i": dice.between("line", 10_000_000, 99_999_999),
        "_rand": dice.roll("rand", 1_000_000),
        "_score": None,
    }


ROUTES = (Simulated(method="GET", path="/lines", handler=lignes),)
