"""The board, decided from values: states, availability, incidents, maintenances. No I/O."""

from datetime import datetime, time, timedelta

import pytest

from config.clock import PARIS
from config.settings import MaintenanceWindow
from gateway.health import Probe
from gateway.status import words
from gateway.status.board import Figures, Hour, Share, State, Subject, board_of, state_of
from providers.base.windows import coming

NOW = datetime(2026, 3, 2, 10, 20, tzinfo=PARIS)
INSEE = Subject("insee", "Insee", ())


def an_hour(ago: int, calls: int = 0, failures: int = 0, probes: int = 0, probe_failures: int = 0) -> Hour:
    start = NOW.replace(minute=0) - timedelta(hours=ago)
    return Hour("insee", start, Share(calls, failures), Share(probes, probe_failures))


def a_probe(status: str, minutes_ago: int = 1) -> Probe:
    return Probe("insee/sirene", "INSEE - Sirene", "insee", status, NOW - timedelta(minutes=minutes_ago))


@pytest.mark.parametrize(
    ("calls", "failures", "probes", "state"),
    [
        (100, 9, (), State.OPERATIONAL),
        (100, 10, (), State.DISTURBED),
        (100, 50, (), State.DOWN),
        (100, 0, ("bad_gateway",), State.OPERATIONAL),  # calls speak first
        (4, 4, ("ok",), State.OPERATIONAL),  # too few of them to speak
        (0, 0, ("bad_gateway",), State.DOWN),
        (0, 0, ("ok", "ok", "ok", "bad_gateway"), State.DISTURBED),
        (0, 0, ("unknown",), State.UNKNOWN),  # nothing to judge by
        (1, 1, (), State.DISTURBED),
        (1, 0, (), State.OPERATIONAL),
        (0, 0, (), State.UNKNOWN),
    ],
)
def test_a_state_is_told_by_calls_then_by_probes(calls, failures, probes, state) -> None:
    found = [a_probe(status) for status in probes]

    assert state_of(False, Share(calls, failures), found) is state


def test_an_announced_maintenance_is_no_incident() -> None:
    window = MaintenanceWindow(start=time(10, 0), end=time(10, 30))
    board = board_of([Subject("insee", "Insee", (window,))], Figures(recent={"insee": Share(9, 9)}), [], NOW)

    assert board.standings[0].state is State.MAINTENANCE
    assert words.summary(board) == "Aucun incident ; en maintenance : Insee."


def test_a_probe_of_long_ago_tells_nothing_of_now() -> None:
    board = board_of([INSEE], Figures(), [a_probe("bad_gateway", minutes_ago=16)], NOW)

    assert board.standings[0].state is State.UNKNOWN


def test_availability_is_counted_over_each_span() -> None:
    hours = (an_hour(1, 100, 1), an_hour(30, 100, 20), an_hour(24 * 6, 100, 0))
    days = (Hour("insee", NOW.replace(hour=0) - timedelta(days=80), Share(1000, 0), Share()),)

    shares = board_of([INSEE], Figures(hours=hours, days=days), [], NOW).standings[0].shares

    assert shares == {"last_24_hours": (100, 1), "last_7_days": (300, 21), "last_90_days": (1000, 0)}


def test_troubled_hours_on_end_are_one_incident() -> None:
    hours = (an_hour(30, 10, 1), an_hour(29, 10, 9), an_hour(28, 10, 0), an_hour(1, 10, 5), an_hour(0, 10, 5))

    latest, first = board_of([INSEE], Figures(hours=hours), [], NOW).incidents

    assert (first.start, first.end, first.share) == (hours[0].start, hours[2].start, Share(20, 10))
    assert (latest.start, latest.end) == (hours[3].start, None)


def test_few_calls_make_no_incident_but_failing_probes_do() -> None:
    board = board_of([INSEE], Figures(hours=(an_hour(9, 4, 4), an_hour(5, 0, 0, 12, 12))), [], NOW)

    assert [incident.start for incident in board.incidents] == [an_hour(5).start]


def test_days_without_calls_are_there_and_say_nothing() -> None:
    days = board_of([INSEE], Figures(), [], NOW).standings[0].days

    assert len(days) == 90
    assert days[-1] == (NOW.date(), Share())
    assert words.percentage(days[0][1]) == "–"


@pytest.mark.parametrize(
    ("share", "text"), [((100_000, 1), "99,99"), ((3, 1), "66,66"), ((8, 0), "100,00"), ((1, 1), "0,00")]
)
def test_a_percentage_is_never_rounded_up(share: tuple[int, int], text: str) -> None:
    assert words.percentage(Share(*share)) == f"{text}\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(
    ("window", "starts"),
    [
        ({"start": "10:00", "end": "10:30"}, ["02 10", "03 10", "04 10"]),
        ({"start": "09:00", "end": "10:00"}, ["03 09", "04 09"]),  # today's is over
        ({"start": "23:00", "end": "10:30"}, ["01 23", "02 23", "03 23"]),  # yesterday's is not
        ({"start": "06:00", "end": "07:00", "weekday": "wednesday"}, ["04 06"]),
        ({"start": "06:00", "end": "07:00", "dates": ("2026-03-03", "2026-03-20")}, ["03 06"]),
    ],
)
def test_windows_to_come_are_told_from_the_running_one_on(window, starts) -> None:
    spans = coming(MaintenanceWindow.model_validate(window), NOW, 2)

    assert [f"{span.start:%d %H}" for span in spans] == starts
