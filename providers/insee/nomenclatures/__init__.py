"""The labels of INSEE's codes: activities (NAF rev. 2 and NAF 2025) and legal categories.

INSEE publishes these nomenclatures under the open licence (Licence Ouverte 2.0). Each table maps a code to its label as
INSEE writes it, and is read once, when it is first needed.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import orjson

UNLISTED = "non référencé"
"""What the contract says of a code that its nomenclature does not hold."""


def label_naf_rev2(code: str | None) -> str:
    """The label of a code of the French classification of activities, second revision."""
    return _label("naf_rev2", code)


def label_naf_2025(code: str | None) -> str:
    """The label of a code of the French classification of activities of 2025."""
    return _label("naf_2025", code)


def label_categorie_juridique(code: str | None) -> str:
    """The label of a legal category, told by its four digits."""
    return _label("categories_juridiques", code)


def _label(table: str, code: str | None) -> str:
    return UNLISTED if code is None else _read(table).get(code, UNLISTED)


@cache
def _read(table: str) -> Mapping[str, str]:
    content: Mapping[str, str] = orjson.loads(files(__name__).joinpath(f"{table}.json").read_bytes())
    return content
