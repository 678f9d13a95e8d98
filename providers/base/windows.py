"""Maintenance windows: the spans, in Paris time, during which a provider announces that it does not answer."""

from datetime import datetime, timedelta

from config.settings import MaintenanceWindow

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def seconds_left(windows: tuple[MaintenanceWindow, ...], now: datetime) -> int | None:
    """Seconds until the end of the window `now` (Paris time) is in; None outside all. Bounds are included.

    A window whose end is earlier than its start crosses midnight and belongs to the day on which it starts.
    """
    for window in windows:
        for day in (now.date(), now.date() - timedelta(days=1)):
            start = datetime.combine(day, window.start, now.tzinfo)
            last = day if window.end >= window.start else day + timedelta(days=1)
            end = datetime.combine(last, window.end, now.tzinfo)
            if window.weekday and WEEKDAYS[day.weekday()] != window.weekday:
                continue
            if window.dates and day.isoformat() not in window.dates:
                continue
            if start.timestamp() <= now.timestamp() <= end.timestamp():
                return max(1, int(end.timestamp() - now.timestamp()))
    return None
