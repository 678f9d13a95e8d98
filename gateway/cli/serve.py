"""`octroi serve` and `octroi simulate`."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import asyncpg
import structlog
import typer
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from config.clock import system_clock
from config.settings import PREFIX, Settings, load
from gateway import logs, metrics
from gateway.cli.common import Failed, resolved
from gateway.cli.config import verify
from gateway.migrate import migrate

GRACE_SECONDS = 12
"""Calls under way when the gateway stops are given that long."""
SILENT_SECONDS = 60
"""A worker that does not answer its supervisor for so long is replaced. On a machine that is short of CPU it takes more
than uvicorn's five seconds to begin, and would be replaced for ever."""
AGAIN_SECONDS = 1.0
"""Between two tries at a worker that cannot begin."""

log = structlog.get_logger()


class Supervisor(Multiprocess):
    """uvicorn's, with two more manners.

    It hears at once of a worker that dies instead of answering. And a worker that cannot begin ends the gateway only
    until all have served once: what is wrong then is the configuration. Later it is a full disk or the like, which
    passes: the others go on, and one more is tried until it can begin.
    """

    def __init__(self, settings: uvicorn.Config, sockets: list[socket.socket]) -> None:
        """No worker is started yet."""
        super().__init__(settings, sockets)
        self._all_have_served = False
        self.not_started = False

    def keep_subprocess_alive(self) -> None:
        """Ask each worker how it is, and replace the dead."""
        for number, process in enumerate(self.processes):
            if self.should_exit.is_set():
                return  # Ctrl-C reaches the workers too: those that have ended are not missed
            process.child_conn.close()  # its copy is the worker's: with the last one closed, the silence has an end
            if process.is_alive(SILENT_SECONDS):
                continue
            process.kill()
            process.join()
            cannot_begin = process.exitcode == STARTUP_FAILURE
            if cannot_begin and not self._all_have_served:
                self.not_started = True
                self.should_exit.set()
                return
            log.error("worker_died", pid=process.pid, exit=process.exitcode)
            if cannot_begin:
                time.sleep(AGAIN_SECONDS)
            self.processes[number] = Process(self.config, self.sockets)
            self.processes[number].start()
        if not self._all_have_served and all(process.is_ready(SILENT_SECONDS) for process in self.processes):
            self._all_have_served = True
            log.info("all_workers_serve", workers=len(self.processes))


def serve(
    host: str = typer.Option("127.0.0.1", help="Address to listen on."),
    port: int = typer.Option(8000, min=0, max=65535, help="Port to listen on; 0 takes a free one."),
    workers: int = typer.Option(1, min=1, help="Worker processes."),
) -> None:
    """Serve the gateway, with private servers of its own where no URL is configured."""
    verify(load())
    with listening(host, port) as listener, resolved() as settings:
        run_gateway(settings, listener, workers)


def simulate(
    host: str = typer.Option("127.0.0.1", help="Address to listen on."),
    port: int = typer.Option(9000, min=0, max=65535, help="Port to listen on; 0 takes a free one."),
    latency: float = typer.Option(0.0, min=0, help="Seconds added to each answer."),
    jitter: float = typer.Option(0.0, min=0, help="Seconds by which that varies."),
) -> None:
    """Serve the simulated providers, over invented companies."""
    with listening(host, port) as listener:
        where = f"http://{host}:{listener.getsockname()[1]}"
        typer.echo(f"Simulated providers on {where}: set OCTROI_UPSTREAM__OVERRIDE={where}")
        run_simulator(listener, latency, jitter)


def listening(host: str, port: int) -> socket.socket:
    """A listening socket. Raises Failed with the remedy where the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Failed(f"{host}:{port} cannot be listened on ({error.strerror}); choose another with --port") from None
    listener.set_inheritable(True)
    return listener


def run_gateway(settings: Settings, listener: socket.socket, workers: int) -> None:
    """Migrate, then serve until a signal comes."""
    assert settings.database_url is not None
    asyncio.run(_migrated(settings.database_url.get_secret_value()))
    logs.configure(settings.log_level, human=sys.stderr.isatty())
    host, port = listener.getsockname()[:2]
    if settings.public_url is None:
        shown = f"[{host}]" if ":" in host else host
        os.environ[PREFIX + "PUBLIC_URL"] = f"http://{shown}:{port}"
    os.environ[PREFIX + "WORKERS"] = str(workers)
    metrics.prepare(settings.data_dir / "metrics")
    if settings.metrics.port is not None:
        _serve_metrics(settings.metrics.host, settings.metrics.port)
    run_uvicorn("gateway.app:create_app", listener, workers, http="gateway.protocol:SilentProtocol", factory=True)


async def _migrated(url: str) -> None:
    try:
        await migrate(url)
    except (OSError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError) as error:
        typer.echo(f"PostgreSQL is away ({error}): serving the tokens that are known", err=True)
    except asyncpg.PostgresError as error:
        raise Failed(f"PostgreSQL refuses to serve Octroi ({error}): check OCTROI_DATABASE_URL") from None


def _serve_metrics(host: str, port: int) -> None:
    try:
        metrics.serve(host, port)
    except OSError as error:
        raise Failed(
            f"{host}:{port} cannot be listened on ({error.strerror}); choose another OCTROI_METRICS__PORT"
        ) from None


def run_simulator(listener: socket.socket, latency: float, jitter: float) -> None:
    """Serve the simulated providers until a signal comes."""
    from providers.simulator.app import create_simulator
    from providers.simulator.world import World

    run_uvicorn(create_simulator(World.load(), latency=latency, jitter=jitter, clock=system_clock), listener, 1)


def run_uvicorn(application: Callable[..., Any] | str, listener: socket.socket, workers: int, **more: Any) -> None:
    """An application in this process; or, where it is named by a text, a supervisor and its workers, even one."""
    more.setdefault("http", "httptools")
    settings = uvicorn.Config(
        application,
        workers=workers,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        backlog=2048,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_worker_healthcheck=SILENT_SECONDS,
        lifespan="on" if more.get("factory") else "off",
        ws="none",
        **more,
    )
    if isinstance(application, str):
        supervisor = Supervisor(settings, sockets=[listener])
        supervisor.run()
        if supervisor.not_started:
            raise Failed("The gateway did not start: the lines above say why")
    else:
        uvicorn.Server(settings).run(sockets=[listener])
