"""`python -m bench.run`: every peer, every scenario, in turn, checked after each run."""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench import load, report, servers, work
from bench.machine import cores, free_port
from bench.peers import PEERS, DidNotStart, Peer, Place
from bench.report import Sample
from bench.scenarios import SCENARIOS, Scenario
from config.clock import paris, system_clock

RESULTS = Path(__file__).with_name("results")
PROOF = 1000
"""Requests sent after each timed run, every answer of which is read and accounted for."""
WARM_SECONDS = 1.0


class CheckFailed(Exception):
    """A run whose answers, calls or records are not what they must be: its figures mean nothing."""


@dataclass(frozen=True)
class Bench:
    """What all measurements of a run share."""

    dir: Path
    redis: servers.Redis
    upstream: servers.Upstream
    peers: Sequence[servers.Server]
    seconds: float
    rounds: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; 1 if a check failed."""
    options = _options(arguments)
    # By way of the exit stack, so that no server is left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated before the end: nothing written"))
    peers = list(_available(options.only))
    scenarios = [s for s in SCENARIOS if (s.name in options.scenario if options.scenario else s.usual)]
    samples: list[Sample] = []
    try:
        with ExitStack() as stack:
            bench = _start(stack, peers, options)
            for scenario in scenarios:
                samples += _measured(bench, scenario)
                print(f"\n{report.table(scenario, samples)}", flush=True)
    except (CheckFailed, DidNotStart, load.LoadFailed) as failure:
        _say(f"FAILED: {failure}")
        return 1
    print(f"\n{report.goals(samples)}")
    moment = paris(system_clock).strftime("%Y-%m-%dT%H%M%S")
    path = RESULTS / f"{moment}.json"
    report.write(path, samples, _about(moment, options))
    _say(f"written: {path}")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two short rounds: to see that everything works")
    parser.add_argument("--only", action="append", choices=[peer.name for peer in PEERS], help="this peer (repeatable)")
    parser.add_argument("--scenario", action="append", choices=[s.name for s in SCENARIOS], help="repeatable")
    parser.add_argument("--rounds", type=int, choices=range(1, 51), metavar="1-50")
    parser.add_argument("--seconds", type=int, choices=range(1, 61), metavar="1-60", help="length of a timed run")
    parser.add_argument("--workers", type=int, choices=range(1, 9), metavar="1-8", default=1)
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (1 if options.quick else 3)
    return options


def _about(moment: str, options: argparse.Namespace) -> dict[str, object]:
    """What the figures were measured with; of settings taken over from the environment, the names only."""
    inherited = sorted(name for name in os.environ if name.startswith("OCTROI_"))
    return {
        "at": moment,
        "seconds": options.seconds,
        "workers": options.workers,
        "generator": "wrk" if load.has_wrk() else "own",
        "octroi_settings_inherited": inherited,
    }


def _available(only: list[str] | None) -> Iterator[Peer]:
    for peer in PEERS:
        if only and peer.name not in only:
            continue
        if reason := peer.missing():
            _say(f"skipped: {peer.name}: {reason}")
        else:
            yield peer
    if not load.has_wrk():
        _say("wrk is not installed (Debian: wrk): our own, slower generator stands in for it")


def _start(stack: ExitStack, peers: Sequence[Peer], options: argparse.Namespace) -> Bench:
    """Servers under test on the first cores; everything else, this process included, on the last one."""
    available = cores()
    if len(available) > 1:
        os.sched_setaffinity(0, available[-1:])
    else:
        _say("only one core: load and servers share it")
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
    directory.chmod(0o755)  # PostgreSQL may run as a user of its own
    for name in ("upstream", *(peer.name for peer in peers)):
        (directory / name).mkdir()
    redis = stack.enter_context(servers.redis())
    upstream = stack.enter_context(servers.upstream(directory / "upstream"))
    needs_database = any(peer.needs_database for peer in peers)
    place = Place(
        dir=directory,
        port=0,
        redis_port=redis.port,
        database_url=stack.enter_context(servers.database(directory / "postgresql")) if needs_database else "",
        upstream_port=upstream.port,
        keys=work.Keys.fresh(),
        now=int(system_clock()),
        workers=options.workers,
    )
    started = []
    for peer in peers:
        _say(f"starting {peer.name}")
        own = replace(place, dir=directory / peer.name, port=free_port())
        started.append(
            stack.enter_context(servers.serving(peer, peer.launch(own), own.port, available[: options.workers]))
        )
    return Bench(directory, redis, upstream, started, options.seconds, options.rounds)


def _measured(bench: Bench, scenario: Scenario) -> Iterator[Sample]:
    """All peers in turn, each round beginning with another one."""
    bench.upstream.delay(0)
    fill = work.first(max(scenario.companies or 0, work.OBJECTS), companies=scenario.companies or 1)
    for peer in bench.peers:
        _say(f"{scenario.name}: filling {peer.name}")
        load.exact(_load(bench, replace(scenario, token="good", status=200), peer, fill, requests=len(fill)))
    bench.upstream.delay(scenario.upstream_ms)
    for number in range(bench.rounds):
        at = number % len(bench.peers)
        for peer in (*bench.peers[at:], *bench.peers[:at]):
            sample = _sample(bench, scenario, peer, number)
            _say(
                f"{scenario.name}: round {number + 1}/{bench.rounds}: {peer.name}: "
                f"{sample.cpu_us:.0f} µs/request, {sample.per_second:.0f} requests/s, p99 {sample.p99_ms:.1f} ms"
            )
            yield sample


def _sample(bench: Bench, scenario: Scenario, peer: servers.Server, number: int) -> Sample:
    """Warm up, measure, check; then prove on a load that leaves nothing unfinished."""
    warm, timed, proof = _blocks(bench, scenario, number)
    load.saturate(_load(bench, scenario, peer, warm, seconds=WARM_SECONDS))
    records, calls = peer.settled_records(), bench.upstream.calls()
    average = os.getloadavg()[0]
    cpu, redis = peer.cpu_seconds(), bench.redis.cpu_seconds()
    outcome = load.saturate(_load(bench, scenario, peer, timed))
    redis = bench.redis.cpu_seconds() - redis
    served = peer.settled_records(at_least=records + outcome.answers) - records
    cpu = peer.cpu_seconds() - cpu  # once its audit trail is whole: what is put off is counted all the same
    _check(scenario, peer, outcome, served, bench.upstream.calls() - calls)
    _prove(bench, scenario, peer, proof)
    return Sample(
        scenario=scenario.name,
        peer=peer.name,
        round=number,
        requests=served,
        cpu_us=cpu / served * 1e6,
        redis_us=redis / served * 1e6,
        per_second=outcome.answers / outcome.seconds,
        p50_ms=outcome.p50_ms,
        p99_ms=outcome.p99_ms,
        load_average=average,
    )


def _prove(bench: Bench, scenario: Scenario, peer: servers.Server, addresses: Sequence[str]) -> None:
    records, calls = peer.settled_records(), bench.upstream.calls()
    outcome = load.exact(_load(bench, scenario, peer, addresses, seconds=60, requests=PROOF))
    served = peer.settled_records(at_least=records + PROOF) - records
    if outcome.answers != PROOF:
        raise CheckFailed(f"{scenario.name}, {peer.name}: {PROOF} requests, {outcome.answers} answers")
    _check(scenario, peer, outcome, served, bench.upstream.calls() - calls)


def _check(scenario: Scenario, peer: servers.Server, outcome: load.Outcome, served: int, calls: int) -> None:
    """Every answer as expected, each with its record, and the provider called when it had to be."""
    answers, most = outcome.answers, outcome.answers + outcome.unfinished
    expected_calls = (0, 0) if scenario.is_cached else (answers, most)
    problems = []
    if not answers:
        problems.append("no answer at all")
    if outcome.unexpected or outcome.broken:
        problems.append(
            f"{outcome.unexpected} answers not {scenario.status} or about another company, {outcome.broken} broken"
        )
    if complaints := peer.complaints():
        problems.append(f"{complaints} lines in its error log")
    if not answers <= served <= most:
        problems.append(f"{answers} answers (at most {most}) but {served} audit records")
    if not expected_calls[0] <= calls <= expected_calls[1]:
        problems.append(f"{calls} calls to the provider instead of {expected_calls[0]} to {expected_calls[1]}")
    if problems:
        raise CheckFailed(f"{scenario.name}, {peer.name}: {'; '.join(problems)}")


def _blocks(bench: Bench, scenario: Scenario, number: int) -> tuple[list[str], list[str], list[str]]:
    """The addresses of a round: to warm up, to measure, to prove. Those of a miss are never asked for twice."""
    if scenario.companies is not None:
        addresses = work.first(max(scenario.companies, work.OBJECTS), companies=scenario.companies)
        return addresses, addresses, addresses
    # With an upstream that waits, no more than this many misses fit into a second.
    per_second = scenario.connections * 1000 // scenario.upstream_ms
    sizes = [round(per_second * WARM_SECONDS * 1.2), round(per_second * bench.seconds * 1.2), PROOF]
    start = (1 + SCENARIOS.index(scenario)) * 5_000_000 + number * sum(sizes)
    addresses = work.first(sum(sizes), companies=None, start=start)
    return addresses[: sizes[0]], addresses[sizes[0] : -PROOF], addresses[-PROOF:]


def _load(
    bench: Bench,
    scenario: Scenario,
    peer: servers.Server,
    addresses: Sequence[str],
    *,
    seconds: float | None = None,
    requests: int | None = None,
) -> load.Load:
    path = bench.dir / "addresses"
    path.write_text("\n".join(addresses) + "\n")
    return load.Load(
        port=peer.port,
        addresses=str(path),
        token=peer.token if scenario.token == "good" else work.forged(peer.token),
        status=scenario.status,
        varying=scenario.headers == "varying",
        connections=scenario.connections,
        seconds=bench.seconds if seconds is None else seconds,
        requests=requests,
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
