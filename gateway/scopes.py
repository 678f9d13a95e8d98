"""Sets of scopes: thousands of tokens have the same few, and share them in memory."""

from collections.abc import Iterable
from functools import lru_cache

MOST_SETS = 4096


def scope_set(scopes: Iterable[str]) -> frozenset[str]:
    """The scopes as a set; one object for all who name the same in the same order."""
    return _shared(tuple(scopes))


@lru_cache(maxsize=MOST_SETS)
def _shared(scopes: tuple[str, ...]) -> frozenset[str]:
    return frozenset(scopes)
