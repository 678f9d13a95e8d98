"""Counting in this process, for as long as Redis is away: bounded, approximate, never harsher than the store."""

MOST_ENTRIES = 100_000
"""Subjects counted in one window. Those beyond are let through: better than refusing somebody for what others did."""


class LocalCounters:
    """Fixed windows aligned on the epoch; what a window counted is forgotten when it ends."""

    __slots__ = ("_counts", "_seconds", "_window")

    def __init__(self, seconds: int) -> None:
        """`seconds` is the length of a window."""
        self._seconds = seconds
        self._window = 0
        self._counts: dict[str, int] = {}

    def count(self, key: str, now: float) -> int:
        """One more of that key; tells how many the window has seen."""
        window = int(now // self._seconds)
        if window != self._window:
            self._window = window
            self._counts = {}
        count = self._counts.get(key, 0) + 1
        if count > 1 or len(self._counts) < MOST_ENTRIES:
            self._counts[key] = count
        return count

    def __len__(self) -> int:
        """How many subjects are remembered."""
        return len(self._counts)
