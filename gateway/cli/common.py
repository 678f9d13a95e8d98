"""What commands share: settings, the connections they need, and how they print."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, TypeVar

import asyncpg
import orjson
import typer

from config.clock import system_clock
from config.settings import PREFIX, Settings, WrongSettings, load
from gateway.database import Pool, open_pool
from gateway.embedded import resolve_urls
from gateway.migrate import migrate
from gateway.parts import publisher
from gateway.registry.state import TokenState
from gateway.registry.store import Store, Token
from gateway.tokens import Keys
from providers import ENDPOINTS
from ratelimit.limiter import Limiter
from ratelimit.link import Link, RedisUnavailable

T = TypeVar("T")

_UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")

JSON_OPTION = typer.Option(False, "--json", help="Print for a machine: one JSON object a line.")


class Failed(Exception):
    """An expected failure of a command: its message is the one line that the operator reads."""


@dataclass(frozen=True)
class Connected:
    """What a command on the registry, the limits or the audit works with."""

    settings: Settings
    pool: Pool
    link: Link
    limiter: Limiter
    store: Store

    async def publish(self, *states: TokenState) -> None:
        """Make a change hold at once. Redis away, workers hear of it from PostgreSQL."""
        for state in states:
            try:
                await publisher(self.limiter)(state.jti, state.version, state.pack())
            except RedisUnavailable:
                typer.echo("Redis does not answer: workers hear of the change from PostgreSQL.", err=True)
                return


@contextmanager
def resolved() -> Iterator[Settings]:
    """The settings, with the addresses of the servers; embedded ones are started for the length of the command."""
    settings = load()
    with resolve_urls(settings) as (redis_url, database_url):
        os.environ[PREFIX + "REDIS_URL"] = redis_url
        os.environ[PREFIX + "DATABASE_URL"] = database_url
        yield load()


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Connected]:
    """Connections, on a migrated schema. Raises Failed where PostgreSQL is away."""
    if settings.redis_url is None or settings.database_url is None:
        raise WrongSettings(["OCTROI_REDIS_URL, OCTROI_DATABASE_URL: not resolved"])
    url = settings.database_url.get_secret_value()
    try:
        await migrate(url)
        pool = await open_pool(url)
    except (OSError, asyncpg.PostgresError) as error:
        raise Failed(f"PostgreSQL cannot be reached ({error}): check OCTROI_DATABASE_URL") from error
    link = await Link.open(settings.redis_url.get_secret_value(), 2.0)
    try:
        limiter = Limiter(link, settings.ratelimit, settings.workers, system_clock)
        yield Connected(settings, pool, link, limiter, Store(pool, system_clock, all_scopes()))
    finally:
        await link.close()
        await pool.close()


def run(work: Callable[[Connected], Awaitable[T]]) -> T:
    """Do the work with connections."""

    async def working(settings: Settings) -> T:
        async with connected(settings) as connections:
            return await work(connections)

    with resolved() as settings:
        return asyncio.run(working(settings))


def show(rows: list[dict[str, Any]], as_json: bool, columns: tuple[str, ...]) -> None:
    """Rows, one JSON object a line, or as a table of those columns."""
    if as_json:
        for row in rows:
            typer.echo(as_line(row))
        return
    if not rows:
        typer.echo("Nothing to show.", err=True)
        return
    cells = [list(columns), *([_cell(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    for line in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def all_scopes() -> set[str]:
    """Every scope that some endpoint knows."""
    return {scope for endpoint in ENDPOINTS for scope in endpoint.scopes}


def signed(keys: Keys, token: Token) -> str:
    """The JWT of a row of the registry."""
    return keys.sign(
        jti=token.jti,
        scopes=token.scopes,
        subject=token.subject,
        issued_at=int(token.issued_at.timestamp()),
        expires_at=int(token.expires_at.timestamp()),
        version=token.version,
        mcp=token.mcp,
    )


def as_line(row: Any) -> str:
    """A value as one line of JSON."""
    return visible(orjson.dumps(row, default=str).decode())


def visible(text: str) -> str:
    """The text, which a caller may have chosen: what acts on a terminal, or hides in it, as JSON escapes it."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return visible(
        ",".join(map(str, value))
        if isinstance(value, list | tuple | set | frozenset)
        else ""
        if value is None
        else str(value)
    )


def moment(text: str | None, option: str) -> datetime | None:
    """A date or a date-time told on the command line, UTC unless it says otherwise."""
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text) if len(text) > 10 else datetime.combine(date.fromisoformat(text), time())
    except ValueError:
        raise Failed(f"{option}: {text!r} is not a date; write 2026-12-31 or 2026-12-31T23:59:59+01:00") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
