"""The PostgreSQL database: a pool of connections to it, and the state of its schema."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import asyncpg

T = TypeVar("T")

MIGRATIONS = Path(__file__).parent / "migrations"

if TYPE_CHECKING:
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:  # asyncpg's classes take no parameter at run time
    Pool = asyncpg.Pool


async def open_pool(
    url: str,
    *,
    min_size: int = 0,
    max_size: int = 10,
    command_timeout: float | None = 10.0,
    connect_timeout: float = 3.0,
) -> Pool:
    """A pool of connections; with `min_size=0` it opens even while PostgreSQL is away, and connects at first use."""
    pool = asyncpg.create_pool(
        url,
        min_size=min_size,
        max_size=max_size,
        command_timeout=command_timeout,
        timeout=connect_timeout,
        server_settings={"application_name": "octroi", "timezone": "UTC"},
    )
    await pool
    return pool


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """What is asked of PostgreSQL, or TimeoutError at the limit.

    What is not answered by then is left behind: asyncpg would wait until the server confirms that it gives up, which
    one that hangs does not.
    """
    task = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait((task,), timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if done:
        return task.result()
    task.add_done_callback(_heed)
    task.cancel()
    raise TimeoutError


def _heed(task: "asyncio.Task[Any]") -> None:
    """Look at the failure of what nobody waits for any more."""
    if not task.cancelled():
        task.exception()


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Where the schema is, and where this version of Octroi wants it."""

    current: str | None
    wanted: str

    @property
    def is_behind(self) -> bool:
        """Whether `octroi db migrate` must run first.

        A revision unknown here is the work of a newer version, whose schema this one can still use.
        """
        return self.current != self.wanted and (self.current is None or self.current in _revisions())


async def schema_state(pool: Pool) -> SchemaState:
    """Compare the schema with what this version wants."""
    try:
        current = await pool.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        current = None
    return SchemaState(current, _revisions()[0])


@cache
def _revisions() -> tuple[str, ...]:
    """Every revision known here, newest first: the numbers with which the names of the migrations begin."""
    return tuple(sorted((step.name.partition("_")[0] for step in MIGRATIONS.glob("versions/[0-9]*.py")), reverse=True))
