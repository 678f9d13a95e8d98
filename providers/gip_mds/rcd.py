"""The connection to GIP-MDS's register of head counts (RCD): OAuth2, and its own ways to fail."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import parse_qsl

from config.settings import MaintenanceWindow
from providers.base import Kind, Login, Provider, Reply

OAUTH2 = Login(
    fields={"grant_type": "client_credentials"},
    secrets={"client_id": "client_id", "client_secret": "client_secret"},
    order=("client_id", "client_secret", "grant_type"),
    renewed_on=(401,),
)

RCD = Provider(
    slug="gip_mds",
    code="31",
    name="GIP-MDS",
    base_url="https://gip-mds.example",
    token_url="https://gip-mds.example/token",  # noqa: S106  an address, not a secret
    authentication=OAUTH2,
    headers=lambda call: {"content-type": "application/json"},
    connect_timeout=timedelta(seconds=2),
    read_timeout=timedelta(seconds=6),
    maintenance=(MaintenanceWindow(start=time(13), end=time(17), dates=("2025-03-20",)),),
)

TECHNICAL = Kind(
    "501",
    502,
    "Erreur interne du GIP-MDS",
    "Les serveurs du GIP-MDS rencontrent une erreur technique passagère. Renouvelez votre appel plus tard.",
)
REFUSED = Kind(
    "502",
    502,
    "Accès momentanément refusé par le GIP-MDS",
    "Le GIP-MDS n'a pas reconnu la passerelle, ce qui lui arrive par moments. Renouvelez votre appel dans un instant.",
    retry_in=10,
)
OVER_QUOTA = Kind(
    "503",
    502,
    "Quota de la passerelle épuisé auprès du GIP-MDS",
    "Le GIP-MDS limite le nombre d'appels de la passerelle, et cette limite est atteinte. Renouvelez votre appel quand "
    "elle sera levée.",
)


def seconds_until_open(reply: Reply) -> Mapping[str, Any]:
    """When calls are admitted again, where the reply says so, in a form: `2026-Apr-28 08:03:00+0000 UTC`."""
    told = dict(parse_qsl(reply.text)).get("nextAccessTime", "")
    try:
        opens = datetime.strptime(told.removesuffix(" UTC"), "%Y-%b-%d %H:%M:%S%z")
    except ValueError:
        return {}
    return {"retry_in": max(1, round((opens - reply.at).total_seconds()))} if reply.at is not None else {}


def sent(reply: Reply) -> Any:
    """The body as JSON; None where it is not."""
    return reply.json() if reply.is_json else None


def is_technical(reply: Reply) -> bool:
    """An object in the place of rows, which names a failure of theirs."""
    return bool(reply.find("code") == "KO_TECHNIQUE")


def is_not_rows(reply: Reply) -> bool:
    """Neither rows nor that object."""
    rows = sent(reply)
    return not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows)


def lacks_a_regime(reply: Reply) -> bool:
    """Both schemes are always told of, be it to say that nothing is known."""
    return not {"RA", "RG"} <= {str(row.get("source")) for row in sent(reply)}


def nothing_is_known(reply: Reply) -> bool:
    """Neither scheme knows anything."""
    return all(row.get("effectifs") == "NC" for row in sent(reply))
