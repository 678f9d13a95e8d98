"""The breaker of a provider: after too large a share of failures it is left alone for a while, then tried once."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

WINDOW_SECONDS = 20
LEAST_CALLS = 10
OPENING_SHARE = 0.5
COOLDOWN_SECONDS = 5.0


@dataclass(slots=True)
class _Second:
    """What came of the calls that ended in one second."""

    number: int
    calls: int = 0
    failures: int = 0


@dataclass
class Breaker:
    """Judges by the share of failures in a sliding window, so that a provider that flaps does not make it oscillate.

    The window slides by whole seconds: what is remembered does not grow with the traffic. `now` is a monotonic clock,
    in seconds.
    """

    now: Callable[[], float]
    _seconds: deque[_Second] = field(default_factory=deque)
    _calls: int = 0
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
        if self._opened_at is None:
            return True
        if self._probing or self.state == "open":
            return False
        self._probing = True
        return True

    def seconds_left(self) -> int:
        """Seconds until the next call is let through, at least one."""
        return 1 if self._opened_at is None else max(1, round(self._opened_at + COOLDOWN_SECONDS - self.now()))

    def learn(self, *, failed: bool) -> None:
        """Take note of the outcome of a call that was let through."""
        now = self.now()
        if self._probing:
            self._probing = False
            self._opened_at = now if failed else None
            self._seconds.clear()
            self._calls = self._failures = 0
            return
        self._count(int(now), failed)
        if failed and self._calls >= LEAST_CALLS and self._failures >= OPENING_SHARE * self._calls:
            self._opened_at = now

    def forget_probe(self) -> None:
        """The call that was let through was given up before it said anything."""
        self._probing = False

    def _count(self, second: int, failed: bool) -> None:
        seconds = self._seconds
        if not seconds or seconds[-1].number != second:
            seconds.append(_Second(second))
            while seconds[0].number <= second - WINDOW_SECONDS:
                gone = seconds.popleft()
                self._calls -= gone.calls
                self._failures -= gone.failures
        seconds[-1].calls += 1
        seconds[-1].failures += failed
        self._calls += 1
        self._failures += failed
