"""`octroi db`."""

import asyncio

import asyncpg
import typer

from gateway.cli.common import Failed, resolved
from gateway.migrate import migrate as upgrade

commands = typer.Typer(help="The database.", no_args_is_help=True)


@commands.command()
def migrate() -> None:
    """Bring the schema to what this version wants; harmless where it is already there."""
    with resolved() as settings:
        assert settings.database_url is not None
        try:
            asyncio.run(upgrade(settings.database_url.get_secret_value()))
        except (OSError, asyncpg.PostgresError) as error:
            raise Failed(f"PostgreSQL cannot be reached ({error}): check OCTROI_DATABASE_URL") from error
    typer.echo("The schema is up to date.", err=True)
