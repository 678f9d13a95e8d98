"""The connection to Sirene, INSEE's register of companies: an account's token, duplicates followed, failures read."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from providers.base import PERIMETER, Call, Failure, Get, Kind, Login, Provider, Reply, Request
from providers.base.parameters import siren_is_valid, siret_is_valid

TIMEOUT = timedelta(seconds=2)


def _json(call: Call) -> Mapping[str, str]:
    del call
    return {"content-type": "application/json"}


SIRENE = Provider(
    slug="insee",
    code="01",
    name="INSEE",
    base_url="https://api.insee.fr",
    token_url="https://api.insee.fr/token",  # noqa: S106  an address, not a secret
    authentication=Login(
        fields={"grant_type": "password"},
        secrets={
            "client_id": "client_id",
            "client_secret": "client_secret",
            "username": "username",
            "password": "password",
        },
        order=("client_id", "client_secret", "grant_type", "username", "password"),
        renewed_on=(401,),
    ),
    headers=_json,
    connect_timeout=TIMEOUT,
    read_timeout=TIMEOUT,
)

SERVICE = "/api-sirene/prive/3.11"


# What is asked.


def ask_unite_legale(call: Call) -> Request:
    """A legal unit by its SIREN."""
    return Get(f"{SERVICE}/siren/{call.siren}")


def ask_etablissement(call: Call) -> Request:
    """An establishment by its SIRET."""
    return Get(f"{SERVICE}/siret/{call.siret}")


def ask_siege_social(call: Call) -> Request:
    """The establishments that are head office of a legal unit: one, or something is wrong."""
    return Get(f"{SERVICE}/siret", {"q": f"etablissementSiege:true AND siren:{call.siren}"})


def ask_successions(call: Call) -> Request:
    """The links of succession on either side of an establishment."""
    either_side = f"siretEtablissementSuccesseur:{call.siret} OR siretEtablissementPredecesseur:{call.siret}"
    return Get(f"{SERVICE}/siret/liensSuccession", {"q": either_side})


# Duplicates: Sirene points to the entry that stays. Only the identifier is taken from the address it gives.


def follow_siren(call: Call, reply: Reply) -> Call:
    """The same question about the legal unit that the answer points to."""
    siren = _last_segment(reply)
    if not siren_is_valid(siren):
        raise Failure.INTERNAL.because()
    return call.asking(siren=siren)


def follow_siret(call: Call, reply: Reply) -> Call:
    """The same question about the establishment that the answer points to."""
    siret = _last_segment(reply)
    if not siret_is_valid(siret):
        raise Failure.INTERNAL.because()
    return call.asking(siret=siret)


def _last_segment(reply: Reply) -> str:
    path = re.split("[?#]", reply.headers.get("location", ""), maxsplit=1)[0]
    return path.rpartition("/")[2]


# What its failures look like. A rule says what a status means; a kind is raised where a mapping finds the failure.

NOT_FOUND = replace(
    Failure.NOT_FOUND,
    detail=f"L'INSEE ne connaît pas cet identifiant, ou n'a rien à communiquer à son sujet. {PERIMETER}",
)
SIEGE_NOT_FOUND = replace(
    Failure.NOT_FOUND,
    detail=(
        "L'INSEE ne trouve pas de siège social pour ce SIREN : il n'existe pas, n'est pas connu, ne comporte aucune "
        f"information, ou désigne une entité à laquelle aucun organisme ne peut accéder. {PERIMETER}"
    ),
)
SEVERAL_SIEGES = Kind(
    "501",
    502,
    "Réponse ambiguë du fournisseur",
    "L'INSEE a donné plusieurs sièges sociaux pour ce SIREN, alors qu'un seul est attendu.",
)

SIREN_IS_CONFIDENTIAL = Failure.LEGAL.when(
    status=403, detail="Ce SIREN désigne une entité à laquelle aucun organisme ne peut accéder."
)
SIRET_IS_CONFIDENTIAL = Failure.LEGAL.when(
    status=403, detail="Ce SIRET désigne une entité à laquelle aucun organisme ne peut accéder."
)
STILL_REFUSED = replace(Failure.TEMPORARY, retry_in=10).when(
    status=401,
    detail="L'INSEE a refusé, pour un temps, l'accès de la passerelle. Renouvelez votre appel dans quelques instants.",
)
OWN_ERROR = Failure.INTERNAL.when(status=500)

FAILURES = (NOT_FOUND.when(status=404), STILL_REFUSED, OWN_ERROR)
"""Those of every operation, but for what 404 says of a head office."""
