"""Numéro de TVA intracommunautaire: computed from the SIREN, then looked up among the numbers in force."""

from collections.abc import Callable
from typing import Literal

from pydantic import Field

from config.quotas import JSON_RESOURCES
from providers.base import Cache, Call, Contract, Empty, Endpoint, Failure, Get, Provider, Reply, Single, Wire

VIES = Provider(slug="vies", code="28", name="Commission Européenne", base_url="https://vies.example")
"""A public service: no token, no account."""


class Verdict(Wire):
    """What VIES sends, once the failures it may tell are set aside. It repeats the number and names its holder."""

    said: Literal["VALID", "INVALID"] = Field(alias="userError")
    is_valid: Literal[True] = Field(alias="isValid")


class NumeroTva(Contract):
    """What the contract promises."""

    tva_number: str = Field(
        title="Numéro de TVA intracommunautaire",
        description="« FR », une clé de deux chiffres calculée sur le SIREN, puis le SIREN.",
        examples=["FR31999500002"],
    )


Numero = Single[NumeroTva, Empty, Empty]


def tva_number(siren: str) -> str:
    """The number that belongs to a SIREN, whether it was given or not."""
    return f"FR{(12 + 3 * (int(siren) % 97)) % 97:02d}{siren}"


def normalise(sent: Verdict, call: Call) -> Numero:
    """The number as it was computed: VIES does no more than confirm it."""
    del sent
    return Numero(data=NumeroTva(tva_number=tva_number(call.siren)), links=Empty(), meta=Empty())


def says(*words: str) -> Callable[[Reply], bool]:
    """A predicate: VIES gives one of these reasons."""
    return lambda reply: reply.find("userError") in words


def is_silent(*statuses: int) -> Callable[[Reply], bool]:
    """A predicate: one of these statuses, and no verdict. With a verdict, the status says nothing."""
    return lambda reply: reply.status in statuses and not isinstance(reply.find("userError"), str)


def is_stopped(reply: Reply) -> bool:
    """A page of the proxy through which the provider is reached."""
    return "contact your network support team" in reply.text


def is_not_in_force(reply: Reply) -> bool:
    """VIES has looked, and the number was not given, or is no longer valid."""
    return reply.find("userError") in ("VALID", "INVALID") and reply.find("isValid") is False


def path(call: Call) -> str:
    """The number is asked without its country, which stands before it in the path."""
    return f"/taxation_customs/vies/rest-api/ms/FR/vat/{tva_number(call.siren)[2:]}"


numero_tva_v3 = Endpoint(
    operation_id="api_entreprise_v3_european_commission_vies",
    path="/v3/european_commission/unites_legales/{siren}/numero_tva",
    title="Numéro de TVA intracommunautaire",
    description=(
        "Numéro de TVA intracommunautaire d'une entreprise française, s'il est en vigueur selon le service VIES de la "
        "Commission européenne. Aucun droit particulier n'est nécessaire."
    ),
    tag="Informations générales",
    scopes=frozenset(),
    quota=JSON_RESOURCES,
    cache=Cache.during(hours=24),
    provider=VIES,
    request=lambda call: Get(path(call)),
    wire=Verdict,
    # The body decides; a status counts only where there is no verdict.
    common=(),
    success=None,
    failures=(
        Failure.UNAVAILABLE.when(is_stopped),
        Failure.UNAVAILABLE.when(is_silent(502, 503)),
        Failure.TIMEOUT.when(is_silent(504)),
        Failure.RATE_LIMITED.when(says("IP_BLOCKED", "MS_MAX_CONCURRENT_REQ", "GLOBAL_MAX_CONCURRENT_REQ")),
        Failure.UNAVAILABLE.when(says("MS_UNAVAILABLE", "SERVICE_UNAVAILABLE", "TIMEOUT")),
        Failure.NOT_FOUND.when(
            is_not_in_force,
            detail="Ce SIREN n'a pas de numéro de TVA intracommunautaire en vigueur, ou il n'existe pas.",
            cacheable=True,
        ),
    ),
    normalise=normalise,
)
