"""`/admin`: what operators see and do. The door admits their tokens only, and records every visit."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import orjson
from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from audit.search import Query as AuditQuery
from audit.search import search
from gateway.errors import JSON, UNPROCESSABLE, Refused, error
from gateway.oversight import ban_row, counters_of, quota_rows
from gateway.pages.parts import CurrentVisit, GatewayParts
from gateway.parts import Parts, publisher
from gateway.registry.rules import Terms, Unacceptable
from gateway.registry.store import Store, Unknown
from providers import ADAPTERS, ENDPOINTS
from providers.base import Adapter
from ratelimit.address import block_of
from ratelimit.link import RedisUnavailable

router = APIRouter(prefix="/admin")

Limit = Annotated[int, Query(ge=1, le=1000)]


def _storable(text: str) -> str:
    """PostgreSQL has no room for a NUL."""
    if "\0" in text:
        raise PydanticCustomError("storable", "Ce texte contient un caractère nul, qui ne se conserve pas.")
    return text


Text = Annotated[str, AfterValidator(_storable)]

KNOWN_SCOPES = frozenset(scope for endpoint in ENDPOINTS for scope in endpoint.scopes)


@dataclass(eq=False)
class Missing(Exception):
    """What was named by that parameter is not there."""

    parameter: str


class NewHabilitation(BaseModel):
    """What `POST /admin/habilitations` takes."""

    model_config = ConfigDict(extra="forbid")

    siret: Text
    intitule: Text
    scopes: list[Text]
    contacts: list[dict[Text, Text]] = Field(default_factory=list)
    allowed_ips: list[Text] = Field(default_factory=list)
    rate_limit_per_minute: int | None = None


class NewToken(BaseModel):
    """What `POST /admin/tokens` takes."""

    model_config = ConfigDict(extra="forbid")

    habilitation: UUID
    expires_at: datetime | None = None
    mcp: bool = False


class Revocation(BaseModel):
    """What `POST /admin/tokens/{jti}/revocation` takes; now, where no moment is told."""

    model_config = ConfigDict(extra="forbid")

    at: datetime | None = None
    reason: Text | None = Field(None, max_length=500)


@router.get("/bans")
async def bans(parts: GatewayParts) -> Response:
    """The bans in force. No route lifts one."""
    return told([ban_row(ban, parts.clock()) for ban in parts.bans.list_active()])


@router.get("/bans/{ip:path}")
async def ban(ip: str, parts: GatewayParts) -> Response:
    """The ban of an address; IPv6 by its /64."""
    found = parts.bans.get(ip.removesuffix("/64"))
    if found is None:
        raise Missing("ip")
    return told(ban_row(found, parts.clock()))


@router.get("/ips/{ip}")
async def address(ip: str, parts: GatewayParts) -> Response:
    """What an address has done in the running minute."""
    block = block_of(ip)
    seen = await parts.limiter.peek_at_ip(block)
    held = parts.bans.get(ip)
    limits = parts.settings.ratelimit
    row = {
        "ip": block,
        "requests": seen.requests,
        "requests_limit": limits.ip_per_minute,
        "refusals": seen.refusals,
        "refusals_limit": limits.refusals_before_ban,
        "ban": ban_row(held, parts.clock()) if held is not None else None,
    }
    return told(row)


@router.get("/quotas/{jti}")
async def quotas(jti: UUID, parts: GatewayParts) -> Response:
    """What a token has used of its allowances; counts nothing."""
    state = await store(parts).load_state(str(jti))
    if state is None:
        raise Missing("jti")
    counters = counters_of(parts.limiter, ENDPOINTS, state)
    seen = await parts.limiter.peek_at_token(str(jti), counters)
    return told(quota_rows(counters, seen, parts.clock()))


@router.get("/tokens")
async def tokens(
    parts: GatewayParts, habilitation: UUID | None = None, after: UUID | None = None, limit: Limit = 100
) -> Response:
    """Tokens, newest first."""
    rows = await store(parts).tokens(
        habilitation_id=str(habilitation) if habilitation else None, after=str(after) if after else None, limit=limit
    )
    return listed(parts, "tokens", [asdict(row) for row in rows], "jti", limit)


@router.get("/tokens/{jti}")
async def token(jti: str, parts: GatewayParts) -> Response:
    """One token. Its JWT is not kept, and so not shown."""
    return told(asdict(await store(parts).token(jti)))


@router.post("/tokens", status_code=201)
async def issue(new: NewToken, parts: GatewayParts, visit: CurrentVisit) -> Response:
    """Issue a token; its JWT is in this answer, and nowhere else."""
    row, states = await store(parts).issue_token(str(new.habilitation), expires_at=new.expires_at, mcp=new.mcp)
    await publish(parts, states)
    visit.extra["token_issued"] = row.jti
    jwt = parts.keys.sign(
        jti=row.jti,
        scopes=row.scopes,
        subject=row.subject,
        issued_at=int(row.issued_at.timestamp()),
        expires_at=int(row.expires_at.timestamp()),
        version=row.version,
        mcp=row.mcp,
    )
    return told({**asdict(row), "token": jwt}, status=201)


@router.post("/tokens/{jti}/revocation")
async def revoke(jti: str, parts: GatewayParts, visit: CurrentVisit, asked: Revocation | None = None) -> Response:
    """Revoke a token, now or later; it holds at the next request."""
    asked = asked or Revocation()
    row, states = await store(parts).revoke_token(jti, at=asked.at, reason=asked.reason)
    await publish(parts, states)
    visit.extra["token_revoked"] = row.jti
    return told(asdict(row))


@router.get("/habilitations")
async def habilitations(
    parts: GatewayParts, siret: Text | None = None, after: UUID | None = None, limit: Limit = 100
) -> Response:
    """Habilitations, newest first."""
    rows = await store(parts).habilitations(siret=siret, after=str(after) if after else None, limit=limit)
    shown = [
        {"id": one.id, **asdict(one.terms), "created_at": one.created_at, "updated_at": one.updated_at} for one in rows
    ]
    return listed(parts, "habilitations", shown, "id", limit)


@router.post("/habilitations", status_code=201)
async def create(new: NewHabilitation, parts: GatewayParts, visit: CurrentVisit) -> Response:
    """Create a habilitation."""
    terms = Terms(
        siret=new.siret,
        intitule=new.intitule,
        scopes=tuple(new.scopes),
        contacts=tuple(new.contacts),
        allowed_ips=tuple(new.allowed_ips),
        rate_limit_per_minute=new.rate_limit_per_minute,
    )
    created = await store(parts).create_habilitation(terms)
    visit.extra["habilitation_created"] = created.id
    return told({"id": created.id, **asdict(created.terms)}, status=201)


@router.get("/providers")
async def providers(parts: GatewayParts) -> Response:
    """Each provider: its breaker in this worker, its maintenance, and the settings it lacks."""
    return told([_provider(parts, adapter) for adapter in ADAPTERS])


@router.get("/audit")
async def audit(
    parts: GatewayParts,
    request_id: Text | None = None,
    token: Text | None = None,
    habilitation: UUID | None = None,
    siren: Text | None = None,
    siret: Text | None = None,
    rna: Text | None = None,
    since: Annotated[datetime | None, Query(alias="from")] = None,
    until: Annotated[datetime | None, Query(alias="to")] = None,
    limit: Limit = 100,
) -> Response:
    """Records of the audit trail, newest first."""
    query = AuditQuery(
        request_id=request_id,
        jti=token,
        habilitation=habilitation,
        siren=siren,
        siret=siret,
        rna=rna,
        since=since,
        until=until,
        limit=limit,
    )
    async with aclosing(search(parts.pool, query)) as found:
        rows = [row async for row in found]
    return told(rows)


def told(data: Any, *, links: dict[str, str] | None = None, status: int = 200) -> Response:
    """The envelope of all answers."""
    count = {"count": len(data)} if isinstance(data, list) else {}
    body = orjson.dumps({"data": data, "links": links or {}, "meta": count}, default=_plain)
    return Response(body, status, media_type=JSON.decode())


def listed(parts: Parts, name: str, rows: list[dict[str, Any]], key: str, limit: int) -> Response:
    """A list, with the link to its next page where there may be one."""
    full = len(rows) == limit
    next_page = f"{parts.base}/admin/{name}?limit={limit}&after={rows[-1][key]}" if full else ""
    return told(rows, links={"next": next_page} if full else {})


def store(parts: Parts) -> Store:
    """The registry in the database."""
    return Store(parts.pool, parts.clock, KNOWN_SCOPES)


async def publish(parts: Parts, states: Sequence[Any]) -> None:
    """Make a change hold at once; Redis away, workers hear of it from PostgreSQL."""
    for state in states:
        try:
            await publisher(parts.limiter)(state.jti, state.version, state.pack())
        except RedisUnavailable:
            return


def refused(wrong: Exception) -> tuple[Refused, list[dict[str, Any]] | None]:
    """What the registry does not take, what it does not have, and what cannot be reached; with errors of its own."""
    if isinstance(wrong, Unacceptable):
        code = Refused.ADMIN_INPUT.value.code
        return Refused.ADMIN_INPUT, [
            error(code, UNPROCESSABLE, f"{problem.reason} {problem.remedy}", {"parameter": problem.field})
            for problem in wrong.problems
        ]
    if isinstance(wrong, Missing | Unknown):
        row = Refused.ADMIN_UNKNOWN.value
        parameter = wrong.parameter if isinstance(wrong, Missing) else "id"
        return Refused.ADMIN_UNKNOWN, [error(row.code, row.title, row.detail, {"parameter": parameter})]
    return Refused.UNAVAILABLE, None


REFUSED = (
    Unacceptable,
    Missing,
    Unknown,
    RedisUnavailable,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)
"""What `refused` answers."""


def _provider(parts: Parts, adapter: Adapter) -> dict[str, Any]:
    states = parts.upstream.states()
    return {
        "slug": adapter.slug,
        "title": adapter.title,
        "breaker": states.get(adapter.slug, "closed"),
        "maintenance_seconds_left": next(
            (left for p in adapter.providers if (left := parts.upstream.maintenance_left(p)) is not None), None
        ),
        "operations": [endpoint.operation_id for endpoint in adapter.endpoints],
        "pings": [f"{parts.base}/ping/{ping.path}" for ping in adapter.pings],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
