"""The registry in PostgreSQL.

Whatever changes tokens returns their new states, for the caller to publish: the change is committed by then, so that
no worker can learn of it before it holds.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from config.clock import Clock
from gateway.database import Pool
from gateway.registry.rules import (
    Problem,
    Terms,
    Unacceptable,
    check_expiry,
    check_operator,
    check_terms,
    check_text,
    check_zone,
    from_epoch,
)
from gateway.registry.state import Kind, TokenState, networks
from gateway.scopes import scope_set

CHANNEL = "octroi_registry"
"""Where the database announces each token that changes, by its jti."""

_STATES = """
SELECT t.jti::text, t.state_version, t.kind, t.habilitation_id::text, h.siret,
       coalesce(h.intitule, t.operator) AS intitule,
       coalesce(h.scopes, t.operator_scopes) AS scopes,
       floor(extract(epoch FROM t.exp))::bigint AS expires_at,
       floor(extract(epoch FROM
           least(t.revoked_at, CASE h.status WHEN 'closed' THEN h.updated_at END)))::bigint AS revoked_at,
       coalesce(h.allowed_ips, '{}') AS allowed_ips, h.rate_limit_per_minute, t.mcp
FROM tokens t LEFT JOIN habilitations h ON h.id = t.habilitation_id
"""

_TOKENS = """
SELECT t.jti::text, t.kind, t.habilitation_id::text, coalesce(h.intitule, t.operator) AS subject,
       coalesce(h.scopes, t.operator_scopes) AS scopes, t.iat AS issued_at, t.exp AS expires_at, t.version, t.mcp,
       t.revoked_at, t.revocation_reason, t.created_at
FROM tokens t LEFT JOIN habilitations h ON h.id = t.habilitation_id
"""

_HABILITATIONS = """
SELECT id::text, siret, intitule, scopes, contacts::text, allowed_ips, rate_limit_per_minute, status, created_at,
       updated_at
FROM habilitations
"""


class Unknown(Exception):
    """The registry has no such row."""


@dataclass(frozen=True, slots=True)
class Habilitation:
    """A row of `habilitations`."""

    id: str
    terms: Terms
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """A row of `tokens`, and what its habilitation lends it. The JWT is not kept: `Keys.sign` writes it again."""

    jti: str
    kind: Kind
    habilitation_id: str | None
    subject: str
    scopes: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    version: str
    mcp: bool
    revoked_at: datetime | None
    revocation_reason: str | None
    created_at: datetime


class Store:
    """Reads and writes the registry."""

    def __init__(self, pool: Pool, clock: Clock, known_scopes: Collection[str] | None = None) -> None:
        """With `known_scopes`, a habilitation may name no other."""
        self._pool = pool
        self._clock = clock
        self._known_scopes = known_scopes

    async def create_habilitation(self, terms: Terms) -> Habilitation:
        """Raises Unacceptable."""
        terms = _tidy(terms)
        check_terms(terms, self._known_scopes)
        created = await self._pool.fetchval(
            "INSERT INTO habilitations"
            " (siret, intitule, scopes, contacts, allowed_ips, rate_limit_per_minute, status)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id::text",
            *_columns(terms),
        )
        return await self.habilitation(created)

    async def habilitation(self, habilitation_id: str) -> Habilitation:
        """Raises Unknown."""
        row = await self._pool.fetchrow(_HABILITATIONS + "WHERE id = $1", _uuid(habilitation_id))
        return _habilitation(row, habilitation_id)

    async def habilitations(
        self, *, siret: str | None = None, after: str | None = None, limit: int = 100
    ) -> list[Habilitation]:
        """Newest first; `after` continues a list from its last id."""
        rows = await self._pool.fetch(
            _HABILITATIONS  # noqa: S608 - constants only
            + "WHERE ($1::text IS NULL OR siret = $1) AND ($2::uuid IS NULL OR (created_at, id) <"
            " (SELECT created_at, id FROM habilitations WHERE id = $2)) ORDER BY created_at DESC, id DESC LIMIT $3",
            siret,
            _uuid(after) if after else None,
            limit,
        )
        return [_habilitation(row, "") for row in rows]

    async def update_habilitation(
        self, habilitation_id: str, changes: Mapping[str, Any]
    ) -> tuple[Habilitation, list[TokenState]]:
        """Change some of its terms; raises Unknown or Unacceptable."""
        known = {field.name for field in fields(Terms)}
        strangers = [name for name in changes if name not in known]
        if strangers:
            remedy = f"Choisissez parmi : {', '.join(sorted(known))}."
            raise Unacceptable([Problem(name, "Ce champ n'existe pas.", remedy) for name in strangers])
        async with self._pool.acquire() as connection, connection.transaction():
            identifier = _uuid(habilitation_id)
            row = await connection.fetchrow(_HABILITATIONS + "WHERE id = $1 FOR UPDATE", identifier)
            terms = _tidy(replace(_habilitation(row, habilitation_id).terms, **changes))
            check_terms(terms, self._known_scopes)
            await connection.execute(
                "UPDATE habilitations SET siret = $1, intitule = $2, scopes = $3, contacts = $4, allowed_ips = $5,"
                " rate_limit_per_minute = $6, status = $7 WHERE id = $8",
                *_columns(terms),
                identifier,
            )
            row = await connection.fetchrow(_HABILITATIONS + "WHERE id = $1", identifier)
            states = await connection.fetch(_STATES + "WHERE t.habilitation_id = $1", identifier)
        return _habilitation(row, habilitation_id), [_state(state) for state in states]

    async def issue_token(
        self,
        habilitation_id: str,
        *,
        expires_at: datetime | None = None,
        mcp: bool = False,
        may_be_past: bool = False,
    ) -> tuple[Token, list[TokenState]]:
        """A client's token, for 18 months unless told otherwise; raises Unknown or Unacceptable.

        `may_be_past` admits one that is expired from the start, with which a client's handling of 00103 is tried.
        """
        now = from_epoch(self._clock())
        expires_at = check_expiry(expires_at, now, may_be_past=may_be_past)
        now = min(now, expires_at - timedelta(seconds=1))
        habilitation = await self.habilitation(habilitation_id)
        if habilitation.terms.status != "active":
            reason = "Cette habilitation est close : ses jetons seraient révoqués."
            raise Unacceptable([Problem("habilitation", reason, "Rouvrez-la d'abord, ou choisissez-en une autre.")])
        return await self._insert(
            "INSERT INTO tokens (kind, habilitation_id, iat, exp, mcp) VALUES ('client', $1, $2, $3, $4)",
            _uuid(habilitation_id),
            now,
            expires_at,
            mcp,
        )

    async def issue_operator(
        self, operator: str, scopes: Collection[str], *, expires_at: datetime | None = None
    ) -> tuple[Token, list[TokenState]]:
        """An operator's token; raises Unacceptable."""
        now = from_epoch(self._clock())
        check_operator(operator, scopes)
        return await self._insert(
            "INSERT INTO tokens (kind, operator, operator_scopes, iat, exp) VALUES ('operator', $1, $2, $3, $4)",
            operator.strip(),
            sorted(set(scopes)),
            now,
            check_expiry(expires_at, now),
        )

    async def token(self, jti: str) -> Token:
        """Raises Unknown."""
        return _token(await self._pool.fetchrow(_TOKENS + "WHERE t.jti = $1", _uuid(jti)), jti)

    async def tokens(
        self,
        *,
        habilitation_id: str | None = None,
        kind: Kind | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[Token]:
        """Newest first; `after` continues a list from its last jti."""
        rows = await self._pool.fetch(
            _TOKENS  # noqa: S608 - constants only
            + "WHERE ($1::uuid IS NULL OR t.habilitation_id = $1) AND ($2::text IS NULL OR t.kind = $2)"
            " AND ($3::uuid IS NULL OR (t.created_at, t.jti) <"
            " (SELECT created_at, jti FROM tokens WHERE jti = $3)) ORDER BY t.created_at DESC, t.jti DESC LIMIT $4",
            _uuid(habilitation_id) if habilitation_id else None,
            kind,
            _uuid(after) if after else None,
            limit,
        )
        return [_token(row, "") for row in rows]

    async def revoke_token(
        self, jti: str, *, at: datetime | None = None, reason: str | None = None
    ) -> tuple[Token, list[TokenState]]:
        """Revoke it now or plan to; one that is revoked already stays as it is. Raises Unknown or Unacceptable."""
        now = from_epoch(self._clock())
        if at is not None:
            check_zone("at", at)
        check_text("reason", reason)
        identifier = _uuid(jti)
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "UPDATE tokens SET revoked_at = $2, revocation_reason = $3"
                " WHERE jti = $1 AND (revoked_at IS NULL OR revoked_at > $4)",
                identifier,
                at or now,
                reason,
                now,
            )
            token = _token(await connection.fetchrow(_TOKENS + "WHERE t.jti = $1", identifier), jti)
            state = await connection.fetchrow(_STATES + "WHERE t.jti = $1", identifier)
        return token, [_state(state)]

    async def load_state(self, jti: str) -> TokenState | None:
        """What the registry says of a token now."""
        row = await self._pool.fetchrow(_STATES + "WHERE t.jti = $1", _uuid(jti))
        return _state(row) if row is not None else None

    async def states_changed_since(self, seconds: float, *, limit: int) -> list[TokenState]:
        """The states of the tokens that changed since that moment, the last first."""
        rows = await self._pool.fetch(
            _STATES + "WHERE t.state_version >= $1 ORDER BY t.state_version DESC LIMIT $2", int(seconds * 1e6), limit
        )
        return [_state(row) for row in rows]

    async def _insert(self, statement: str, *values: object) -> tuple[Token, list[TokenState]]:
        async with self._pool.acquire() as connection, connection.transaction():
            jti = await connection.fetchval(statement + " RETURNING jti", *values)
            token = _token(await connection.fetchrow(_TOKENS + "WHERE t.jti = $1", jti), jti)
            state = await connection.fetchrow(_STATES + "WHERE t.jti = $1", jti)
        return token, [_state(state)]


def _uuid(text: str) -> UUID:
    """Raises Unknown: what is no UUID names no row."""
    try:
        return UUID(text)
    except ValueError:
        raise Unknown(text) from None


def _tidy(terms: Terms) -> Terms:
    """Without spaces around texts, and with each scope and address once."""
    return replace(
        terms,
        siret=terms.siret.strip(),
        intitule=terms.intitule.strip(),
        scopes=_once(terms.scopes),
        contacts=tuple(terms.contacts),
        allowed_ips=_once(terms.allowed_ips),
    )


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.strip() for text in texts))


def _columns(terms: Terms) -> tuple[object, ...]:
    told = asdict(terms)
    told["contacts"] = orjson.dumps(told["contacts"]).decode()
    return tuple(told.values())


def _habilitation(row: "asyncpg.Record | None", identifier: str) -> Habilitation:
    if row is None:
        raise Unknown(identifier)
    terms = Terms(
        siret=row["siret"],
        intitule=row["intitule"],
        scopes=tuple(row["scopes"]),
        contacts=tuple(orjson.loads(row["contacts"])),
        allowed_ips=tuple(row["allowed_ips"]),
        rate_limit_per_minute=row["rate_limit_per_minute"],
        status=row["status"],
    )
    return Habilitation(row["id"], terms, row["created_at"], row["updated_at"])


def _token(row: "asyncpg.Record | None", jti: str) -> Token:
    if row is None:
        raise Unknown(jti)
    return Token(**{**row, "scopes": tuple(row["scopes"])})


def _state(row: "asyncpg.Record | None") -> TokenState:
    assert row is not None
    return TokenState(
        version=row["state_version"],
        jti=row["jti"],
        kind=row["kind"],
        habilitation_id=row["habilitation_id"],
        siret=row["siret"],
        intitule=row["intitule"],
        scopes=scope_set(row["scopes"]),
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        allowed_networks=networks(row["allowed_ips"]),
        rate_limit=row["rate_limit_per_minute"],
        mcp=row["mcp"],
    )
