"""Maintenance windows: the spans, in Paris time, during which a provider announces that it does not answer."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple

from config.settings import MaintenanceWindow

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Span(NamedTuple):
    """One occurrence of a window; bounds are included."""

    start: datetime
    end: datetime


def seconds_left(windows: tuple[MaintenanceWindow, ...], now: datetime) -> int | None:
    """Seconds until the end of the window `now` (Paris time) is in; None outside all. Bounds are included."""
    for window in windows:
        for day in (now.date(), now.date() - timedelta(days=1)):
            span = _on(window, day, now)
            if span is not None and span.start.timestamp() <= now.timestamp() <= span.end.timestamp():
                return max(1, int(span.end.timestamp() - now.timestamp()))
    return None


def coming(window: MaintenanceWindow, now: datetime, days: int) -> Iterator[Span]:
    """The occurrences of a window that are not over, and begin within so many days of `now` (Paris time)."""
    last = now + timedelta(days=days)
    for ahead in range(-1, days + 1):
        span = _on(window, now.date() + timedelta(days=ahead), now)
        if span is not None and now.timestamp() <= span.end.timestamp() and span.start <= last:
            yield span


def _on(window: MaintenanceWindow, day: date, now: datetime) -> Span | None:
    """The occurrence that begins on that day.

    A window whose end is earlier than its start crosses midnight and belongs to the day on which it starts.
    """
    if window.weekday and WEEKDAYS[day.weekday()] != window.weekday:
        return None
    if window.dates and day.isoformat() not in window.dates:
        return None
    last = day if window.end >= window.start else day + timedelta(days=1)
    return Span(datetime.combine(day, window.start, now.tzinfo), datetime.combine(last, window.end, now.tzinfo))
