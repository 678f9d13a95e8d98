"""One peer under one load: what it cost, and whether all that it claims is true."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from bench import check, knock, load, servers, work
from bench.check import CheckFailed, Counted
from bench.load import Load, Outcome
from bench.machine import LOOPBACK, minute, wait_for_room
from bench.report import Sample
from bench.scenarios import Scenario
from bench.stage import Stage
from bench.work import Ask

PROOF = 500
"""Requests sent after each timed run, every answer of which is read and accounted for."""
WARM_SECONDS = 0.5
SETTLE_SECONDS = 4.0
"""Within which an audit trail is whole, as a rule, once a load is over."""
MOST_PER_SECOND = 40_000
"""More than a generator on one core asks; a list of new companies must not come to its end."""
BANNED = "127.0.9.1"
BY_REQUEST = 300
"""Companies beyond which a cache is filled directly, where that can be done."""
PHASES = 3
"""Of a sample: to warm up, to measure, to prove. Each uses up a metered token of its own."""


@dataclass
class Bench:
    """What all measurements of a run share."""

    stage: Stage
    peers: Sequence[servers.Server]
    seconds: int
    companies: int = 200_000
    """How many SIRENs are spoken for: those below may be cached, new ones begin here."""
    filled: set[tuple[int, int]] = field(default_factory=set)
    limits_compared: int = 0
    limits_missed: int = 0
    """Runs that crossed the end of a minute, and with it that of the counters."""


@dataclass(frozen=True)
class Blocks:
    """The requests of a round. Those of a miss are never asked for twice."""

    warm: Sequence[Ask]
    timed: Sequence[Ask]
    proof: Sequence[Ask]


@dataclass(frozen=True)
class Run:
    """A load that held what it promised."""

    outcome: Outcome
    requests: int
    cpu: float
    redis: float


def measured(bench: Bench, scenario: Scenario, rounds: int) -> Iterator[Sample | CheckFailed]:
    """All peers in turn, each round beginning with another one. Who fails a check is asked no more."""
    failed: set[str] = set()
    bench.stage.upstream.delay(0)
    for peer in bench.peers:
        fill(bench, scenario, peer)
    bench.stage.upstream.delay(scenario.upstream_ms)
    for number in range(rounds):
        blocks = _blocks(bench, scenario, bench.seconds)
        at = number % len(bench.peers)
        for peer in (*bench.peers[at:], *bench.peers[:at]):
            if peer.name in failed:
                continue
            try:
                yield _sample(bench, scenario, peer, number, blocks)
            except CheckFailed as failure:
                failed.add(peer.name)
                yield failure


def fill(bench: Bench, scenario: Scenario, peer: servers.Server) -> None:
    """Have everything cached that the scenario takes for cached."""
    if scenario.is_banned:
        peer.launch.limits.ban(BANNED)
        return
    if (peer.port, scenario.companies) in bench.filled:
        return
    direct = peer.launch.fill
    directly = direct is not None and scenario.companies > BY_REQUEST
    number = work.OBJECTS if directly else max(scenario.companies, work.OBJECTS)
    listed = work.asks((("hit", 100),), number, companies=min(scenario.companies, number))
    load.exact(loaded(bench, replace(scenario, per_second=None), peer, listed, seconds=120, requests=number))
    if directly and direct is not None:
        direct(work.siren(0), [work.siren(company) for company in range(1, scenario.companies)])
    bench.filled.add((peer.port, scenario.companies))


def _blocks(bench: Bench, scenario: Scenario, seconds: float) -> Blocks:
    def block(length: int) -> list[Ask]:
        listed = work.asks(scenario.mix, length, companies=scenario.companies, start=bench.companies)
        bench.companies += sum(ask.kind.is_new for ask in listed)
        return listed

    if any(kind.is_new for kind in work.woven(scenario.mix)):
        # With an upstream that waits, no more than this many misses fit into a second.
        per_second = MOST_PER_SECOND
        if len(scenario.mix) == 1:
            per_second = min(per_second, scenario.connections * 1000 // scenario.upstream_ms)
        return Blocks(block(round(per_second * WARM_SECONDS)), block(round(per_second * seconds * 1.2)), block(PROOF))
    once = block(max(scenario.companies, work.OBJECTS))
    return Blocks(once, once, once)


def _sample(bench: Bench, scenario: Scenario, peer: servers.Server, number: int, blocks: Blocks) -> Sample:
    """Warm up, measure, check; then prove on a load that leaves nothing unfinished."""
    average = os.getloadavg()[0]
    if scenario.is_banned:
        _knock(scenario, peer, WARM_SECONDS)
        peer.settled_records()
        run = _banned(bench, scenario, peer)
    else:
        first = number * PHASES
        records = peer.launch.trail.length()
        if not number:  # between the rounds of a scenario it does not cool down
            warm = load.exact(loaded(bench, scenario, peer, blocks.warm, seconds=WARM_SECONDS, metered=first))
            peer.await_records(records + warm.answers)
            peer.settled_records()  # those of calls that were cut off may come later
        seconds = bench.seconds * (2 if scenario.per_second else 1)
        timed = loaded(bench, scenario, peer, blocks.timed, seconds=seconds, metered=first + 1)
        run = checked(bench, scenario, peer, blocks.timed, timed, load.saturate)
        proof = loaded(
            bench, replace(scenario, per_second=None), peer, blocks.proof, seconds=60, requests=PROOF, metered=first + 2
        )
        checked(bench, scenario, peer, blocks.proof, proof, load.exact)
    return Sample(
        scenario=scenario.name,
        peer=peer.name,
        round=number,
        requests=run.requests,
        cpu_us=run.cpu / run.requests * 1e6,
        redis_us=run.redis / run.requests * 1e6,
        per_second=run.outcome.answers / run.outcome.seconds,
        p50_ms=run.outcome.p50_ms,
        p99_ms=run.outcome.p99_ms,
        megabytes=peer.worker()[1],
        load_average=average,
    )


def checked(
    bench: Bench,
    scenario: Scenario,
    peer: servers.Server,
    asks: Sequence[Ask],
    told: Load,
    drive: Callable[[Load], Outcome],
) -> Run:
    """Drive a load within a minute, measure what it cost, and compare everything that counted it."""
    limits = peer.launch.limits
    name = "metered" if scenario.is_metered else "good"
    token = work.jti_of(told.tokens[name])
    records = peer.launch.trail.length()
    wait_for_room(SETTLE_SECONDS + (told.seconds if told.requests is None else 0))
    window, calls = minute(), bench.stage.upstream.calls()
    by_address, by_token = limits.address(LOOPBACK), limits.token(token)
    cpu, of_redis = peer.cpu_seconds(), peer.redis.cpu_seconds()
    outcome = drive(told)
    of_redis = peer.redis.cpu_seconds() - of_redis
    peer.await_records(records + outcome.answers)
    cpu = peer.cpu_seconds() - cpu  # once its audit trail is whole: what is put off is counted all the same
    served = peer.settled_records() - records
    whole = minute() == window
    counted = Counted(
        records=served,
        calls=bench.stage.upstream.calls() - calls,
        by_address=limits.address(LOOPBACK) - by_address,
        by_token=limits.token(token) - by_token,
        token=name,
        granted=_granted(by_token, limits.token(token)) if scenario.is_metered else None,
        is_whole=whole,
        complaints=peer.complaints(),
    )
    bench.limits_compared += whole
    bench.limits_missed += not whole
    found = check.problems(
        peer.peer,
        asks,
        outcome,
        counted,
        least_recorded=peer.launch.least_recorded,
        most_forgotten=peer.launch.most_forgotten,
    )
    _raise(scenario, peer, found)
    return Run(outcome, max(served, outcome.answers), cpu, of_redis)


def _granted(before: int, after: int) -> int:
    """How many calls of a metered token its limit let through, between two states of its counter."""
    return min(work.METERED_LIMIT, after) - min(work.METERED_LIMIT, before)


def _banned(bench: Bench, scenario: Scenario, peer: servers.Server) -> Run:
    limits = peer.launch.limits
    records, calls, by_address = peer.settled_records(), bench.stage.upstream.calls(), limits.address(BANNED)
    cpu, redis = peer.cpu_seconds(), peer.redis.cpu_seconds()
    outcome = _knock(scenario, peer, bench.seconds)
    redis = peer.redis.cpu_seconds() - redis
    peer.await_records(records if peer.peer.bans == "connection" else records + outcome.answers)
    cpu = peer.cpu_seconds() - cpu
    counted = Counted(
        records=peer.settled_records() - records,
        calls=bench.stage.upstream.calls() - calls,
        by_address=max(0, limits.address(BANNED) - by_address),  # that of another minute begins anew
        by_token=0,
    )
    _raise(scenario, peer, check.problems_of_ban(peer.peer, outcome, counted))
    return Run(outcome, outcome.answers, cpu, redis)


def _knock(scenario: Scenario, peer: servers.Server, seconds: float) -> Outcome:
    return knock.knock(
        knock.Knock(
            port=peer.port,
            source=BANNED,
            token=peer.launch.tokens.good,
            path=work.path(work.siren(0), 0),
            connections=scenario.connections,
            seconds=seconds,
        )
    )


def _raise(scenario: Scenario, peer: servers.Server, problems: Iterable[str]) -> None:
    if found := list(problems):
        raise CheckFailed(scenario.name, peer.name, found)


def loaded(
    bench: Bench,
    scenario: Scenario,
    peer: servers.Server,
    asks: Sequence[Ask],
    *,
    seconds: float,
    requests: int | None = None,
    metered: int = 0,
) -> Load:
    path = bench.stage.dir / "asks"
    path.write_text("".join(f"{ask.line()}\n" for ask in asks))
    tokens = peer.launch.tokens
    told = {"good": tokens.good, "forged": work.forged(tokens.good)}
    if tokens.metered:
        told["metered"] = tokens.metered[metered]
    return Load(
        port=peer.port,
        asks=str(path),
        tokens=told,
        varying=scenario.headers == "varying",
        connections=scenario.connections,
        seconds=seconds,
        requests=requests,
        per_second=scenario.per_second,
    )


def drive(bench: Bench, scenario: Scenario, peer: servers.Server, seconds: float) -> None:
    """Only the load, for who wants to look at the server meanwhile; new companies for the whole of it."""
    bench.stage.upstream.delay(scenario.upstream_ms)
    timed = _blocks(bench, scenario, seconds).timed
    load.saturate(loaded(bench, scenario, peer, timed, seconds=seconds))
