"""The board: the state of each provider and how it came about, decided from what was counted. Nothing here asks."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import NamedTuple

from config.settings import MaintenanceWindow
from gateway.health import CONCLUSIVE, FAILED, Probe
from providers.base.windows import Span, coming

DISTURBED_SHARE, DOWN_SHARE = 0.10, 0.50
"""Shares of calls left unanswered from which a provider is disturbed, and down."""
FEW_CALLS = 5
"""Fewer calls are no proof by themselves."""
DAYS_AHEAD = 7
SPANS = {"last_24_hours": timedelta(hours=24), "last_7_days": timedelta(days=7), "last_90_days": timedelta(days=90)}

_HOUR = timedelta(hours=1)


class State(Enum):
    """How a provider does now."""

    OPERATIONAL = "operational"
    DISTURBED = "disturbed"
    DOWN = "down"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"


class Share(NamedTuple):
    """Calls, and how many of them were left unanswered."""

    calls: int = 0
    failures: int = 0

    @property
    def availability(self) -> float | None:
        """The share that was answered; None where nobody called."""
        return 1 - self.failures / self.calls if self.calls else None

    @property
    def failing(self) -> float:
        """The share that was not."""
        return self.failures / self.calls if self.calls else 0.0

    def plus(self, other: "Share") -> "Share":
        """Both together."""
        return Share(self.calls + other.calls, self.failures + other.failures)


class Hour(NamedTuple):
    """An hour of a provider, or a longer stretch."""

    provider: str
    start: datetime
    traffic: Share
    probed: Share

    @property
    def share(self) -> Share:
        """Traffic, or what pings found where there was too little of it."""
        return self.traffic if self.traffic.calls >= FEW_CALLS or not self.probed.calls else self.probed

    @property
    def is_troubled(self) -> bool:
        """Whether it is part of an incident: for want of calls and of probes, nothing is."""
        enough = self.traffic.calls >= FEW_CALLS or self.probed.calls > 0
        return enough and self.share.failing >= DISTURBED_SHARE


@dataclass(frozen=True, slots=True)
class Subject:
    """A provider as the board knows it."""

    slug: str
    title: str
    windows: tuple[MaintenanceWindow, ...]


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A span during which a provider announces that it does not answer."""

    slug: str
    title: str
    span: Span
    is_daily: bool
    is_current: bool


@dataclass(frozen=True, slots=True)
class Incident:
    """Hours on end during which a provider left calls unanswered; `end` is None while it lasts."""

    slug: str
    title: str
    start: datetime
    end: datetime | None
    share: Share


@dataclass(frozen=True, slots=True)
class Standing:
    """A provider's line: its state, its availability over each span of `SPANS`, and each day's."""

    slug: str
    title: str
    state: State
    shares: Mapping[str, Share]
    days: tuple[tuple[date, Share], ...]
    probes: tuple[Probe, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """Everything the page tells. `counted_until` is None where no figures could be had."""

    at: datetime
    counted_until: datetime | None
    standings: tuple[Standing, ...]
    maintenances: tuple[Maintenance, ...]
    incidents: tuple[Incident, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """What the database keeps: hours of the last week, days of the last ninety, and the last minutes."""

    counted_until: datetime | None = None
    hours: tuple[Hour, ...] = ()
    days: tuple[Hour, ...] = ()
    recent: Mapping[str, Share] | None = None


def board_of(subjects: Sequence[Subject], figures: Figures, probes: Sequence[Probe], now: datetime) -> Board:
    """The board at a moment, in Paris time."""
    maintenances = tuple(_maintenances(subjects, now))
    maintained = {one.slug for one in maintenances if one.is_current}
    return Board(
        at=now,
        counted_until=figures.counted_until,
        standings=tuple(_standing(subject, figures, probes, subject.slug in maintained, now) for subject in subjects),
        maintenances=maintenances,
        incidents=tuple(_incidents(subjects, figures.hours, now)),
    )


def state_of(is_maintained: bool, recent: Share, probes: Sequence[Probe]) -> State:
    """Calls speak first, where there are enough of them; then pings; then whatever calls there are."""
    if is_maintained:
        return State.MAINTENANCE
    if recent.calls >= FEW_CALLS:
        return _judged(recent)
    found = [probe.status for probe in probes if probe.status in CONCLUSIVE]
    if found:
        return _judged(Share(len(found), found.count(FAILED)))
    if recent.calls:
        return State.DISTURBED if recent.failures else State.OPERATIONAL
    return State.UNKNOWN


def _judged(share: Share) -> State:
    if share.failing >= DOWN_SHARE:
        return State.DOWN
    return State.DISTURBED if share.failing >= DISTURBED_SHARE else State.OPERATIONAL


def _standing(
    subject: Subject, figures: Figures, probes: Sequence[Probe], is_maintained: bool, now: datetime
) -> Standing:
    own = tuple(probe for probe in probes if probe.provider == subject.slug)
    hours = [hour for hour in figures.hours if hour.provider == subject.slug]
    days = {hour.start.date(): hour.share for hour in figures.days if hour.provider == subject.slug}
    dates = [now.date() - timedelta(days=ago) for ago in range(89, -1, -1)]
    shares = {
        name: _sum(hour.share for hour in hours if hour.start > now - span)
        for name, span in SPANS.items()
        if name != "last_90_days"
    }
    shares["last_90_days"] = _sum(days.values())
    recent = (figures.recent or {}).get(subject.slug, Share())
    return Standing(
        slug=subject.slug,
        title=subject.title,
        state=state_of(is_maintained, recent, [probe for probe in own if probe.is_fresh(now)]),
        shares=shares,
        days=tuple((day, days.get(day, Share())) for day in dates),
        probes=own,
    )


def _sum(shares: Iterable[Share]) -> Share:
    total = Share()
    for share in shares:
        total = total.plus(share)
    return total


def _maintenances(subjects: Sequence[Subject], now: datetime) -> list[Maintenance]:
    found = [
        Maintenance(
            subject.slug,
            subject.title,
            span,
            is_daily=window.weekday is None and not window.dates,
            is_current=span.start.timestamp() <= now.timestamp(),
        )
        for subject in subjects
        for window in subject.windows
        for span in coming(window, now, DAYS_AHEAD)
    ]
    return sorted(found, key=lambda one: (one.span.start, one.slug))


def _incidents(subjects: Sequence[Subject], hours: Iterable[Hour], now: datetime) -> list[Incident]:
    """Troubled hours that follow each other are one incident. The newest first."""
    troubled: defaultdict[str, list[Hour]] = defaultdict(list)
    for hour in sorted(hours, key=lambda one: one.start):
        if hour.is_troubled:
            troubled[hour.provider].append(hour)
    found = [_incident(subject, stretch, now) for subject in subjects for stretch in _stretches(troubled[subject.slug])]
    return sorted(found, key=lambda one: (one.start, one.slug), reverse=True)


def _stretches(hours: Iterable[Hour]) -> list[list[Hour]]:
    stretches: list[list[Hour]] = []
    for hour in hours:
        if stretches and hour.start - stretches[-1][-1].start <= _HOUR:
            stretches[-1].append(hour)
        else:
            stretches.append([hour])
    return stretches


def _incident(subject: Subject, hours: Sequence[Hour], now: datetime) -> Incident:
    end = hours[-1].start + _HOUR
    share = _sum(hour.share for hour in hours)
    return Incident(subject.slug, subject.title, hours[0].start, end if end <= now else None, share)
