"""The decisions of the pipeline, one function each: given what was seen, they let pass or raise a Refusal.

No I/O: each is tested with values. Codes and order: behaviours §2.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from gateway.asked import Asked
from gateway.errors import Refusal, Refused
from gateway.registry.state import TokenState
from gateway.routing import Found, Kind
from gateway.tokens import Claims
from providers.base import Endpoint
from providers.base.parameters import WrongParameter, siret_is_valid

NOBODY: Mapping[str, str] = {}

_MIME = re.compile(rb"[\w!#$&^.+*-]+/[\w!#$&^.+*-]+")


def is_revoked(state: TokenState, now: float) -> bool:
    """Whether the token is revoked by now; a revocation may be planned."""
    return state.revoked_at is not None and state.revoked_at <= now


def is_admitted_from(state: TokenState, address: str) -> bool:
    """Whether the habilitation admits calls from there; without a list it admits all."""
    if not state.allowed_networks:
        return True
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in state.allowed_networks)


def draws_on_quota(state: TokenState | None, asked: Asked) -> bool:
    """Not where the call is refused before quotas are looked at: nobody may use up another's allowance."""
    return state is not None and not is_revoked(state, asked.at) and is_admitted_from(state, asked.address)


def admit(state: TokenState | None, asked: Asked) -> None:
    """401 00105 revoked · 403 00107 address. Nothing is said yet of a token that names nobody."""
    if state is None:
        return
    if is_revoked(state, asked.at):
        raise Refusal.of(Refused.REVOKED)
    if not is_admitted_from(state, asked.address):
        raise Refusal.of(Refused.ADDRESS)


def authenticate(claims: Claims | None, state: TokenState | None, now: float) -> TokenState:
    """401 00101 absent, unreadable or unknown · 401 00103 expired. The registry's word wins over the token's."""
    if claims is None or state is None:
        raise Refusal.of(Refused.TOKEN)
    if state.expires_at <= now:
        raise Refusal.of(Refused.EXPIRED)
    return state


def is_open(endpoint: Endpoint, state: TokenState) -> bool:
    """One scope in common is enough; an endpoint without scopes is open to every client's token."""
    return state.kind == "client" and not (endpoint.scopes and endpoint.scopes.isdisjoint(state.scopes))


def authorise(state: TokenState, endpoint: Endpoint) -> None:
    """403 00100."""
    if not is_open(endpoint, state):
        raise Refusal.of(Refused.SCOPE)


def well_formed(asked: Asked) -> None:
    """400 00401: an Accept or Content-Type that is no media type at all."""
    for header in (asked.accept, asked.content_type):
        if header and _MIME.match(header.strip()) is None:
            raise Refusal.of(Refused.MALFORMED)


def trace(asked: Asked) -> None:
    """422 00201 context · 00203 recipient · 00202 object: all that are missing, in that order."""
    if asked.has_trace:
        return
    parameters = asked.parameters
    missing = [
        refused
        for name, refused in (
            ("context", Refused.CONTEXT),
            ("recipient", Refused.RECIPIENT),
            ("object", Refused.OBJECT),
        )
        if not parameters.get(name, "").strip()
    ]
    raise Refusal.of(*missing)


def version(found: Found) -> Endpoint:
    """404 00402: the endpoint exists, but not in that version."""
    if found.kind is not Kind.DATA or found.endpoint is None:
        raise Refusal.of(Refused.VERSION)
    return found.endpoint


def recipient(parameters: Mapping[str, str], called: Mapping[str, str] = NOBODY) -> None:
    """422 00210 no SIRET · 00211 the one of those `called`, where the operator wants another."""
    told = parameters["recipient"]
    if not siret_is_valid(told):
        raise Refusal.of(Refused.RECIPIENT_SIRET)
    if called and (told in called.values() or told[:9] == called.get("siren")):
        raise Refusal.of(Refused.RECIPIENT_CALLED)


def identifiers(found: Found, parameters: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """The parameters of the endpoint. 400 00401 a blank one · 422 003xx one that cannot be read, or all of them."""
    endpoint = found.endpoint
    if endpoint is None:
        raise Refusal.of(Refused.VERSION)
    if any(not text.strip() for text in found.texts.values()):
        raise Refusal.of(Refused.MALFORMED)
    values: dict[str, Any] = {}
    wrong: list[WrongParameter] = []
    for parameter in endpoint.all_parameters:
        text = found.texts.get(parameter.name) if parameter.where == "path" else parameters.get(parameter.name)
        if text is None:
            continue
        try:
            values[parameter.name] = parameter.value(text, now)
        except WrongParameter as one:
            wrong.append(one)
            if not endpoint.accumulates:
                break
    if wrong:
        raise Refusal.of_formats((one.format, one.parameter) for one in wrong)
    return values
