"""The commands of `octroi`, and what becomes of their failures."""

import sys

import typer

from config.settings import WrongSettings
from gateway import logs
from gateway.cli import audit, config, database, demo, operators, registry, serve, watch
from gateway.cli.common import Failed
from gateway.embedded import EmbeddedUnavailable
from gateway.release import VERSION

application = typer.Typer(
    help="Octroi: one door to the data French administrations hold on companies and associations.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
application.command()(demo.demo)
application.command()(serve.serve)
application.command()(serve.simulate)
application.add_typer(config.commands, name="config")
application.add_typer(database.commands, name="db")
application.add_typer(registry.habilitations, name="habilitation")
application.add_typer(registry.tokens, name="token")
application.add_typer(operators.commands, name="operator")
application.command()(watch.bans)
application.command()(watch.quotas)
application.command()(watch.doctor)
application.add_typer(audit.commands, name="audit")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(VERSION)
        raise typer.Exit


@application.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Tell the version."),
) -> None:
    del version


def run() -> None:
    """Run the command line: an expected failure is one line that names the remedy, with status 1."""
    logs.configure("error", human=True)  # standard output is for answers
    try:
        application()
    except WrongSettings as wrong:
        sys.exit("\n".join(wrong.problems))
    except (Failed, EmbeddedUnavailable) as failure:
        sys.exit(str(failure))
