"""`octroi demo`: servers, simulated providers, gateway, a token and `curl` lines that work, in one command."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import httpx
import typer

from config.clock import paris, system_clock
from config.settings import PREFIX, Settings, load
from gateway.checks import is_revoked
from gateway.cli.common import Connected, Failed, all_scopes, connected, resolved, signed
from gateway.cli.config import verify
from gateway.cli.serve import listening, run_gateway, run_simulator
from gateway.registry.rules import OPERATOR_SCOPES, Terms
from gateway.tokens import InvalidToken, Keys
from providers import ADAPTERS
from providers.base import Endpoint
from providers.simulator.world import SHOWCASE

FILE = "demo.json"
TITLE = "Démonstration"
OPERATOR = "demo"
DAY = 86400
STARTING_SECONDS = 60.0


@dataclass(frozen=True)
class Demonstration:
    """What `demo.json` holds."""

    base_url: str
    token: str
    operator_token: str
    siren: str = SHOWCASE.siren
    siret: str = SHOWCASE.siret
    rna: str = SHOWCASE.rna
    siret_absent: str = SHOWCASE.siret_absent


def demo(
    host: str = typer.Option("127.0.0.1", help="Address to listen on."),
    port: int = typer.Option(8000, min=0, max=65535, help="Port to listen on; 0 takes a free one."),
    workers: int = typer.Option(1, min=1, help="Worker processes."),
    latency: float = typer.Option(0.05, min=0, help="Seconds that each simulated provider takes to answer."),
) -> None:
    """Try Octroi: everything starts, a token and ready `curl` lines are printed. Ctrl-C ends it all."""
    os.environ.setdefault(PREFIX + "LOG_REQUESTS", "true")
    verify(load())
    with listening(host, port) as listener, listening("127.0.0.1", 0) as simulator:
        if load().upstream.override is None:
            where = f"http://127.0.0.1:{simulator.getsockname()[1]}"
            os.environ[PREFIX + "UPSTREAM__OVERRIDE"] = where
            # The nights in which real providers close do not concern simulated ones.
            os.environ.setdefault(PREFIX + "UPSTREAM__MAINTENANCE", "false")
        typer.echo("Starting Valkey, PostgreSQL and the simulated providers…", err=True)
        with resolved() as settings, _simulating(simulator, latency) as providers:
            base = f"http://{host}:{listener.getsockname()[1]}"
            shown = asyncio.run(_prepare(settings, base))
            _write(settings.data_dir / FILE, shown)
            _wait_for(providers, simulator.getsockname()[1])
            listener.listen()  # a line that is pasted at once waits until the gateway has begun
            _present(shown, settings.data_dir)
            run_gateway(settings, listener, workers)
    typer.echo("Everything that was started is stopped.", err=True)


@contextmanager
def _simulating(listener: socket.socket, latency: float) -> Iterator[BaseProcess]:
    """The simulated providers, in a process of their own."""
    process = get_context("spawn").Process(target=_simulate, args=(listener, latency), daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.terminate()
        process.join(5)


def _wait_for(providers: BaseProcess, port: int) -> None:
    """Until they answer: a line that is pasted at once must find them. Raises Failed where they do not begin."""
    until = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < until and providers.is_alive():
        try:
            httpx.get(f"http://127.0.0.1:{port}/_simulator", timeout=1.0, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise Failed("The simulated providers did not start; `octroi simulate` may say why")


def _simulate(listener: socket.socket, latency: float) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the gateway, which ends us when it has drained
    run_simulator(listener, latency, 0.0)


async def _prepare(settings: Settings, base: str) -> Demonstration:
    """A habilitation with every scope, its token and an operator's: those of the last time where they still hold."""
    keys = Keys.load(settings.jwt, settings.data_dir, system_clock)
    async with connected(settings) as connections:
        known = _read(settings.data_dir / FILE)
        token = await _still_good(connections, keys, known.get("token"))
        operator = await _still_good(connections, keys, known.get("operator_token"))
        return Demonstration(
            base_url=base,
            token=token or await _client_token(connections, keys),
            operator_token=operator or await _operator_token(connections, keys),
        )


def _read(path: Path) -> dict[str, str]:
    try:
        told = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


async def _still_good(connections: Connected, keys: Keys, token: str | None) -> str | None:
    """The token, where it still opens what this demo shows."""
    if not isinstance(token, str):
        return None
    try:
        state = await connections.store.load_state(keys.verify(token).jti)
    except InvalidToken:
        return None
    if state is None or is_revoked(state, system_clock()) or state.expires_at <= system_clock() + DAY:
        return None
    if state.kind == "client" and not all_scopes() <= state.scopes:
        return None
    await connections.publish(state)
    return token


async def _client_token(connections: Connected, keys: Keys) -> str:
    terms = Terms(siret=SHOWCASE.recipient, intitule=TITLE, scopes=tuple(sorted(all_scopes())))
    habilitation = await connections.store.create_habilitation(terms)
    token, states = await connections.store.issue_token(habilitation.id)
    await connections.publish(*states)
    return signed(keys, token)


async def _operator_token(connections: Connected, keys: Keys) -> str:
    token, states = await connections.store.issue_operator(OPERATOR, sorted(OPERATOR_SCOPES))
    await connections.publish(*states)
    return signed(keys, token)


def _write(path: Path, shown: Demonstration) -> None:
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_text(json.dumps(shown.__dict__, indent=1) + "\n")
    temporary.replace(path)


def _present(shown: Demonstration, data_dir: Path) -> None:
    """The token, and one line for each provider that can be pasted."""
    out = [
        f"\nOctroi answers on {shown.base_url}. The token (also in {data_dir / FILE}), for the shell:\n",
        f"export TOKEN='{shown.token}'\n",
        "Then, for instance:\n",
    ]
    lines = [_curl(shown, endpoint) for endpoint in _one_a_provider()]
    lines.append(f"curl -s '{shown.base_url}/privileges' -H \"Authorization: Bearer $TOKEN\"")
    lines.append(f"curl -s '{shown.base_url}/ping/insee/sirene'")
    out += [f"{line}\n" for line in lines]
    out.append("Requests are shown as they pass. Ctrl-C stops everything.\n")
    typer.echo("\n".join(out))
    sys.stdout.flush()


def _one_a_provider() -> list[Endpoint]:
    """The first endpoint of each provider that is not deprecated."""
    return [next((e for e in adapter.endpoints if not e.deprecated), adapter.endpoints[0]) for adapter in ADAPTERS]


def _curl(shown: Demonstration, endpoint: Endpoint) -> str:
    path = endpoint.path.format(**identifiers(shown))
    query = f"context=essai&object=essai&recipient={SHOWCASE.recipient}"
    return f"curl -s '{shown.base_url}{path}?{query}' -H \"Authorization: Bearer $TOKEN\""


def identifiers(shown: Demonstration) -> dict[str, str]:
    """A value for every parameter that a path may hold."""
    return {
        "siren": shown.siren,
        "siret": shown.siret,
        "siren_or_rna": shown.rna,
        "siret_or_rna": shown.rna,
        "siren_or_siret_or_rna": shown.rna,
        "siret_or_eori": shown.siret,
        "year": str(paris(system_clock).year - 1),
        "month": "01",
    }
