"""Checkouts of Octroi side by side: whether a change is worth it.

    python -m bench.duel --scenario miss . ../octroi-before

Each serves with its own `.venv`, or with this one's where it has none, over a Redis and a database of its own, and
takes its turn in every round, each of which begins with another one: a machine that is slow for a while is slow for
all. Every run is checked as in `bench.run`. Look at the least and the median of many short rounds; differences below a
twentieth are noise.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from bench import measure, report, servers
from bench.check import CheckFailed
from bench.measure import Bench
from bench.peers import Launch, Peer, Place
from bench.peers.octroi import OCTROI, missing
from bench.report import Sample, Spread
from bench.scenarios import SCENARIOS, Scenario
from bench.stage import Stage, carried_out, give_way, say


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the scenarios asked for; 1 if a check failed."""
    options = _options(arguments)
    if reason := missing():
        say(reason)
        return 1
    return carried_out(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    scenarios = [scenario for scenario in SCENARIOS if scenario.name in (options.scenario or ["hit256"])]
    pinned = give_way()
    for scenario in scenarios:
        print(f"\n{table(scenario, _fight(scenario, options, pinned))}", flush=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.duel", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", nargs="+", type=_checkout, help="a folder that holds gateway/")
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--scenario", action="append", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--rounds", type=int, choices=range(1, 101), metavar="1-100", default=10, help="usually 10")
    parser.add_argument("--seconds", type=int, choices=range(1, 61), metavar="1-60", default=1, help="usually 1")
    return parser.parse_args(arguments)


def _checkout(name: str) -> Path:
    path = Path(name).resolve()
    if not (path / "gateway" / "__init__.py").is_file():
        raise argparse.ArgumentTypeError(f"{name} holds no gateway/: give the folder of a checkout")
    return path


def contender(checkout: Path, name: str) -> Peer:
    """Octroi, as that checkout has it."""

    def launch(place: Place) -> Launch:
        url = asyncio.run(_database(place.database_url, f"at_port_{place.port}"))
        made = OCTROI.launch(replace(place, database_url=url))
        own = checkout / ".venv" / "bin" / "octroi"
        argv = [str(own), *made.argv[made.argv.index("serve") :]] if own.exists() else made.argv
        return replace(made, argv=argv, environ={**made.environ, "PYTHONPATH": str(checkout)})

    return replace(OCTROI, name=name, launch=launch)


async def _database(url: str, name: str) -> str:
    """A database of its own on that server."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def _fight(scenario: Scenario, options: argparse.Namespace, pinned: list[int]) -> list[Sample]:
    samples: list[Sample] = []
    with ExitStack() as stack:
        stage = Stage.start(stack, needs_database=True)
        workers = scenario.workers or 1
        metered = measure.PHASES * options.rounds
        peers = [
            stage.serve(
                stack,
                contender(path, name),
                workers,
                pinned[:workers],
                metered=metered,
                redis=stack.enter_context(servers.redis()),
            )
            for path, name in zip(options.checkout, names(options.checkout), strict=True)
        ]
        bench = Bench(stage, peers, options.seconds)
        for sample in measure.measured(bench, scenario, options.rounds):
            if isinstance(sample, CheckFailed):
                raise sample
            samples.append(sample)
            say(f"{scenario.name}, round {sample.round + 1}/{options.rounds}: {sample.peer}: {sample.cpu_us:.1f} µs")
    return samples


def names(checkouts: Sequence[Path]) -> list[str]:
    """The folders' own names, numbered where they are the same."""
    bare = [path.name for path in checkouts]
    return [name if bare.count(name) == 1 else f"{name} ({at})" for at, name in enumerate(bare, 1)]


def table(scenario: Scenario, samples: Sequence[Sample]) -> str:
    """µs of CPU for a request, and how many times less than the first takes, at the median and at the least."""
    own = {name: [s for s in samples if s.peer == name] for name in dict.fromkeys(s.peer for s in samples)}
    first = next(iter(own))
    rows = [["µs of CPU for a request", "median", "least", "most", f"of {first}'s", "least", "Redis", "p99 ms"]]
    for name, of in own.items():
        cost = Spread.of([s.cpu_us for s in of])
        base = Spread.of([s.cpu_us for s in own[first]])
        told = (cost.median, cost.low, cost.high, cost.median / base.median, cost.low / base.low)
        redis, p99 = Spread.of([s.redis_us for s in of]).median, Spread.of([s.p99_ms for s in of]).median
        rows.append([name, *(report.short(value) for value in (*told, redis, p99))])
    return f"{scenario.title} ({scenario.name})\n{report.aligned(rows)}"


if __name__ == "__main__":
    sys.exit(main())
