"""Qualifelec's certificates, simulated: a login that gives a JWT, then a list of certificates."""

from datetime import date, datetime, time, timedelta
from typing import Any

from starlette.responses import Response

from config.clock import PARIS
from providers.simulator.company import Company
from providers.simulator.dice import Dice
from providers.simulator.routes import Incoming, Simulated, json_reply

TOKEN_SECONDS = 3600

QUALIFICATIONS = (
    ("Installations électriques, logement et commerce - LCPT", "LCPT", "CF", "Courants forts"),
    ("Installations électriques, tertiaire et industrie - MGTI", "MGTI", "CF", "Courants forts"),
    ("Bornes de recharge de véhicules - IRVE", "IRVE", "SU", "Sûreté"),
    ("Éclairage public - EP", "EP", "ST", "Signalisation"),
)
CLASSES = ((1, 3), (4, 9), (10, 19), (20, 49), (50, 250))
"""Head counts, from class 1 to class 5."""
QUALIFICATION_YEARS, PROBATION_YEARS = 4, 2


def auth(call: Incoming) -> Response:
    """`/auth`."""
    asked = call.json if isinstance(call.json, dict) else {}
    if not (asked.get("username") and asked.get("password")):
        return json_reply({"code": 401, "message": "Invalid credentials."}, 401)
    return json_reply({"token": call.tokens.issue(TOKEN_SECONDS, roles=["ROLE_API"], username=asked["username"])})


def certificats(call: Incoming) -> Response:
    """`/certificates/{siret}`."""
    siret = call.arguments["siret"]
    company = call.world.company(siret[:9]) if call.world.establishment(siret) else None
    if company is None or company.ceased or "qualifelec" not in company.dossiers:
        return json_reply({"code": 404, "message": "Siret inconnu"}, 404)
    if company.peculiarities.get("qualifelec") == "none":
        return json_reply([])
    dice = Dice(f"qualifelec/{siret}")
    count = dice.between("count", 1, 3)
    return json_reply([_certificat(company, Dice(f"qualifelec/{siret}/{n}"), n, call.today) for n in range(count)])


def unauthorised(_: Incoming) -> Response:
    """What a missing, wrong or expired token gets."""
    return json_reply({"code": 401, "message": "JWT Token not found"}, 401)


def _certificat(company: Company, dice: Dice, place: int, today: date) -> dict[str, Any]:
    label, code, domain, domain_label = QUALIFICATIONS[place]
    on_trial = dice.chance("probation", 20)
    started = date(today.year - dice.between("years", 0, 1), *dice.pick("start", ((1, 1), (2, 1), (3, 15))))
    number = dice.between("number", 1000, 99999)
    insured = date(today.year, 1, 1)
    rank = next((n for n, (_, high) in enumerate(CLASSES, start=1) if company.headcount <= high), len(CLASSES))
    low, high = CLASSES[rank - 1]
    return {
        "url": f"https://qualifelec.example/certificats/{number}.pdf",
        "label": label,
        "num": number,
        "rge": dice.chance("rge", 40),
        "start_date": _midnight(today.replace(month=1, day=1)),
        "end_date": _midnight(today.replace(month=12, day=31)),
        "qualification_start_date": _midnight(started),
        "qualification_end_date": _midnight(_years(started, PROBATION_YEARS if on_trial else QUALIFICATION_YEARS)),
        "classification": [] if on_trial else {"label": f"Classe {rank} - de {low} à {high} exécutants", "code": rank},
        "indexes": [{"label": f"{code}{n}", "code": f"{code}{n}"} for n in range(1, dice.between("indexes", 1, 2) + 1)],
        "mentions": [{"label": "Probatoire RGE", "code": "PRGE"}] if on_trial else [],
        "domains": [{"label": f"{domain_label} 1", "code": f"{domain}1"}],
        "decennial_insurance": "ASSURANCE FICTIVE",
        "decennial_insurance_start_date": None if on_trial else _midnight(insured),
        "decennial_insurance_end_date": None if on_trial else _midnight(insured.replace(month=12, day=31)),
        "liability_insurance": "MUTUELLE INVENTEE",
        "liability_insurance_start_date": _midnight(insured),
        "liability_insurance_end_date": _midnight(insured.replace(month=12, day=31)),
    }


def _years(start: date, count: int) -> date:
    return start.replace(year=start.year + count) - timedelta(days=1)


def _midnight(day: date) -> int:
    """The first instant of a day in Paris, in epoch seconds."""
    return int(datetime.combine(day, time(), PARIS).timestamp())


ROUTES = (
    Simulated(method="POST", path="/auth", handler=auth, may_fail=False),
    Simulated(method="GET", path="/certificates/{siret}", handler=certificats, unauthorised=unauthorised),
)
