"""The clock: the one place where the time of day is read, so that a test may hand over another."""

import time
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")
"""The zone in which the contract states its hours (cache ends, maintenance windows, dates)."""

Clock = Callable[[], float]
"""Seconds since the epoch."""

system_clock: Clock = time.time


def paris(clock: Clock) -> datetime:
    """The present moment, in the zone of the contract."""
    return datetime.fromtimestamp(clock(), PARIS)
