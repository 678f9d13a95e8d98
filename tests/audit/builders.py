"""Records and trails that say only what matters to a test. Companies are fictitious."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from audit.ids import Ids
from audit.record import Record
from audit.trail import Trail
from config.clock import Clock
from config.settings import AuditSettings
from gateway.database import Pool

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC).timestamp()
IDS = Ids()

_USUAL = Record(
    id="",
    at=NOW,
    request_id="0195a000-0000-7000-8000-000000000001",
    method="GET",
    path="/v3/insee/sirene/unites_legales/999888771",
    operation_id="api_entreprise_v3_insee_unites_legales",
    status=200,
    outcome="granted",
    jti="0195a000-0000-7000-8000-0000000000aa",
    habilitation="0195a000-0000-7000-8000-0000000000bb",
    holder_siret="99988877100015",
    client_ip="192.0.2.1",
    user_agent="logiciel-fictif/1.0",
    context="Marchés publics",
    object="MP-2026-01",
    recipient="99988877100015",
    siren="999888771",
    provider="insee",
    duration_ms=12,
    api_version="v3",
)


def a_record(**changes: Any) -> Record:
    """A record like most, but for the changes."""
    changes.setdefault("id", IDS(changes.get("at", NOW)))
    return replace(_USUAL, **changes)


async def a_trail(directory: Path, pool: Any, clock: Clock = lambda: NOW, **settings: Any) -> Trail:
    """A trail that ships at once, over and over."""
    settings.setdefault("ship_every_seconds", 0.01)
    return await Trail.open(AuditSettings(**settings), directory, pool, clock)


async def stored_ids(pool: Pool) -> list[str]:
    """The identifiers in PostgreSQL, oldest first."""
    return [str(row["id"]) for row in await pool.fetch("SELECT id FROM audit_records ORDER BY at, id")]


async def has_gaps(pool: Pool) -> bool:
    """Whether a stream lacks a number."""
    rows: list[asyncpg.Record] = await pool.fetch(
        "SELECT min(sequence) AS lowest, max(sequence) AS highest, count(DISTINCT sequence) AS numbers,"
        " count(*) AS rows FROM audit_records GROUP BY stream"
    )
    return any(not (row["lowest"] == 0 and row["highest"] + 1 == row["numbers"] == row["rows"]) for row in rows)
