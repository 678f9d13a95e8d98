"""The PostgreSQL side of the audit trail: records go in exactly once, however often they are handed over.

Lines go to PostgreSQL as they are and are read there: shipping costs the worker next to nothing, where building rows
would cost it as much as the requests themselves. They flow in small pieces, between which the worker answers callers.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg

from audit.partitions import Connection, Month, Pool, create_missing
from config.clock import Clock

PoolSource = Callable[[], Awaitable[Pool]]
"""Gives the pool once there is one; raises OSError or an error of asyncpg while there is none."""

_ACQUIRE_SECONDS = 10.0
_STATEMENT_SECONDS = 60.0

_PIECE_BYTES = 32 * 1024
"""What is handed to the socket at once: a tenth of a millisecond."""

_LINES = "CREATE TEMPORARY TABLE IF NOT EXISTS audit_lines (line text) ON COMMIT DELETE ROWS"

_QUOTE, _DELIMITER = "\x01", "\x02"
"""Signs that JSON does not hold: a line is then one field of CSV, as it is."""

_INSERT = """
INSERT INTO audit_records (
    at, id, stream, sequence, request_id, method, path, operation_id, status, codes, outcome, jti, habilitation,
    holder_siret, client_ip, user_agent, context, object, recipient, siren, siret, rna, provider, cached, duration_ms,
    api_version, extra
)
SELECT
    to_timestamp(at), id, stream, sequence, request_id, method, path, operation_id, status, codes, outcome, jti,
    habilitation, holder_siret, client_ip, user_agent, context, object, recipient, siren, siret, rna, provider, cached,
    duration_ms, api_version, extra
FROM audit_lines, LATERAL json_to_record(line::json) AS record(
    at double precision, id uuid, stream uuid, sequence bigint, request_id text, method text, path text,
    operation_id text, status smallint, codes text[], outcome text, jti text, habilitation uuid, holder_siret text,
    client_ip text, user_agent text, context text, object text, recipient text, siren text, siret text, rna text,
    provider text, cached boolean, duration_ms integer, api_version text, extra jsonb
)
WHERE line IS NOT NULL
ON CONFLICT (at, id) DO NOTHING
"""

_MONTHS = """
SELECT DISTINCT extract(epoch FROM date_trunc('month', to_timestamp((line::json->>'at')::double precision), 'UTC'))
FROM audit_lines
WHERE line IS NOT NULL
"""

_UNACCEPTABLE = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)


_AWAY = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what a connection that the server ended while idle may answer
    OSError,
    TimeoutError,
)


class StoreUnavailable(Exception):
    """PostgreSQL cannot take records now; the same ones may be handed over again later."""


class Unacceptable(Exception):
    """PostgreSQL will never take one of these lines; `reason` names the kind of error, no content."""

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        super().__init__(reason)
        self.reason = reason


class Store:
    """The table of records, over a pool that may come late."""

    def __init__(self, source: PoolSource, clock: Clock) -> None:
        """Settle where the pool comes from; connects to nothing."""
        self._source = source
        self._clock = clock

    async def ensure_partitions(self, months_ahead: int = 2) -> list[str]:
        """Have the running month and those ahead; returns the names of those that were missing."""
        running = Month.of(self._clock())
        async with self.connection() as connection:
            return await create_missing(connection, [running.plus(ahead) for ahead in range(months_ahead + 1)])

    async def insert(self, lines: bytes) -> int:
        """Insert records given as lines of the spool; returns how many were not there yet.

        All or none: raises Unacceptable where one of them is refused for what it is, StoreUnavailable otherwise.
        """
        async with self.connection() as connection:
            try:
                return await _insert(connection, lines)
            except asyncpg.CheckViolationError:  # no partition for a month: the only check there is
                async with _laid_down(connection, lines):
                    months = await connection.fetch(_MONTHS, timeout=_STATEMENT_SECONDS)
                await create_missing(connection, [Month.of(float(row[0])) for row in months])
                return await _insert(connection, lines)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection; every error met on it is told as StoreUnavailable or Unacceptable."""
        try:
            pool = await self._source()
            async with pool.acquire(timeout=_ACQUIRE_SECONDS) as connection:
                yield connection
        except _UNACCEPTABLE as error:
            raise Unacceptable(type(error).__name__) from error
        except _AWAY as error:
            raise StoreUnavailable(f"{type(error).__name__}: {error}") from error


async def _insert(connection: Connection, lines: bytes) -> int:
    async with _laid_down(connection, lines):
        done = await connection.execute(_INSERT, timeout=_STATEMENT_SECONDS)
    return int(done.rpartition(" ")[2])


@asynccontextmanager
async def _laid_down(connection: Connection, lines: bytes) -> AsyncIterator[None]:
    """Within a transaction at whose end they are gone, the lines as they are."""
    async with connection.transaction():
        await connection.execute(_LINES)
        await connection.copy_to_table(
            "audit_lines",
            source=_in_pieces(lines),
            format="csv",
            quote=_QUOTE,
            delimiter=_DELIMITER,
            timeout=_STATEMENT_SECONDS,
        )
        yield


async def _in_pieces(lines: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(lines), _PIECE_BYTES):
        yield lines[start : start + _PIECE_BYTES]
        await asyncio.sleep(0)
