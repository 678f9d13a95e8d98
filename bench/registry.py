"""Tokens of Octroi's registry, many at once: the command line takes seconds for each."""

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from pydantic import SecretStr

from bench.work import RECIPIENT, TOKEN_SECONDS
from config.clock import system_clock
from config.settings import JwtSettings
from gateway.cli.common import all_scopes
from gateway.database import open_pool
from gateway.registry.rules import Terms, from_epoch
from gateway.registry.store import Store
from gateway.tokens import Keys

INSERT = """
INSERT INTO tokens (kind, habilitation_id, iat, exp)
SELECT 'client', $1, $2, $3 FROM generate_series(1, $4) RETURNING jti::text
"""


def issue(database_url: str, secret: str, count: int, *, rate_limit: int | None = None) -> list[str]:
    """So many tokens of one new habilitation, which opens everything, signed with that secret."""
    return asyncio.run(_issue(database_url, secret, count, rate_limit))


async def _issue(database_url: str, secret: str, count: int, rate_limit: int | None) -> list[str]:
    signer = Keys.load(JwtSettings(secret=SecretStr(secret)), Path(), system_clock)
    pool = await open_pool(database_url)
    try:
        terms = Terms(RECIPIENT, "Bench", tuple(sorted(all_scopes())), (), (), rate_limit)
        habilitation = await Store(pool, system_clock).create_habilitation(terms)
        issued_at = from_epoch(system_clock()).replace(microsecond=0)
        expires_at = issued_at + timedelta(seconds=TOKEN_SECONDS)
        rows = await pool.fetch(INSERT, UUID(habilitation.id), issued_at, expires_at, count)
    finally:
        await pool.close()
    return [
        signer.sign(
            jti=row["jti"],
            scopes=habilitation.terms.scopes,
            subject=habilitation.terms.intitule,
            issued_at=int(issued_at.timestamp()),
            expires_at=int(expires_at.timestamp()),
        )
        for row in rows
    ]
