"""`octroi operator`."""

from typing import Annotated

import typer

from config.clock import system_clock
from gateway.cli.common import Connected, Failed, moment, run, signed
from gateway.registry.rules import Unacceptable
from gateway.tokens import Keys

commands = typer.Typer(help="Operators' tokens, for /admin.", no_args_is_help=True)


@commands.callback()
def _group() -> None:
    pass


@commands.command()
def issue(
    scopes: Annotated[str, typer.Option(help="`admin:read`, `admin:write`, or both separated by a comma.")],
    name: Annotated[str, typer.Option(help="Whose token it is, for the record.")] = "operator",
    expires_at: Annotated[str | None, typer.Option(help="Date; 18 months from now at most, and by default.")] = None,
) -> None:
    """Issue an operator's token: its JWT, alone, on standard output."""
    until = moment(expires_at, "--expires-at")

    async def work(connections: Connected) -> str:
        keys = Keys.load(connections.settings.jwt, connections.settings.data_dir, system_clock)
        asked = [scope.strip() for scope in scopes.split(",") if scope.strip()]
        token, states = await connections.store.issue_operator(name, asked, expires_at=until)
        await connections.publish(*states)
        return signed(keys, token)

    try:
        typer.echo(run(work))
    except Unacceptable as wrong:
        raise Failed("\n".join(map(str, wrong.problems))) from None
