"""URSSAF's certificates, simulated: a bare base64 PDF, or an array of coded refusals."""

import base64
from datetime import date, timedelta

from starlette.responses import Response

from providers.simulator import pdf
from providers.simulator.company import Company, Kind
from providers.simulator.dice import Dice
from providers.simulator.identifiers import is_siren
from providers.simulator.routes import Incoming, Simulated, json_reply, oauth_token

TOKEN_SECONDS = 3600
MEDIA_TYPE = "application/json;charset=UTF-8"
CODE_LENGTH = 15
CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"

REFUSALS = {
    "FUNC429": ("Trop de demandes", "Le nombre de demandes admis sur la période est atteint"),
    "FUNC502": ("Attestation non délivrée", "Le compte de cotisant présente une dette"),
    "FUNC503": ("Examen par un agent", "Un agent doit se prononcer sur ce dossier"),
    "FUNC504": ("Examen en cours", "Un agent examine ce dossier"),
    "FUNC511": ("Incident technique", "Le traitement de la demande n'a pas abouti"),
    "FUNC517": ("Siren sans compte", "Aucun compte de cotisant ouvert ne répond à ce siren"),
    "FUNC999": ("Motif non documenté", "Code propre à la simulation"),
}


def attestation_vigilance(call: Incoming) -> Response:
    """`/attn/entreprise/v1/demandes/api_entreprise`."""
    asked = call.json if isinstance(call.json, dict) else {}
    siren = str(asked.get("siren", ""))
    if asked.get("typeAttestation") != "AVG_UR" or not is_siren(siren) or not asked.get("idClient"):
        return _refuse("FUNC511")
    company = call.world.company(siren)
    if company is None or company.ceased:
        return _refuse("FUNC517")
    match company.peculiarities.get("urssaf", ""):
        case code if code in REFUSALS:
            return _refuse(code)
        case "not_base64":
            return Response("<<< ni JSON ni base64 >>>", media_type="text/plain")
        case "not_pdf":
            return _send(b"Ce texte n'est pas un PDF")
        case "unreadable":
            return _send(pdf.write([["Attestation numérisée"], ["Page 2"]]))
    return _send(pdf.write(_pages(company, call.today)))


def unauthorised(_: Incoming) -> Response:
    """What a missing, wrong or expired token gets: an object where refusals are arrays."""
    return json_reply({"error": "invalid_token"}, 401)


def _refuse(code: str) -> Response:
    message, description = REFUSALS[code]
    return json_reply([{"code": code, "message": message, "description": description}], 400, media_type=MEDIA_TYPE)


def _send(document: bytes) -> Response:
    return Response(base64.b64encode(document), 200, media_type=MEDIA_TYPE)


def security_code(company: Company, month: date) -> str:
    """The code that checks a certificate: one for each company and month."""
    return Dice(f"urssaf/{company.siren}/{month:%Y-%m}").letters("code", CODE_LENGTH, CODE_ALPHABET)


def _pages(company: Company, today: date) -> list[list[str]]:
    """A certificate in two pages; the adapter reads the code on the first and the date on the second."""
    code = security_code(company, today)
    situation = today.replace(day=1) - timedelta(days=1)
    siege = company.siege
    employer = [
        "Pour l'ensemble de ses établissements, l'entreprise a fourni ses déclarations et réglé",
        f"ses cotisations et contributions à la date du {situation:%d/%m/%Y}.",
        f"Effectif déclaré : {company.headcount} salarié(s)",
    ]
    self_employed = [
        "Le travailleur indépendant a réglé ses cotisations et contributions (dont la contribution à la",
        f"formation professionnelle - CFP) au {situation:%d/%m/%Y}.",
    ]
    return [
        [
            "URSSAF simulée - document fictif, sans valeur",
            f"Le {today:%d/%m/%Y}",
            f"Destinataire : {company.name}",
            f"Adresse : {siege.adresse.voie}",
            f"Commune : {siege.adresse.ville}",
            f"Siren : {company.siren}",
            "Objet : attestation de vigilance",
            "Code de sécurité",
            code,
            "L'authenticité de cette attestation se vérifie avec le code ci-dessus.",
            "Page 1/2",
        ],
        [
            "Code de sécurité",
            code,
            "Attestation de fourniture des déclarations sociales et de paiement des cotisations",
            f"Établissement : {siege.siret}",
            *(self_employed if company.kind is Kind.ENTREPRENEUR else employer),
            "Elle ne préjuge pas de l'exactitude des bases déclarées.",
            "Page 2/2",
        ],
    ]


ROUTES = (
    Simulated(
        method="POST",
        path="/api/oauth/v1/token",
        form={"grant_type": "client_credentials", "scope": "attn.api_entreprise"},
        handler=oauth_token(TOKEN_SECONDS),
        may_fail=False,
    ),
    Simulated(
        method="POST",
        path="/attn/entreprise/v1/demandes/api_entreprise",
        handler=attestation_vigilance,
        unauthorised=unauthorised,
    ),
)
