"""The labels of the register's codes, as INPI words them: activities, crafts, legal forms and roles.

The labels of activities are INSEE's but for some spellings, and those of legal forms go further than its categories.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import orjson


def label_ape(code: str | None) -> str | None:
    """The label of an activity (APE)."""
    return _label("codes_ape", code, "Activité")


def label_aprm(code: str | None) -> str | None:
    """The label of a craft (APRM)."""
    return _label("codes_aprm", code, "Activité Art")


def label_forme_juridique(code: str | None) -> str | None:
    """The label of a legal form."""
    return _label("formes_juridiques", code, "Forme juridique")


def label_role(code: str) -> str | None:
    """The label of a role in a company, None where it is not known."""
    return _read("roles").get(code)


def _label(table: str, code: str | None, word: str) -> str | None:
    return None if code is None else _read(table).get(code, f"{word} {code}")


@cache
def _read(table: str) -> Mapping[str, str]:
    content: Mapping[str, str] = orjson.loads(files(__name__).joinpath(f"{table}.json").read_bytes())
    return content
