"""The schema of the database, a step at a time."""

from typing import Any

from alembic import op


def run_script(sql: str) -> None:
    """Run several statements within the step's transaction.

    The driver prepares what goes through SQLAlchemy, and PostgreSQL prepares one statement at a time.
    """
    connection: Any = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(sql))
