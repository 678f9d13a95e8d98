"""Search: who asked about a company, what a token did, what became of a request; newest first."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from audit.partitions import Pool

_COLUMNS = (
    "at, id::text AS id, request_id, method, path, operation_id, status, codes, outcome, jti,"
    " habilitation::text AS habilitation, holder_siret, client_ip, user_agent, context, object, recipient, siren,"
    " siret, rna, provider, cached, duration_ms, api_version, extra, stream::text AS stream, sequence"
)
_NEWEST_FIRST = "ORDER BY at DESC, audit_records.id DESC"
_CONDITIONS = {
    "request_id": "request_id = ${}",
    "jti": "jti = ${}",
    "habilitation": "habilitation = ${}",
    "siren": "siren = ${}",
    "siret": "siret = ${}",
    "rna": "rna = ${}",
    "since": "at >= ${}",
    "until": "at < ${}",
}
_ROWS_AHEAD = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to look for; all that is given must hold."""

    request_id: str | None = None
    jti: str | None = None
    habilitation: UUID | None = None
    siren: str | None = None
    """Finds what was asked about its établissements too."""
    siret: str | None = None
    rna: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Excluded."""
    limit: int | None = 100
    """None: all."""

    def to_sql(self) -> tuple[str, list[object]]:
        """The statement and its arguments."""
        asked = {name: value for name in _CONDITIONS if (value := getattr(self, name)) is not None}
        conditions = [_CONDITIONS[name].format(place) for place, name in enumerate(asked, 1)]
        where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
        arguments = [*asked.values(), self.limit]
        order = f"{_NEWEST_FIRST} LIMIT ${len(arguments)}"
        return f"SELECT {_COLUMNS} FROM audit_records {where}{order}", arguments  # noqa: S608 - our own constants


async def search(pool: Pool, query: Query) -> AsyncGenerator[dict[str, Any], None]:
    """The records found, ready to be written as JSON, read as they are asked for.

    Whoever stops early closes the iterator (`contextlib.aclosing`), as it holds a connection.
    """
    statement, arguments = query.to_sql()
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        async for row in connection.cursor(statement, *arguments, prefetch=_ROWS_AHEAD):
            yield {**row, "extra": orjson.loads(row["extra"])}
