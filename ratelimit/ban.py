"""A ban: one block of addresses, for a fixed time. Nothing prolongs it, nothing lifts it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ban:
    """Times are epoch seconds, to the millisecond."""

    ip_block: str
    reason: str
    banned_at: float
    until: float

    def is_active(self, now: float) -> bool:
        """Whether it still holds."""
        return now < self.until

    def seconds_left(self, now: float) -> int:
        """Whole seconds until it ends by itself."""
        return max(0, round(self.until - now))

    def stored(self) -> bytes:
        """As Redis keeps it."""
        return b"%d %d %b" % (round(self.until * 1000), round(self.banned_at * 1000), self.reason.encode())

    @classmethod
    def read(cls, ip_block: str, stored: bytes) -> "Ban":
        """From what Redis keeps. Raises ValueError."""
        until, banned_at, reason = stored.split(b" ", 2)
        return cls(ip_block, reason.decode(), int(banned_at) / 1000, int(until) / 1000)
