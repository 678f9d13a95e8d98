"""Octroi beside its peers, on the same work, alternating, checked after each run.

Tables go to standard output, progress to standard error, everything measured to bench/results/ as JSON with a chart
(SVG) and, for each goal that is missed, the stacks that show why. Exit status: 0, or 1 when a check failed; who
failed one is left out of its scenario. A goal that is missed is printed, and changes nothing.
"""

import argparse
import os
import platform
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench import chart, endurance, goals, load, measure, profile, report
from bench.check import CheckFailed
from bench.machine import model
from bench.measure import Bench
from bench.peers import PEERS, DidNotStart, Peer
from bench.report import Sample, Spread
from bench.scenarios import SCENARIOS, Scenario
from bench.stage import Stage, duration, end_gracefully, give_way, say
from config.clock import paris, system_clock

RESULTS = Path(__file__).with_name("results")
PROFILED_SECONDS = profile.SECONDS + 3


@dataclass
class Told:
    """What a run has found out so far."""

    samples: list[Sample] = field(default_factory=list)
    at_start: dict[str, float] = field(default_factory=dict)
    """Megabytes of each peer's worker, with the number of workers of the first servers."""
    megabytes: list[float] = field(default_factory=list)
    """Of an endurance run."""
    profiles: list[str] = field(default_factory=list)
    failures: list[CheckFailed] = field(default_factory=list)
    limits_compared: int = 0
    limits_missed: int = 0


class Progress:
    """What is done, and how long the rest will take at that pace."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.began = 0.0

    def begin(self) -> None:
        """From now on, time counts."""
        self.began = self.began or time.monotonic()

    def step(self, line: str) -> None:
        """One more is done."""
        self.done += 1
        left = (time.monotonic() - self.began) / self.done * (self.total - self.done)
        say(f"[{self.done}/{self.total}, {duration(left)} left] {line}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; 1 if a check failed."""
    options = _options(arguments)
    end_gracefully()
    moment = paris(system_clock).strftime("%Y-%m-%dT%H%M%S")
    told = Told()
    try:
        _run(options, told, RESULTS / moment)
    except (CheckFailed, DidNotStart, load.LoadFailed) as failure:
        say(f"FAILED: {failure}")
        return 1
    except KeyboardInterrupt:
        say("interrupted: everything is stopped, nothing written")
        return 130
    if told.samples:
        print(f"\n{report.memory(told.samples, told.at_start)}")
    print(f"\n{goals.table(told.samples, told.megabytes)}")
    for text in told.profiles:
        print(f"\n{text}")
    _write(RESULTS / moment, told, options)
    for failed in told.failures:
        print(f"FAILED, and left out above: {failed}")
    return 1 if told.failures or (len(told.megabytes) > 1 and not goals.is_flat(told.megabytes)) else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    listed = "\n".join(f"  {s.name:16} {s.title}{'' if s.usual else ' (only when named)'}" for s in SCENARIOS)
    parser = argparse.ArgumentParser(
        prog="python -m bench.run",
        description=__doc__,
        epilog=f"scenarios:\n{listed}\n\nGrowth by tokens, kept answers, workers and cluster: python -m bench.scale",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="one short round: to see that everything works")
    names = [peer.name for peer in PEERS]
    parser.add_argument(
        "--only", action="append", choices=names, metavar="PEER", help=f"{', '.join(names)}; repeatable"
    )
    scenarios = [s.name for s in SCENARIOS]
    parser.add_argument("--scenario", action="append", choices=scenarios, metavar="NAME", help="see below; repeatable")
    parser.add_argument(
        "--rounds", type=int, choices=range(1, 51), metavar="1-50", help="of every scenario; usually 3, of the goals' 5"
    )
    parser.add_argument(
        "--seconds", type=int, choices=range(1, 61), metavar="1-60", help="length of a timed run; usually 2"
    )
    parser.add_argument(
        "--workers",
        type=int,
        choices=range(1, 9),
        metavar="1-8",
        default=1,
        help="of each server, except where a scenario is about them",
    )
    parser.add_argument("--endurance", action="store_true", help="10⁶ requests to Octroi alone: memory must stay flat")
    parser.add_argument("--no-profile", action="store_true", help="do not sample where the time of missed goals goes")
    options = parser.parse_args(arguments)
    options.seconds = options.seconds or (1 if options.quick else 2)
    return options


def _run(options: argparse.Namespace, told: Told, results: Path) -> None:
    """Group by group: a group is measured on servers with the same number of workers."""
    peers = list(_available(["octroi"] if options.endurance else options.only))
    groups: dict[int, list[Scenario]] = {}
    for scenario in _scenarios(options):
        groups.setdefault(scenario.workers or options.workers, []).append(scenario)
    listed = [scenario for group in groups.values() for scenario in group]
    progress = Progress(sum(_rounds(options, scenario) for scenario in listed) * len(peers))
    pinned = give_way()
    with ExitStack() as stack:
        stage = Stage.start(stack, needs_database=any(peer.needs_database for peer in peers))
        for workers, scenarios in groups.items():
            metered = measure.PHASES * max(_rounds(options, scenario) for scenario in scenarios)
            with ExitStack() as group:
                bench = Bench(
                    stage,
                    [stage.serve(group, peer, workers, pinned[:workers], metered=metered) for peer in peers],
                    options.seconds,
                )
                for peer in bench.peers:
                    told.at_start.setdefault(peer.name, peer.megabytes_at_start)
                if options.endurance:
                    told.megabytes = endurance.endure(bench, bench.peers[0], scenarios[0], say)
                    return
                progress.begin()
                for scenario in scenarios:
                    _measure(bench, scenario, _rounds(options, scenario), told, progress)
                if not (options.no_profile or options.quick):
                    _profile(bench, scenarios, told, results)
                told.limits_compared += bench.limits_compared
                told.limits_missed += bench.limits_missed


def _scenarios(options: argparse.Namespace) -> list[Scenario]:
    if options.endurance:
        return [next(s for s in SCENARIOS if s.name == "hit256")]
    if options.scenario:
        return [s for s in SCENARIOS if s.name in options.scenario]
    return [s for s in SCENARIOS if s.usual and (s.quick or not options.quick)]


def _rounds(options: argparse.Namespace, scenario: Scenario) -> int:
    return int(options.rounds or (1 if options.quick else scenario.rounds))


def _available(only: list[str] | None) -> Iterator[Peer]:
    for peer in PEERS:
        if only and peer.name not in only:
            continue
        if reason := peer.missing():
            say(f"skipped: {peer.name}: {reason}")
        else:
            yield peer
    if not load.has_wrk():
        say("wrk is not installed (Debian: wrk): our own, slower generator stands in for it")


def _measure(bench: Bench, scenario: Scenario, rounds: int, told: Told, progress: Progress) -> None:
    for sample in measure.measured(bench, scenario, rounds):
        if isinstance(sample, CheckFailed):
            told.failures.append(sample)
            told.samples = [s for s in told.samples if (s.scenario, s.peer) != (sample.scenario, sample.peer)]
            say(f"FAILED: {sample}")
            continue
        told.samples.append(sample)
        progress.step(
            f"{scenario.name}, round {sample.round + 1}: {sample.peer}: {sample.cpu_us:.0f} µs, "
            f"{sample.per_second:.0f}/s, p99 {sample.p99_ms:.1f} ms"
        )
    print(f"\n{report.table(scenario, told.samples)}", flush=True)


def _profile(bench: Bench, scenarios: Sequence[Scenario], told: Told, results: Path) -> None:
    """For each scenario of a missed goal, the functions in which a worker of Octroi was found."""
    ours = next((peer for peer in bench.peers if peer.name == goals.OURS), None)
    if ours is None:
        return
    missed: dict[str, list[str]] = {}
    for goal in goals.missed(told.samples):
        missed.setdefault(goal.scenario, []).append(goal.title)
    for scenario in scenarios:
        if scenario.name in missed:
            say(f"sampling Octroi under {scenario.name}")
            path = results.with_name(f"{results.name}-{scenario.name}.stacks")
            driven = threading.Thread(target=measure.drive, args=(bench, scenario, ours, PROFILED_SECONDS))
            driven.start()
            time.sleep(1)
            found = profile.sample(ours.worker()[0], path)
            driven.join()
            told.profiles.append(f"missed: {'; '.join(missed[scenario.name])}\nOctroi under {scenario.name}:\n{found}")


def _write(path: Path, told: Told, options: argparse.Namespace) -> None:
    report.write(path.with_suffix(".json"), told.samples, _about(told, options))
    if told.samples:
        path.with_suffix(".svg").write_text(_chart(told.samples))
    say(f"written: bench/results/{path.name}.*")
    if told.limits_compared + told.limits_missed:
        say(f"counters compared in {told.limits_compared} runs; {told.limits_missed} crossed the end of a minute")


def _about(told: Told, options: argparse.Namespace) -> dict[str, object]:
    """What the figures were measured with; of settings taken over from the environment, the names only."""
    return {
        "seconds": options.seconds,
        "workers": options.workers,
        "generator": "wrk" if load.has_wrk() else "own",
        "processor": model(),
        "kernel": platform.release(),
        "python": sys.version,
        "megabytes_at_start": told.at_start,
        "megabytes_every_100000_requests": told.megabytes,
        "octroi_settings_inherited": sorted(name for name in os.environ if name.startswith("OCTROI_")),
        "failures": [str(failure) for failure in told.failures],
        "goals": goals.table(told.samples, told.megabytes).splitlines(),
    }


def _chart(samples: Sequence[Sample]) -> str:
    groups: dict[str, dict[str, chart.Bar]] = {}
    for scenario in dict.fromkeys(sample.scenario for sample in samples):
        for peer in dict.fromkeys(sample.peer for sample in samples):
            values = [s.cpu_us for s in samples if (s.scenario, s.peer) == (scenario, peer)]
            if values:
                spread = Spread.of(values)
                groups.setdefault(scenario, {})[peer] = chart.Bar(spread.median, spread.low, spread.high)
    note = "µs of CPU of the gateway, median and extremes of the rounds; logarithmic axis, lower is better"
    return chart.bars("CPU for a request", note, groups)


if __name__ == "__main__":
    sys.exit(main())
