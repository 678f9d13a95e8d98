"""The breaker of a provider: after too large a share of failures it is left alone for a while, then tried once."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

WINDOW_SECONDS = 20.0
LEAST_CALLS = 10
OPENING_SHARE = 0.5
COOLDOWN_SECONDS = 5.0


@dataclass
class Breaker:
    """Judges by the share of failures in a sliding window, so that a provider that flaps does not make it oscillate.

    `now` is a monotonic clock, in seconds.
    """

    now: Callable[[], float]
    _outcomes: deque[tuple[float, bool]] = field(default_factory=deque)
    _failures: int = 0
    _opened_at: float | None = None
    _probing: bool = False

    @property
    def state(self) -> str:
        """`closed`, `open` or `half_open`."""
        if self._opened_at is None:
            return "closed"
        return "half_open" if self.now() - self._opened_at >= COOLDOWN_SECONDS else "open"

    def lets_through(self) -> bool:
        """Whether a call may be made now; half open, one at a time may."""
        state = self.state
        if state == "half_open" and not self._probing:
            self._probing = True
            return True
        return state == "closed"

    def seconds_left(self) -> int:
        """Seconds until the next call is let through, at least one."""
        return 1 if self._opened_at is None else max(1, round(self._opened_at + COOLDOWN_SECONDS - self.now()))

    def learn(self, *, failed: bool) -> None:
        """Take note of the outcome of a call that was let through."""
        now = self.now()
        if self._probing:
            self._probing = False
            self._opened_at = now if failed else None
            self._outcomes.clear()
            self._failures = 0
            return
        self._outcomes.append((now, failed))
        self._failures += failed
        while self._outcomes[0][0] < now - WINDOW_SECONDS:
            self._failures -= self._outcomes.popleft()[1]
        if len(self._outcomes) >= LEAST_CALLS and self._failures >= OPENING_SHARE * len(self._outcomes):
            self._opened_at = now

    def forget_probe(self) -> None:
        """The call that was let through was given up before it said anything."""
        self._probing = False
