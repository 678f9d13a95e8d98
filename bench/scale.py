"""How the cost of a cached answer grows: with tokens in use, answers kept, workers, primaries of a Redis cluster.

Octroi alone, checked after each run like any other. Prints a table; writes the samples to bench/results/ and, unless
--quick, the chart to docs/explanation/scale.svg. On a machine of two cores the second worker shares its core with the
load generator and Redis: CPU per request holds, requests per second do not.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from bench import chart, load, registry, servers, work
from bench.check import CheckFailed
from bench.machine import model
from bench.measure import Bench, checked, fill, loaded
from bench.peers.octroi import OCTROI, missing
from bench.report import Spread, aligned, short
from bench.scenarios import Scenario
from bench.stage import Stage, carried_out, give_way, say
from bench.work import KINDS, Ask
from config.clock import paris, system_clock

RESULTS = Path(__file__).with_name("results")
CHART = Path(__file__).parents[1] / "docs" / "explanation" / "scale.svg"
STEADY = Scenario(name="steady", title="steady headers")
VARYING = replace(STEADY, name="varying", title="varying headers", headers="varying")
TOKENS = (1, 100, 10_000, 100_000)
ENTRIES = (1, 1_000, 100_000, 1_000_000)
QUICK_MOST = 10_000
LISTED = 100_000
"""Requests in a list: more than are asked in one run, so that a run over many answers repeats none."""
STRIDE = 7_919
"""A prime: going through many answers by it leaves no neighbours together."""
WARM_SECONDS = 1


@dataclass(frozen=True)
class Sample:
    """One step, one round."""

    panel: str
    step: str
    headers: str
    cpu_us: float
    redis_us: float
    per_second: float


@dataclass
class Scale:
    """A run under way."""

    stage: Stage
    pinned: list[int]
    seconds: int
    rounds: int
    samples: list[Sample] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """A place on the axis below: a server, and what is asked of it."""

    panel: str
    name: str
    bench: Bench
    asks: Sequence[Ask]

    @property
    def peer(self) -> servers.Server:
        """The only one of its bench."""
        return self.bench.peers[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the panels asked for; 1 if a check failed."""
    options = _options(arguments)
    if reason := missing():
        say(reason)
        return 1
    return carried_out(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    with ExitStack() as stack:
        scale = Scale(Stage.start(stack, needs_database=True), give_way(), options.seconds, options.rounds)
        for panel in options.panel or PANELS:
            PANELS[panel](scale, QUICK_MOST if options.quick else sys.maxsize)
    print(table(scale.samples))
    _write(scale.samples, is_quotable=not (options.quick or options.panel))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one round of 1 s, up to 10⁴: to see that it works")
    parser.add_argument("--panel", action="append", choices=list(PANELS), help="only this one (repeatable)")
    parser.add_argument("--rounds", type=int, choices=range(1, 51), metavar="1-50", help="usually 3")
    parser.add_argument("--seconds", type=int, choices=range(1, 61), metavar="1-60", help="of a run; usually 3")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.seconds = options.seconds or (1 if options.quick else 3)
    return options


def tokens(scale: Scale, most: int) -> None:
    """One worker; the same 256 answers, asked for with ever more tokens of the registry, each used before."""
    counts = [count for count in TOKENS if count <= most]
    with ExitStack() as stack:
        bench = _bench(scale, stack)
        say(f"issuing {counts[-1]} tokens")
        issued = registry.issue(bench.stage.database_url, bench.stage.keys.jwt_secret, counts[-1])
        steps = []
        for count in counts:
            kinds = [KINDS["hit"]] if count == 1 else [work.Kind(200, token=token) for token in issued[:count]]
            length = max(count, work.OBJECTS)
            asks = [Ask(kinds[n % len(kinds)], _path(n % work.OBJECTS, n)) for n in range(length)]
            steps.append(Step("tokens", short_count(count), bench, asks))
        say("using each token once")
        _ask_all(steps[-1])
        _measure(scale, steps)


def answers(scale: Scale, most: int) -> None:
    """One worker, one token; ever more answers kept in Redis, and all of them asked for."""
    with ExitStack() as stack:
        bench = _bench(scale, stack)
        filled = work.OBJECTS
        for count in (count for count in ENTRIES if count <= most):
            if count > filled:
                say(f"sealing answers up to {short_count(count)}")
                fill_directly(bench.peers[0], filled, count)
                filled = count
            length = max(min(count, LISTED), work.OBJECTS)
            asks = [Ask(KINDS["hit"], _path(n * STRIDE % count, n)) for n in range(length)]
            _measure(scale, [Step("kept answers", short_count(count), bench, asks)])


def workers(scale: Scale, most: int) -> None:
    """256 answers, one token, one worker and two."""
    del most
    with ExitStack() as stack:
        benches = {count: _bench(scale, stack, workers=count) for count in (1, 2)}
        _measure(scale, [Step("workers", str(count), bench, _hits()) for count, bench in benches.items()])


def cluster(scale: Scale, most: int) -> None:
    """256 answers, one token, one worker; over one Redis, a cluster of one primary, and one of three."""
    del most
    with ExitStack() as stack:
        stores = {"none": scale.stage.redis}
        for count, name in ((1, "1 primary"), (3, "3 primaries")):
            stores[name] = stack.enter_context(servers.cluster(scale.stage.dir / f"cluster-{count}", count))
        _measure(
            scale,
            [Step("Redis cluster", name, _bench(scale, stack, redis=store), _hits()) for name, store in stores.items()],
        )


PANELS: dict[str, Callable[[Scale, int], None]] = {
    "tokens": tokens,
    "answers": answers,
    "workers": workers,
    "cluster": cluster,
}


def _bench(scale: Scale, stack: ExitStack, *, workers: int = 1, redis: servers.Redis | None = None) -> Bench:
    """Octroi with 256 answers kept."""
    peer = scale.stage.serve(stack, OCTROI, workers, scale.pinned[:workers], redis=redis)
    bench = Bench(scale.stage, [peer], scale.seconds)
    fill(bench, STEADY, peer)
    return bench


def fill_directly(peer: servers.Server, start: int, end: int) -> None:
    """Keep the answers about the companies of a span, without asking for them."""
    assert peer.launch.fill is not None
    for first in range(start, end, LISTED):
        peer.launch.fill(work.siren(0), [work.siren(n) for n in range(first, min(first + LISTED, end))])


def _hits() -> list[Ask]:
    return work.asks(STEADY.mix, work.OBJECTS, companies=work.OBJECTS)


def _path(company: int, number: int) -> str:
    return work.path(work.siren(company), number % work.OBJECTS)


def _ask_all(step: Step) -> None:
    """Each request of a list once."""
    count = len(step.asks)
    told = loaded(step.bench, STEADY, step.peer, step.asks, seconds=600, requests=count)
    outcome = load.exact(told)
    if outcome.statuses != {200: count}:
        raise CheckFailed(step.panel, step.peer.name, [f"answers {dict(outcome.statuses)}"])
    step.peer.settled_records()


def _measure(scale: Scale, steps: Sequence[Step]) -> None:
    """All steps in turn, each round beginning with another one, with steady and with varying headers."""
    scale.stage.upstream.delay(0)
    for step in steps:
        load.saturate(loaded(step.bench, STEADY, step.peer, step.asks, seconds=WARM_SECONDS))
        step.peer.settled_records()
    for number in range(scale.rounds):
        at = number % len(steps)
        for step in (*steps[at:], *steps[:at]):
            for scenario in (STEADY, VARYING):
                told = loaded(step.bench, scenario, step.peer, step.asks, seconds=scale.seconds)
                run = checked(step.bench, scenario, step.peer, step.asks, told, load.saturate)
                sample = Sample(
                    panel=step.panel,
                    step=step.name,
                    headers=scenario.name,
                    cpu_us=run.cpu / run.requests * 1e6,
                    redis_us=run.redis / run.requests * 1e6,
                    per_second=run.outcome.answers / run.outcome.seconds,
                )
                scale.samples.append(sample)
                say(
                    f"{step.panel} {step.name}, {scenario.title}, round {number + 1}/{scale.rounds}: "
                    f"{sample.cpu_us:.0f} µs, Redis {sample.redis_us:.0f} µs, {sample.per_second:.0f}/s"
                )


def points(samples: Sequence[Sample]) -> Iterator[tuple[str, str, dict[str, Spread]]]:
    """Panel, step, and the spreads of its curves, in order."""
    for panel, step in dict.fromkeys((sample.panel, sample.step) for sample in samples):
        own = [sample for sample in samples if (sample.panel, sample.step) == (panel, step)]
        curves = {
            f"gateway, {name} headers": [s.cpu_us for s in own if s.headers == name] for name in ("steady", "varying")
        }
        curves["Redis"] = [sample.redis_us for sample in own]
        yield panel, step, {name: Spread.of(values) for name, values in curves.items()}


def table(samples: Sequence[Sample]) -> str:
    """µs of CPU for a request at each step, and how they stand to those of the panel's first step."""
    rows = [["µs of CPU for a request", "steady", "varying", "Redis", "× steady", "× varying"]]
    first: dict[str, dict[str, Spread]] = {}
    for panel, step, spreads in points(samples):
        base = first.setdefault(panel, spreads)
        steady, varying, redis = spreads.values()
        growth = [short(now.median / then.median) for now, then in zip((steady, varying), base.values(), strict=False)]
        rows.append([f"{panel}: {step}", str(steady), str(varying), str(redis), *growth])
    return aligned(rows)


def drawn(samples: Sequence[Sample]) -> str:
    """The chart: a panel a question."""
    panels: dict[str, dict[str, list[tuple[str, chart.Bar]]]] = {}
    for panel, step, spreads in points(samples):
        for name, spread in spreads.items():
            bar = chart.Bar(spread.median, spread.low, spread.high)
            panels.setdefault(panel, {}).setdefault(name, []).append((step, bar))
    return chart.curves(
        "What a cached answer costs as things grow",
        "µs of CPU for a request, median and extremes; lower is better, flat is the goal",
        {panel: [chart.Curve(name, listed) for name, listed in of.items()] for panel, of in panels.items()},
    )


def short_count(count: int) -> str:
    """`10⁵` rather than 100000."""
    power = len(str(count)) - 1
    return str(count) if power < 3 else f"10{str(power).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def _write(samples: Sequence[Sample], *, is_quotable: bool) -> None:
    moment = paris(system_clock).strftime("%Y-%m-%dT%H%M%S")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{moment}-scale.json"
    told = {"about": {"processor": model(), "generator": "wrk" if load.has_wrk() else "own"}}
    path.write_text(json.dumps({**told, "samples": [asdict(sample) for sample in samples]}, indent=1) + "\n")
    target = CHART if is_quotable else path.with_suffix(".svg")
    target.write_text(drawn(samples))
    say(f"written: bench/results/{path.name}, {'docs/explanation' if is_quotable else 'bench/results'}/{target.name}")


if __name__ == "__main__":
    sys.exit(main())
