"""Chance that always falls the same way: each choice follows from a seed and the name of what is chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Dice:
    """The choices that belong to one seed; naming each keeps the others as they were when one is added."""

    seed: str

    def roll(self, name: str, sides: int) -> int:
        """A number from 0 to `sides` - 1."""
        digest = blake2b(f"{self.seed}/{name}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % sides

    def pick(self, name: str, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.roll(name, len(options))]

    def between(self, name: str, low: int, high: int) -> int:
        """A number from `low` to `high`, both included."""
        return low + self.roll(name, high - low + 1)

    def chance(self, name: str, percent: int) -> bool:
        """True that many times in a hundred."""
        return self.roll(name, 100) < percent

    def day(self, name: str, first: date, last: date) -> date:
        """A day from `first` to `last`, both included; `first` where they are out of order."""
        return first + timedelta(days=self.roll(name, max((last - first).days, 0) + 1))

    def letters(self, name: str, count: int, alphabet: str) -> str:
        """That many characters of the alphabet."""
        return "".join(self.pick(f"{name}/{place}", alphabet) for place in range(count))
