"""`/livez`, `/readyz`, `/v{n}/ping`, `/pings`, `/ping/{provider}/{source}` and `/metrics`."""

import asyncio

import asyncpg
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from gateway.database import schema_state, within
from gateway.pages.parts import GatewayParts

router = APIRouter()

READINESS_SECONDS = 2.0


@router.api_route("/livez", methods=["GET", "HEAD"])
@router.api_route("/v{number:int}/ping", methods=["GET", "HEAD"])
async def live(number: int = 0) -> PlainTextResponse:
    """The process answers."""
    del number
    return PlainTextResponse("")


@router.api_route("/readyz", methods=["GET", "HEAD"])
async def ready(parts: GatewayParts) -> JSONResponse:
    """Whether calls can be served: 503 only where they cannot; what is merely degraded is told with a 200."""
    database = await _database(parts)
    told = {
        "redis": "ok" if parts.link.available else "degraded",
        "database": database,
        "audit": "ok" if parts.trail.unavailable_since is None else "failed",
        "audit_backlog_bytes": parts.trail.backlog_bytes,
    }
    return JSONResponse(told, 503 if "failed" in told.values() or database == "behind" else 200)


async def _database(parts: GatewayParts) -> str:
    try:
        state = await within(READINESS_SECONDS, schema_state(parts.pool))
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return "degraded"
    return "behind" if state.is_behind else "ok"


@router.api_route("/pings", methods=["GET", "HEAD"])
async def pings(parts: GatewayParts) -> JSONResponse:
    """The list of pings."""
    return JSONResponse(parts.health.listing())


@router.api_route("/ping/{path:path}", methods=["GET", "HEAD"])
async def ping(path: str, parts: GatewayParts, detail: str = "") -> Response:
    """One provider's health."""
    told = await parts.health.ping(path, detailed=detail == "true")
    return Response(told.body, told.status, media_type="application/json")


@router.get("/metrics")
async def metrics(parts: GatewayParts) -> PlainTextResponse:
    """Prometheus's text format; the door admits operators only."""
    return PlainTextResponse(await asyncio.to_thread(parts.metrics.exposition))
