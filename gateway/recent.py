"""A memory of bounded size, that forgets what has not been used for long."""

from collections.abc import Hashable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(dict[K, V | None]):
    """A dictionary of two generations: when the younger is full, it becomes the older, and that one is forgotten.

    `recent[key]` is the value, None where it is not remembered; it costs what a dictionary costs. What is found in the
    older generation is young again. Set values with `remember` alone.
    """

    __slots__ = ("_half", "_older")

    def __init__(self, capacity: int) -> None:
        """Remember at most so many, and at least half as many of those used last."""
        super().__init__()
        self._half = max(1, capacity // 2)
        self._older: dict[K, V | None] = {}

    def __missing__(self, key: K) -> V | None:
        value = self._older.pop(key, None)
        if value is not None:
            self.remember(key, value)
        return value

    def remember(self, key: K, value: V) -> None:
        """Keep a value."""
        if len(self) >= self._half and key not in self:
            self._older = dict(self)
            self.clear()
        self[key] = value
