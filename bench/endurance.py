"""A million requests to Octroi, and the memory of its worker along the way: it has to stay where it was."""

from collections.abc import Callable
from dataclasses import replace

from bench import load
from bench.check import CheckFailed
from bench.measure import Bench, loaded
from bench.scenarios import Scenario
from bench.servers import Server
from bench.work import asks

REQUESTS = 1_000_000
EVERY = 100_000
SLICE_SECONDS = 3


def endure(bench: Bench, peer: Server, scenario: Scenario, say: Callable[[str], None]) -> list[float]:
    """Megabytes at the start and every 100 000 requests; raises CheckFailed where one was not answered.

    Slices with steady and with varying headers take turns, so that whatever is remembered of requests is filled too.
    """
    listed = asks(scenario.mix, 256, companies=256)
    began, answers, unfinished, varying = peer.settled_records(), 0, 0, False
    samples = [peer.worker()[1]]
    say(f"endurance: {samples[0]:.1f} MB at the start")
    while answers < REQUESTS:
        told = replace(scenario, headers="varying" if varying else "steady")
        outcome = load.saturate(loaded(bench, told, peer, listed, seconds=SLICE_SECONDS))
        if set(outcome.statuses) != {200} or outcome.broken:
            raise _failed(peer, f"answers {dict(outcome.statuses)}, {outcome.broken} connections broken")
        answers, unfinished, varying = answers + outcome.answers, unfinished + outcome.unfinished, not varying
        while len(samples) <= min(answers, REQUESTS) // EVERY:
            samples.append(peer.worker()[1])
            say(f"endurance: {samples[-1]:.1f} MB after {(len(samples) - 1) * EVERY} requests")
    peer.await_records(began + answers)
    records = peer.settled_records() - began
    if not answers <= records <= answers + unfinished:
        raise _failed(peer, f"{answers} answers ({unfinished} cut off) but {records} audit records")
    return samples


def _failed(peer: Server, what: str) -> CheckFailed:
    return CheckFailed("endurance", peer.name, [what])
