"""How long an answer may be served again: the rules of behaviours §6.1."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta


@dataclass(frozen=True, slots=True)
class Cache:
    """A rule that says, for the moment an answer is made (Paris time), when it goes stale.

    `key_parameters` are optional parameters that change the answer, and so its key.
    """

    ends: Callable[[datetime], datetime]
    says: str
    key_parameters: tuple[str, ...] = ()
    span: int | None = None
    """Seconds, where they are the same at every moment: no calendar is needed then."""

    @staticmethod
    def during(*, hours: int) -> "Cache":
        """A fixed span."""
        return Cache(lambda now: now + timedelta(hours=hours), f"{hours} h", span=hours * 3600)

    @staticmethod
    def until_next_day(hour: int) -> "Cache":
        """Until that hour of the following day, Paris time."""
        return Cache(lambda now: _at(now, 1, hour), f"jusqu'au lendemain {hour} h")

    @staticmethod
    def until_end_of_day() -> "Cache":
        """Until midnight, Paris time."""
        return Cache(lambda now: _at(now, 1, 0), "jusqu'à la fin du jour")

    @staticmethod
    def until_end_of_month(*key_parameters: str) -> "Cache":
        """Until the first instant of the next month, Paris time."""
        return Cache(_next_month, "jusqu'à la fin du mois", key_parameters)

    def seconds(self, now: datetime) -> int:
        """Seconds left from `now` (Paris time), compared as instants, so that a change of hour counts."""
        return self.span or max(1, int(self.ends(now).timestamp() - now.timestamp()))


def _at(now: datetime, days: int, hour: int) -> datetime:
    return datetime.combine(now.date() + timedelta(days=days), time(hour), now.tzinfo)


def _next_month(now: datetime) -> datetime:
    first = (now.date().replace(day=1) + timedelta(days=32)).replace(day=1)
    return datetime.combine(first, time(0), now.tzinfo)
