"""Whether a run is what it claims: answers, provider calls, counters and audit records against what was sent.

wrk cuts off what is in flight when its time is over, which leaves a span of as many requests as were cut off;
without it, all is exact.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.load import CLOSED, Outcome
from bench.peers import Peer
from bench.work import Ask, Kind


class CheckFailed(Exception):
    """A run whose answers, calls, counters or records are not what they must be: its figures mean nothing."""

    def __init__(self, scenario: str, peer: str, found: Sequence[str]) -> None:
        super().__init__(f"{scenario}, {peer}: {'; '.join(found)}")
        self.scenario = scenario
        self.peer = peer


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What a load has left behind: growth of the audit trail and of the counters."""

    records: int
    calls: int
    """Calls that the provider received."""
    by_address: int
    by_token: int
    token: str = "good"
    """Which one that is."""
    granted: int | None = None
    """Calls that were left to a metered token; none where it has no limit to speak of."""
    is_whole: bool = True
    """Whether the counters were read in the minute in which they counted."""
    complaints: int = 0
    """Lines in the peer's error log."""


def problems(
    peer: Peer,
    asks: Sequence[Ask],
    outcome: Outcome,
    counted: Counted,
    *,
    least_recorded: float = 1.0,
    most_forgotten: float = 0.0,
) -> Iterator[str]:
    """What is not as it must be, a sentence each; the last two are what a peer is forgiven (see `Launch`)."""
    sent = [asks[number % len(asks)].kind for number in range(outcome.sent)]
    flying = outcome.unfinished
    if not outcome.answers:
        yield "no answer at all"
    if outcome.wrong or outcome.broken:
        yield f"{outcome.wrong} answers to something else than was asked, {outcome.broken} connections broken"
    due = _due(sent, outcome, counted)
    for status in sorted({*due, *outcome.statuses}):
        if not due[status] - flying <= outcome.statuses.get(status, 0) <= due[status]:
            yield f"{outcome.statuses.get(status, 0)} answers {status} where {_span(due[status], flying)} were due"
    if not math.floor(outcome.answers * least_recorded) <= counted.records <= outcome.answers + flying:
        yield f"{outcome.answers} answers ({flying} cut off) but {counted.records} audit records"
    new = sum(kind.is_new for kind in sent)
    if not new - flying <= counted.calls <= new + most_forgotten * (len(sent) - new):
        yield f"{counted.calls} calls to the provider instead of {_span(new, flying)}"
    if counted.is_whole:
        is_trail_whole = least_recorded == 1 and not (flying and peer.forgets_cut_off)
        yield from _miscounted(peer, sent, outcome, counted, is_trail_whole=is_trail_whole)
    if counted.complaints:
        yield f"{counted.complaints} lines in its error log"


def problems_of_ban(peer: Peer, outcome: Outcome, counted: Counted) -> Iterator[str]:
    """The same for a banned client: silence, or what the peer can do instead; nothing counted, recorded as promised."""
    status = 403 if peer.bans == "answer" else CLOSED
    if outcome.statuses != {status: outcome.answers} or outcome.broken:
        yield f"{dict(outcome.statuses)} instead of {status}, {outcome.broken} attempts without an end"
    recorded = 0 if peer.bans == "connection" else outcome.answers
    if counted.records != recorded:
        yield f"{outcome.answers} attempts and {counted.records} audit records instead of {recorded}"
    if counted.calls or counted.by_address:
        yield f"a banned client was counted {counted.by_address} times, the provider called {counted.calls} times"


def _due(sent: Sequence[Kind], outcome: Outcome, counted: Counted) -> Counter[int]:
    """How many answers of each status are owed."""
    due = Counter(kind.status for kind in sent)
    if counted.granted is not None:
        granted = counted.granted if counted.is_whole else outcome.statuses.get(200, 0)
        due = Counter({200: granted, 429: due[429] - granted})
    return due


def _miscounted(
    peer: Peer, sent: Sequence[Kind], outcome: Outcome, counted: Counted, *, is_trail_whole: bool
) -> Iterator[str]:
    """Counters against the audit trail: equal where they count the same requests."""
    known = sum(kind.token != "forged" for kind in sent)
    for name, count, due in (
        ("address", counted.by_address, len(sent) if peer.counts_forged else known),
        ("token", counted.by_token, sum(kind.token == counted.token for kind in sent)),
    ):
        if is_trail_whole and due == len(sent):
            if count != counted.records:
                yield f"the counter of its {name} grew by {count}, the audit trail by {counted.records}"
        elif not due - outcome.unfinished <= count <= due:
            yield f"the counter of its {name} grew by {count} instead of {_span(due, outcome.unfinished)}"


def _span(most: int, flying: int) -> str:
    return f"{max(most - flying, 0)} to {most}" if flying and most else str(most)
