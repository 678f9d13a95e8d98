"""`octroi audit`."""

from contextlib import aclosing
from typing import Annotated
from uuid import UUID

import typer

from audit.retention import purge as drop_old
from audit.search import Query
from audit.search import search as find
from config.clock import system_clock
from gateway.cli.common import JSON_OPTION, Connected, Failed, moment, run, show

commands = typer.Typer(help="The audit trail: who asked what about whom, when, why.", no_args_is_help=True)

COLUMNS = ("at", "status", "codes", "operation_id", "siren", "siret", "rna", "jti", "client_ip", "request_id")


@commands.command()
def search(
    request_id: Annotated[str | None, typer.Option(help="X-Request-Id of the answer.")] = None,
    token: Annotated[str | None, typer.Option(help="jti of a token (never the token itself).")] = None,
    habilitation: Annotated[str | None, typer.Option(help="Id of a habilitation.")] = None,
    siren: Annotated[str | None, typer.Option(help="SIREN asked about, its établissements included.")] = None,
    siret: Annotated[str | None, typer.Option(help="SIRET asked about.")] = None,
    rna: Annotated[str | None, typer.Option(help="RNA asked about.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="First moment, included.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Last moment, excluded.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most records shown.")] = 100,
    as_json: bool = JSON_OPTION,
) -> None:
    """Search the records, newest first; all that is given must hold."""
    if token is not None and token.startswith("eyJ"):
        raise Failed("--token: takes the jti; `octroi token inspect` reads it from a JWT on standard input")
    query = Query(
        request_id=request_id,
        jti=token,
        habilitation=_uuid(habilitation, "--habilitation"),
        siren=siren,
        siret=siret,
        rna=rna,
        since=moment(since, "--from"),
        until=moment(until, "--to"),
        limit=limit,
    )

    async def work(connections: Connected) -> None:
        rows = []
        async with aclosing(find(connections.pool, query)) as found:
            async for row in found:
                rows.append({**row, "at": row["at"].isoformat()})
                if as_json:
                    show([rows.pop()], True, COLUMNS)
        if not as_json:
            show(rows, False, COLUMNS)

    run(work)


@commands.command()
def purge() -> None:
    """Drop the months of which every record is older than the retention; nothing younger can be dropped."""

    async def work(connections: Connected) -> list[str]:
        months = connections.settings.audit.retention_months
        return await drop_old(connections.pool, system_clock(), months)

    dropped = run(work)
    typer.echo("\n".join(dropped) if dropped else "Nothing is old enough to be dropped.")


def _uuid(text: str | None, option: str) -> UUID | None:
    try:
        return UUID(text) if text is not None else None
    except ValueError:
        raise Failed(f"{option}: {text!r} is not a UUID") from None
