"""The dictionary of tax forms: what each code of a liasse stands for, form by form, as it stood in a year.

DGFIP publishes it; a copy of the years 2006 to 2025 serves where it does not answer. `dictionnaire.json` holds, by form
and by code, rows `[code EDI, code absolu, type, intitulé, first year, last year, first year, last year…]`.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import orjson
from pydantic import Field, ValidationError

from providers.base import Call, Get, OneOrMany, Reply, Table, Wire
from providers.dgfip.adelie import OPERATIONS

FIRST_YEAR, LAST_YEAR = 2006, 2025
"""The years that our copy knows; a later one is read with the last."""


class Rubrique(NamedTuple):
    """What is known of a code."""

    code: str | None
    code_EDI: str | None  # noqa: N815  the contract's spelling
    code_absolu: str | None
    code_type_donnee: str | None
    intitule: str | None


Dictionnaire = Mapping[tuple[str, str], Rubrique]
"""By form and code."""


@lru_cache(maxsize=1)
def _copy() -> Any:
    return orjson.loads(files("providers.dgfip").joinpath("dictionnaire.json").read_bytes())


@lru_cache(maxsize=LAST_YEAR - FIRST_YEAR + 1)
def _of_known_year(year: int) -> Dictionnaire:
    return {
        (form, code): Rubrique(edi.partition(":")[0], edi, absolu, kind, intitule)
        for form, codes in _copy().items()
        for code, rows in codes.items()
        for edi, absolu, kind, intitule, *spans in rows
        if any(first <= year <= last for first, last in zip(spans[::2], spans[1::2], strict=True))
    }


def of_year(year: int) -> Dictionnaire:
    """Our copy, as it stood that year."""
    return _of_known_year(min(max(year, FIRST_YEAR), LAST_YEAR))


class Ligne(Wire):
    """A row of the dictionary, as DGFIP sends it."""

    code_nref: str
    code: str | None = None
    code_edi: str | None = Field(None, alias="code_EDI")
    code_absolu: str | None = None
    code_type_donnee: str | None = None
    intitule: str | None = None


class Millesime(Wire):
    """An edition of a form."""

    declaration: OneOrMany[Ligne] = Field(default_factory=list)


class Imprime(Wire):
    """A form, and its edition of the year."""

    numero_imprime: str
    millesimes: OneOrMany[Millesime] = Field(default_factory=list)


class Sent(Wire):
    """The whole dictionary of a year."""

    dictionnaire: OneOrMany[Imprime]


def read(reply: Reply) -> Dictionnaire | None:
    """The dictionary DGFIP sent, or None where it sent none that can be read."""
    if reply.status != 200:
        return None
    try:
        sent = Sent.model_validate_json(reply.body)
    except ValidationError:
        return None
    found: dict[tuple[str, str], Rubrique] = {}
    for imprime in sent.dictionnaire:
        for millesime in imprime.millesimes:
            for row in millesime.declaration:
                rubrique = Rubrique(row.code, row.code_edi, row.code_absolu, row.code_type_donnee, row.intitule)
                found.setdefault((imprime.numero_imprime, row.code_nref), rubrique)
    return found or None


DICTIONNAIRE = Table(
    name=lambda call: f"dictionnaire:{call['year']}",
    request=lambda call: Get(f"{OPERATIONS}/dictionnaire", {"userId": call.user_id, "annee": call["year"]}),
    read=read,
    lasting=timedelta(hours=24),
)


def for_call(call: Call) -> Dictionnaire:
    """The dictionary of the year asked: DGFIP's where it gave it, else our copy."""
    known: Dictionnaire = call.table if call.table is not None else of_year(call["year"])
    return known
