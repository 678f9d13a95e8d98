"""The connection to the national register of companies (RNE), and what its answers look like when they are none."""

import json
from datetime import timedelta
from typing import Any

from providers.base import PERIMETER, Failure, Provider, Reply, Unreadable
from providers.inpi_rne.accounts import ACCOUNTS

RNE = Provider(
    slug="inpi_rne",
    code="34",
    name="INPI - RNE",
    base_url="https://inpi-rne.example",
    token_url="https://inpi-rne.example/api/sso/login",  # noqa: S106  an address, not a secret
    authentication=ACCOUNTS,
    headers=lambda call: {"content-type": "application/json"},
    connect_timeout=timedelta(seconds=10),
    read_timeout=timedelta(seconds=15),
)

COMPANIES = "/api/companies"

NOT_FOUND_DETAIL = f"Le registre national des entreprises ne connaît rien sous cet identifiant. {PERIMETER}"


def sent(reply: Reply) -> Any:
    """The body as JSON. Texts that are not UTF-8 are read as the ISO-8859-1 they are. Raises Unreadable."""
    try:
        reply.body.decode()
    except UnicodeDecodeError:
        try:
            return _repaired(json.loads(reply.body.decode(errors="surrogateescape")))
        except (ValueError, RecursionError):
            raise Unreadable("neither UTF-8 nor JSON") from None
    return reply.json()


def _repaired(value: Any) -> Any:
    if isinstance(value, str):
        raw = value.encode(errors="surrogateescape")
        return value if value.isascii() else _decoded(raw)
    if isinstance(value, list):
        return [_repaired(item) for item in value]
    if isinstance(value, dict):
        return {name: _repaired(item) for name, item in value.items()}
    return value


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("iso-8859-1")


def is_page(reply: Reply) -> bool:
    """With a 200, what stands before the register answers in its place."""
    if reply.status != 200:
        return False
    try:
        sent(reply)
    except Unreadable:
        return True
    return False


def is_empty(reply: Reply) -> bool:
    """With a 200, nothing at all."""
    return reply.status == 200 and sent(reply) in ({}, [])


SATURATED = Failure.RATE_LIMITED.when(status=429)
NOT_FOUND = Failure.NOT_FOUND.when(status=404, detail=NOT_FOUND_DETAIL)

COMPANY_FAILURES = (NOT_FOUND, SATURATED, Failure.UNAVAILABLE.when(is_page), Failure.UNAVAILABLE.when(is_empty))
"""Of all that is read in the description of a company."""
