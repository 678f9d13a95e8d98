"""Qualibat's certificates, simulated: a login by name and password, then a PDF laid out in two columns and a table."""

from collections.abc import Iterator
from datetime import date, timedelta

from starlette.responses import Response

from providers.qualibat.nomenclature import label_of
from providers.simulator.company import Company
from providers.simulator.dice import Dice
from providers.simulator.pdf import Placed, place
from providers.simulator.routes import Incoming, Simulated, json_reply

TOKEN_SECONDS = 1800
YEAR = timedelta(days=365)

CODES = {
    "43.32A": ("3511", "3551", "4312", "4322", "4332", "4341", "4361"),
    "43.21A": ("5133", "5231", "7122", "8611"),
}
"""What the companies of a trade may be qualified for."""
OTHER_CODES = ("2111", "2121", "6112")
RENEWABLE = frozenset({"3511", "3551", "5133", "5231", "7122"})
"""Those which may carry the mention RGE."""
INSURERS = ("SMABTP", "MAAF", "GROUPAMA", "ALLIANZ IARD")

LEFT, RIGHT = 69, 291
CODE, LABEL, HEADS, SINCE = 55, 94, 467, 513
"""Where columns begin, in points; the last four are those of the table."""
WRAP = 90
"""Characters after which a label goes on below."""


def token(call: Incoming) -> Response:
    """`/token`."""
    if not call.headers.get("authorization", "").startswith("Basic "):
        return json_reply({"detail": "Not authenticated"}, 401)
    told = {"access_token": call.tokens.issue(TOKEN_SECONDS), "token_type": "bearer"}
    return json_reply({**told, "expires_in": float(TOKEN_SECONDS)})


def certificat(call: Incoming) -> Response:
    """`/certificat/{siret}`: most failures are told with a 200."""
    siret = call.arguments["siret"]
    company = call.world.company(siret[:9]) if call.world.establishment(siret) else None
    if company is None or company.ceased or "qualibat" not in company.dossiers:
        return json_reply({"status_code": 404, "error": "Not Found", "message": "Entreprise fictive non certifiée"})
    oddity = company.peculiarities.get("qualibat")
    content = b"" if oddity == "missing" else place(_pages(company, siret, call.today, amiante=oddity == "amiante"))
    headers = {"content-disposition": f'attachment; filename="certificat-{siret}.pdf"'}
    return Response(content, headers=headers, media_type="application/pdf")


def unauthorised(_: Incoming) -> Response:
    """What a missing, wrong or expired token gets."""
    return json_reply({"detail": "Could not validate credentials"}, 401)


def _pages(company: Company, siret: str, today: date, *, amiante: bool) -> list[list[Placed]]:
    dice = Dice(f"qualibat/{company.siren}")
    codes = CODES.get(company.activity.naf, OTHER_CODES)
    held = [code for code in codes if dice.chance(code, 50)] or [codes[0]]
    green = [code for code in held if code in RENEWABLE and dice.chance(f"rge/{code}", 60)]
    issued = today - timedelta(days=dice.between("age", 10, 300))
    head = [*_head(company, siret, dice, issued, amiante=amiante), *_insurers(dice)]
    pages = [[*_title(rge=False), *head, *_table(dice, held, issued, rge=False)]]
    if green:
        pages.append([*_title(rge=True), *head, *_table(dice, green, issued, rge=True)])
    return pages


def _title(*, rge: bool) -> Iterator[Placed]:
    yield Placed(40, 815, "Document fictif, sans valeur", 7)
    yield Placed(131, 786.5, "CERTIFICAT", 20)
    yield Placed(272, 786.5, "QUALIBAT", 20)
    if rge:
        yield Placed(390, 786.5, "« RGE »", 20)


def _head(company: Company, siret: str, dice: Dice, issued: date, *, amiante: bool) -> Iterator[Placed]:
    """Number, dates, and the administrative data; labels and values stand at slightly different heights."""
    if amiante:
        yield Placed(131, 765, "TRAITEMENT DE L'AMIANTE", 14)
    yield Placed(118, 747.2, "NUMÉRO", 8)
    yield Placed(176, 746.1, f"E-F{dice.between('number', 1000, 99999):05d}")
    yield Placed(250, 747.1, "VALABLE JUSQU'AU", 8)
    yield Placed(375, 746, f"{issued + YEAR:%d/%m/%Y}")
    yield Placed(481, 721.8, "ÉDITÉ LE", 8)
    yield Placed(525, 721.9, f"{issued:%d/%m/%Y}", 8)
    yield Placed(67, 683.4, "SITUATION ADMINISTRATIVE ET JURIDIQUE", 9)
    yield Placed(LEFT, 664.1, "Date de création :", 8)
    yield Placed(145, 664.2, f"{company.created:%d/%m/%Y}", 8)
    yield Placed(RIGHT, 664.1, "Raison sociale :", 8)
    yield Placed(357, 664.4, company.name, 7)
    yield Placed(RIGHT, 632.4, company.siege.adresse.voie, 7)
    yield Placed(RIGHT, 623.4, company.siege.adresse.ville, 7)
    yield Placed(LEFT, 584.8, "Siret :", 8)
    yield Placed(103, 584.3, siret, 8)


def _insurers(dice: Dice) -> Iterator[Placed]:
    for kind, height in (("Travaux", 551.5), ("Civile", 522.7)):
        number = dice.letters(f"contract/{kind}", 10, "0123456789")
        yield Placed(LEFT, height, f"Assurance Responsabilité {kind} :", 8)
        yield Placed(LEFT, height - 11.7, f"{dice.pick(f'insurer/{kind}', INSURERS)} {number}", 7)
        yield Placed(RIGHT, height - 10.4, "Site Internet :", 8)


def _table(dice: Dice, codes: list[str], issued: date, *, rge: bool) -> Iterator[Placed]:
    yield Placed(519, 423, "* Date", 8)
    yield Placed(52, 418.3, "Code", 8)
    yield Placed(202, 418.3, "Qualification(s) en cours de validité", 8)
    if not rge:
        yield Placed(456, 418.3, "Effectif", 8)
    yield Placed(507, 413.6, "d'attribution", 8)
    height = 396.0
    for code in codes:
        since = dice.day(f"since/{code}", issued - 4 * YEAR, issued)
        yield from _row(height, code, since, dice.between(f"heads/{code}", 1, 30), rge=rge)
        height -= 18


def _row(height: float, code: str, since: date, heads: int, *, rge: bool) -> Iterator[Placed]:
    label = f"{label_of(code)} (Technicité confirmée)" + (" Mention RGE" if rge else "")
    cut = label.rfind(" ", 0, WRAP) if len(label) > WRAP else len(label)
    wrapped = cut < len(label)
    yield Placed(LABEL, height + (4 if wrapped else 0), label[:cut], 7)
    if wrapped:
        yield Placed(LABEL, height - 4, label[cut + 1 :], 7)
    yield Placed(CODE, height, code, 7)
    if not rge:
        yield Placed(HEADS, height, str(heads), 7)
    yield Placed(SINCE, height, f"{since:%d/%m/%Y}", 7)


ROUTES = (
    Simulated(method="POST", path="/token", handler=token, may_fail=False),
    Simulated(method="GET", path="/certificat/{siret}", handler=certificat, unauthorised=unauthorised),
)
