"""Identifiers of records: the layout of UUID version 7, so that they sort by time and stay together in an index."""

import os

_DRAWN = 256
_RANDOM_HEX = 18
_MOST_MILLISECONDS = 2**48 - 1


class Ids:
    """Makes identifiers; one for each process, since a fork would repeat its random part."""

    __slots__ = ("_head", "_milliseconds", "_tails")

    def __init__(self) -> None:
        """Draw nothing yet: the random part is drawn from the kernel a few hundred identifiers at a time."""
        self._tails: list[str] = []
        self._milliseconds = -1
        self._head = ""

    def __call__(self, at: float) -> str:
        """A new identifier for a record of that moment."""
        if not self._tails:
            self._tails = _tails()
        milliseconds = int(at * 1000) & _MOST_MILLISECONDS
        if milliseconds != self._milliseconds:
            self._milliseconds = milliseconds
            time = f"{milliseconds:012x}"
            self._head = f"{time[:8]}-{time[8:]}"
        return self._head + self._tails.pop()


def _tails() -> list[str]:
    drawn = os.urandom(_DRAWN * _RANDOM_HEX // 2).hex()
    texts = (drawn[start : start + _RANDOM_HEX] for start in range(0, len(drawn), _RANDOM_HEX))
    return [f"-7{text[:3]}-8{text[3:6]}-{text[6:]}" for text in texts]
