"""GIP-MDS's head counts, simulated: rows of texts for both schemes, NC where one knows nothing.

Tokens are handed out at `/token`, which the simulation of DGFIP serves for both.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from starlette.responses import Response

from providers.simulator.company import Company, Establishment
from providers.simulator.dice import Dice
from providers.simulator.routes import Incoming, Simulated, json_reply

LEVEL = {"01": 100, "02": 5, "03": 3, "04": 96}
"""Share, in per cent, of the head count that each nature counts."""
FARMING = ("01.", "02.", "03.")
"""First characters of the activities of the agricultural scheme."""
DELAY = timedelta(days=25)
"""Head counts are known that long after the end of their period."""


def effectifs(call: Incoming) -> Response:
    """`/rcd-api/1.0.0/effectifs`."""
    asked = call.parameters
    nature, period = asked.get("nature", ""), asked.get("periode", "")
    try:
        last = date(int(period[:4]), int(period[4:6]), int(period[6:]))
    except ValueError:
        return json_reply({"code": "KO_FONCTIONNEL", "message": "Période incorrecte"}, 400)
    if nature[:1] == "A":
        company = call.world.company(asked.get("siren", ""))
        if company is None:
            return Response(status_code=404)
        return json_reply(list(_of_year(company, nature, last, call.today)))
    place = call.world.establishment(asked.get("siret", ""))
    if place is None:
        return Response(status_code=404)
    depth = max(1, int(asked.get("profondeurHistorique") or 0))
    return json_reply(list(_of_months(place, nature, last, depth, call.today)))


def _of_year(company: Company, nature: str, last: date, today: date) -> Iterator[dict[str, Any]]:
    count = _average(company.siren, company.headcount, str(last.year))
    is_known = company.created.year <= last.year and last + DELAY <= today and not company.ceased
    farms = company.activity.naf.startswith(FARMING)
    yield from _rows({"siren": company.siren}, nature, last, farms, count if is_known else 0)


def _of_months(place: Establishment, nature: str, last: date, depth: int, today: date) -> Iterator[dict[str, Any]]:
    farms = place.activity.naf.startswith(FARMING)
    for back in range(depth - 1, -1, -1):
        months = last.year * 12 + last.month - 1 - back
        month = date(months // 12, months % 12 + 1, 1)
        count = _average(place.siret, place.headcount, f"{month:%Y%m}")
        is_known = place.opened <= month and month + timedelta(days=31) + DELAY <= today and not place.closed
        yield from _rows({"siret": place.siret}, nature, month, farms, count if is_known else 0)


def _average(seed: str, headcount: int, period: str) -> float:
    """The head count of the register, which moves a little from one period to the next."""
    return headcount * Dice(f"gip_mds/{seed}").between(period, 960, 1040) / 1000


def _rows(subject: dict[str, str], nature: str, period: date, farms: bool, count: float) -> Iterator[dict[str, Any]]:
    """A row for each scheme; the one that the trade does not belong to knows nothing."""
    level = LEVEL.get(nature[1:], 100)
    for source in ("RA", "RG"):
        row = {**subject, "periode": f"{period:%Y%m%d}", "nature": nature, "source": source}
        if count and (source == "RA") is farms:
            updated = period + timedelta(days=31) + DELAY
            yield {**row, "effectifs": f"{count * level / 100:.2f}", "miseAJourRCD": updated.isoformat()}
        else:
            yield {**row, "effectifs": "NC"}


def unauthorised(_: Incoming) -> Response:
    """What a missing, wrong or expired token gets."""
    return json_reply({"code": 900901, "message": "Invalid Credentials"}, 401)


ROUTES = (Simulated(method="GET", path="/rcd-api/1.0.0/effectifs", handler=effectifs, unauthorised=unauthorised),)
