"""Migrations of the schema, by alembic: for commands only, as what it takes would stay in the memory of each worker."""

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.database import MIGRATIONS

MIGRATION_LOCK = 0x0C7201
"""The advisory lock under which one process migrates while the others wait."""


async def migrate(url: str) -> None:
    """Bring the schema to what this version wants, in one transaction; several processes may ask at once.

    Raises OSError where PostgreSQL is away, asyncpg.PostgresError where it refuses.
    """
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
            await connection.run_sync(_upgrade)
    except DBAPIError as error:
        refusal = error.orig.__cause__ if error.orig is not None else None
        if isinstance(refusal, asyncpg.PostgresError):
            raise refusal from error
        raise
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
