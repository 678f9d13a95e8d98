"""The nomenclature of building qualifications: the label of each code, as Qualibat words it.

A code has two digits (activité), three (spécialité) or four (the qualification itself).
"""

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

import orjson


@lru_cache(maxsize=1)
def _labels() -> Mapping[str, str]:
    labels: Mapping[str, str] = orjson.loads(files("providers.qualibat").joinpath("nomenclature.json").read_bytes())
    return labels


def label_of(code: str) -> str | None:
    """The label of a code; None where the nomenclature does not know it."""
    return _labels().get(code)
