"""What the servers of a run stand on, and how each takes its place there."""

import os
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import servers, work
from bench.check import CheckFailed
from bench.load import LoadFailed
from bench.machine import cores, free_port
from bench.peers import DidNotStart, Peer, Place
from config.clock import system_clock


def give_way() -> list[int]:
    """Keep to the last core, with the load generator and all that is not measured; gives the cores of the servers."""
    available = cores()
    if len(available) > 1:
        os.sched_setaffinity(0, available[-1:])
    else:
        say("only one core: load and servers share it")
    return available


def end_gracefully() -> None:
    """Let Ctrl-C and SIGTERM end the run by way of its exit stacks, once: no server is left behind."""

    def end(*_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


@dataclass
class Stage:
    """Redis, PostgreSQL, the upstream, a folder, and the secrets of the run."""

    dir: Path
    redis: servers.Redis
    upstream: servers.Upstream
    database_url: str
    keys: work.Keys

    @classmethod
    def start(cls, stack: ExitStack, *, needs_database: bool) -> "Stage":
        """Everything but the peers."""
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)))
        directory.chmod(0o755)  # PostgreSQL may run as a user of its own
        (directory / "upstream").mkdir()
        return cls(
            dir=directory,
            redis=stack.enter_context(servers.redis()),
            upstream=stack.enter_context(servers.upstream(directory / "upstream")),
            database_url=stack.enter_context(servers.database(directory / "postgresql", say)) if needs_database else "",
            keys=work.Keys.fresh(),
        )

    def serve(
        self,
        stack: ExitStack,
        peer: Peer,
        workers: int,
        pinned: list[int],
        *,
        metered: int = 0,
        redis: servers.Redis | None = None,
    ) -> servers.Server:
        """A peer with so many workers on those cores, over the common Redis unless it is given another."""
        redis = redis or self.redis
        say(f"starting {peer.name}, {workers} worker{'s' * (workers > 1)}, {redis.name}")
        port = free_port()
        place = Place(
            dir=self.dir / f"{peer.name}-{port}",
            port=port,
            redis_port=redis.port,
            is_cluster=redis.is_cluster,
            database_url=self.database_url,
            upstream_port=self.upstream.port,
            keys=self.keys,
            now=int(system_clock()),
            workers=workers,
            metered=metered,
        )
        place.dir.mkdir()
        return stack.enter_context(servers.serving(peer, peer.launch(place), port, pinned, redis))


def carried_out(work: Callable[[], None]) -> int:
    """The exit status of a bench: 0; 1 where a check failed or a server did not start; 130 where it was interrupted."""
    end_gracefully()
    try:
        work()
    except (CheckFailed, DidNotStart, LoadFailed) as failure:
        say(f"FAILED: {failure}")
        return 1
    except KeyboardInterrupt:
        say("interrupted: everything is stopped, nothing written")
        return 130
    return 0


def duration(seconds: float) -> str:
    """In words that a person waiting wants."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def say(line: str) -> None:
    """Tell whoever waits."""
    print(line, file=sys.stderr, flush=True)
