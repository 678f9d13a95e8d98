"""ProBTP's pension contributions, simulated: two operations that say all in their body, with a 200."""

import base64

from starlette.responses import Response

from providers.simulator import pdf
from providers.simulator.company import Company
from providers.simulator.routes import Incoming, Simulated, json_reply

SERVICES = "/ws_ext/rest/certauth/mpsservices"
ELIGIBLE, NOT_ELIGIBLE = "00 Compte fictif éligible", "01 Compte fictif non éligible"


def statut(call: Incoming) -> Response:
    """`getStatutCotisation`."""
    siret, company = _asked(call)
    if company is None:
        return _unknown(siret)
    if company.peculiarities.get("probtp") == "error":
        return _refuse("4", "Une erreur simulée est survenue")
    return json_reply({"entete": {"code": "0"}, "corps": ELIGIBLE if _is_eligible(company) else NOT_ELIGIBLE})


def attestation(call: Incoming) -> Response:
    """`getAttestationCotisation`."""
    siret, company = _asked(call)
    if company is None:
        return _unknown(siret)
    if company.peculiarities.get("probtp") == "error":
        return _refuse("4", "Une erreur simulée est survenue")
    if not _is_eligible(company):
        return _refuse("8", NOT_ELIGIBLE)
    document = pdf.write([_lines(company, siret, call)])
    return json_reply({"entete": {"code": "0"}, "data": base64.b64encode(document).decode()})


def _asked(call: Incoming) -> tuple[str, Company | None]:
    siret = str(call.json.get("corps", "")) if isinstance(call.json, dict) else ""
    company = call.world.company(siret[:9]) if call.world.establishment(siret) else None
    known = company is not None and not company.ceased and "probtp" in company.dossiers
    return siret, company if known else None


def _is_eligible(company: Company) -> bool:
    return company.peculiarities.get("probtp") != "not_eligible"


def _unknown(siret: str) -> Response:
    return _refuse("8", f"SIRET {siret} inconnu de la simulation")


def _refuse(code: str, message: str) -> Response:
    return json_reply({"entete": {"code": code, "message": message}})


def _lines(company: Company, siret: str, call: Incoming) -> list[str]:
    return [
        "Retraite simulée du bâtiment - document fictif, sans valeur",
        f"Fait le {call.today:%d/%m/%Y}",
        f"Entreprise : {company.name}",
        f"Siret : {siret}",
        "L'entreprise a réglé les cotisations de retraite complémentaire appelées à ce jour.",
    ]


ROUTES = (
    Simulated(method="POST", path=f"{SERVICES}/getStatutCotisation", handler=statut),
    Simulated(method="POST", path=f"{SERVICES}/getAttestationCotisation", handler=attestation),
)
