"""CIBTP's certificates, simulated: a login in JSON, then a PDF or a coded refusal."""

from starlette.responses import Response

from providers.simulator import pdf
from providers.simulator.company import Company
from providers.simulator.routes import Incoming, Simulated, json_reply

TOKEN_SECONDS = 3599
MEDIA_TYPE = "application/json; charset=utf-8"

REFUSALS = {
    "absent": (404, "Le réseau simulé ne connaît pas cette entreprise"),
    "conflict": (409, "Entreprise connue, attestation fictive impossible à établir"),
    "unpaid": (422, "Entreprise connue, cotisations fictives non réglées"),
}


def token(call: Incoming) -> Response:
    """`/apientreprise/token`: what OAuth 2 does, in JSON."""
    asked = call.json if isinstance(call.json, dict) else {}
    if not (asked.get("client_id") and asked.get("client_secret")):
        return json_reply({"error": "invalid_client"}, 401, media_type=MEDIA_TYPE)
    lasting = {"expires_in": TOKEN_SECONDS, "ext_expires_in": TOKEN_SECONDS}
    told = {"token_type": "Bearer", **lasting, "access_token": call.tokens.issue(TOKEN_SECONDS)}
    return json_reply(told, media_type=MEDIA_TYPE)


def attestation(call: Incoming) -> Response:
    """`/apientreprise/attestationmarche`."""
    siret = call.parameters.get("siret", "")
    company = call.world.company(siret[:9]) if call.world.establishment(siret) else None
    if company is None or company.ceased or "cibtp" not in company.dossiers:
        return _refuse("absent")
    oddity = company.peculiarities.get("cibtp", "")
    if oddity in REFUSALS:
        return _refuse(oddity)
    name = f"C00_{company.siren}_ADC_ATT_MPUBLIC_{call.today:%d%m%Y}100000.pdf"
    headers = {"content-disposition": f"attachment; filename={name}; filename*=UTF-8''{name}"}
    return Response(pdf.write([_lines(company, siret, call)]), headers=headers, media_type="application/pdf")


def unauthorised(_: Incoming) -> Response:
    """What a missing, wrong or expired token gets."""
    return json_reply({"type": "Technique", "message": "Jeton absent ou expiré"}, 401, media_type=MEDIA_TYPE)


def _refuse(reason: str) -> Response:
    status, message = REFUSALS[reason]
    return json_reply({"type": "Fonctionnelle", "message": message}, status, media_type=MEDIA_TYPE)


def _lines(company: Company, siret: str, call: Incoming) -> list[str]:
    return [
        "Caisse simulée de congés du bâtiment - document fictif, sans valeur",
        f"Fait le {call.today:%d/%m/%Y}",
        f"Entreprise : {company.name}",
        f"Siret : {siret}",
        f"Adresse : {company.siege.adresse.voie}, {company.siege.adresse.ville}",
        f"Salariés déclarés : {company.headcount}",
        "L'entreprise est à jour de ses cotisations de congés payés et de chômage-intempéries.",
    ]


ROUTES = (
    Simulated(method="POST", path="/apientreprise/token", handler=token, may_fail=False),
    Simulated(method="GET", path="/apientreprise/attestationmarche", handler=attestation, unauthorised=unauthorised),
)
