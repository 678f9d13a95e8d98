"""Identifiers of records: the layout of UUID version 7, so that they sort by time and stay together in an index."""

import os

_RANDOM_BYTES = 4096
_HEX_USED = 18
_MOST_MILLISECONDS = 2**48 - 1


class Ids:
    """Makes identifiers; one for each process, since a fork would repeat its random part."""

    __slots__ = ("_cursor", "_random")

    def __init__(self) -> None:
        """Draw nothing yet: the random part is drawn from the kernel a few hundred identifiers at a time."""
        self._random = ""
        self._cursor = 0

    def __call__(self, at: float) -> str:
        """A new identifier for a record of that moment."""
        start = self._cursor
        if start + _HEX_USED > len(self._random):
            self._random = os.urandom(_RANDOM_BYTES).hex()
            start = 0
        self._cursor = start + _HEX_USED
        time = f"{int(at * 1000) & _MOST_MILLISECONDS:012x}"
        drawn = self._random[start : start + _HEX_USED]
        return f"{time[:8]}-{time[8:]}-7{drawn[:3]}-8{drawn[3:6]}-{drawn[6:]}"
