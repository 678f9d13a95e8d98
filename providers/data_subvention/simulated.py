"""Data.Subvention, simulated: a JSON login, then the applications of an association and what it was paid."""

from datetime import UTC, date, datetime
from typing import Any

from starlette.responses import Response

from providers.simulator.company import Association, Company
from providers.simulator.dice import Dice
from providers.simulator.routes import Incoming, Simulated, json_reply

TOKEN_SECONDS = 2 * 24 * 3600
YEARS = 3
DISPOSITIFS = ("Soutien fictif à la vie associative", "Projets fictifs des territoires", "Emploi associatif fictif")
STATUTS = ("Accordé", "Accordé", "Accordé", "Refusé", "En instruction")


def log_in(call: Incoming) -> Response:
    """`/auth/login`."""
    asked = call.json if isinstance(call.json, dict) else {}
    if not asked.get("email") or not asked.get("password"):
        return json_reply({"message": "Identifiants manquants", "code": 1}, 401)
    end = datetime.fromtimestamp(call.clock() + TOKEN_SECONDS, UTC)
    jwt = {"token": call.tokens.issue(TOKEN_SECONDS), "expirateDate": end.isoformat(timespec="milliseconds")}
    return json_reply({"user": {"email": asked["email"], "roles": ["user"], "jwt": jwt}})


def grants(call: Incoming) -> Response:
    """`/association/{identifier}/grants`."""
    if not call.tokens.accepts(call.headers.get("x-access-token", "")):
        return json_reply({"message": "unauthorized"}, 401)
    company = call.world.find(call.arguments["identifier"])
    if company is None or company.association is None:
        return json_reply({"message": "Association inconnue", "code": 2}, 404)
    return json_reply({"subventions": _grants(company, company.association, call.today)})


def _grants(company: Company, association: Association, today: date) -> list[dict[str, Any]]:
    """One grant a year, the last ones first asked; none to an association that receives nothing."""
    last = min(today.year - 1, association.dissolved.year if association.dissolved else today.year)
    first = max(last - YEARS + 1, association.declared.year)
    if not association.subventions:
        return []
    found = [_grant(company, association, year) for year in range(first, last + 1)]
    # Some payments answer an application that was made elsewhere.
    return [*found, {"application": None, "payments": [_payment(company, last, association.subventions // 4)]}]


def _grant(company: Company, association: Association, year: int) -> dict[str, Any]:
    dice = Dice(f"data_subvention/{association.rna}/{year}")
    statut = dice.pick("statut", STATUTS)
    granted = association.subventions if statut == "Accordé" else 0
    return {
        "application": _application(company, association, year, statut, granted),
        "payments": [_payment(company, year, granted)] if granted else None,
    }


def _application(company: Company, association: Association, year: int, statut: str, granted: int) -> dict[str, Any]:
    dice = Dice(f"data_subvention/{association.rna}/{year}")
    asked = association.subventions * dice.between("asked", 100, 160) // 100
    source, told = "OSIRIS simulé", f"{year}-07-01T00:00:00.000Z"
    values: dict[str, Any] = {
        "annee_demande": year,
        "siret": company.siege.siret if company.etablissements else None,
        "service_instructeur": f"DD{(association.adresse.code_postal or '00')[:2]}",
        "dispositif": dice.pick("dispositif", DISPOSITIFS),
        "sous_dispositif": "Volet fictif",
        "statut_label": statut,
        "status": statut,
        "pluriannualite": "Annuel",
        "ej": _key(association.rna, year) if granted else None,
        "versementKey": _key(association.rna, year) if granted else None,
        "date_commision": f"{year}-06-12T00:00:00.000Z" if statut != "En instruction" else None,
    }
    project = {
        "rang": 1,
        "intitule": f"Projet fictif {year}",
        "objectifs": association.objet,
        "objectifs_operationnels": "Développer l'activité",
        "description": "Ce projet est inventé, comme l'association qui le porte.",
        "nature_aide": "Projet fictif",
        "modalite_aide": "Aide au projet",
        "modalite_ou_dispositif": "Diversifier l'activité",
    }
    amounts = {"total": asked * 2, "demande": asked, "propose": granted, "accorde": granted}
    return {
        **_leaves(values, source, told),
        "montants": _leaves(amounts, source, told),
        "territoires": [],
        "actions_proposee": [
            {
                **_leaves(project, source, told),
                "cofinanceurs": _leaves({"noms": "Commune fictive;Département fictif;"}, source, told),
            }
        ],
    }


def _payment(company: Company, year: int, amount: int) -> dict[str, Any]:
    key = _key(company.rna or "", year)
    source, told = "Chorus simulé", f"{year}-10-01T00:00:00.000Z"
    values = {
        "ej": key,
        "versementKey": key,
        "siret": company.siege.siret if company.etablissements else None,
        "amount": amount,
        "dateOperation": f"{year}-09-18T00:00:00.000Z",
        "centreFinancier": "UO FICTIVE",
        "domaineFonctionnel": "vie associative",
        "activitee": "activité fictive",
        "bop": "163",
    }
    programme = {"programme": "163", "libelleProgramme": "Jeunesse et vie associative"}
    return {**_leaves(values, source, told), **_leaves(programme, "Nomenclature simulée", told)}


def _key(rna: str, year: int) -> str:
    return f"{year % 100:02d}{Dice(f'data_subvention/{rna}/{year}').roll('key', 10**8):08d}"


def _leaves(values: dict[str, Any], source: str, told: str) -> dict[str, Any]:
    """Each value with where it comes from; what is not known is left out."""
    kinds = {int: "number", str: "string"}
    return {
        name: {"value": value, "provider": source, "last_update": told, "type": kinds[type(value)]}
        for name, value in values.items()
        if value is not None
    }


ROUTES = (
    Simulated(method="POST", path="/auth/login", handler=log_in, may_fail=False),
    Simulated(method="GET", path="/association/{identifier}/grants", handler=grants),
)
