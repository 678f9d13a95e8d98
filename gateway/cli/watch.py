"""`octroi bans`, `octroi quotas` and `octroi doctor`."""

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from config.clock import system_clock
from config.settings import Settings, WrongSettings, load
from gateway.cli.common import JSON_OPTION, Connected, Failed, run, show
from gateway.cli.config import missing, verify
from gateway.database import schema_state
from gateway.documents import open_store, trouble_with
from gateway.oversight import ban_row, counters_of, quota_rows
from providers import ADAPTERS, ENDPOINTS
from ratelimit.bans import Bans
from ratelimit.link import RedisUnavailable

BAN_COLUMNS = ("ip", "reason", "banned_at", "until", "seconds_left")
QUOTA_COLUMNS = ("group", "limit", "used", "remaining", "reset")


def bans(as_json: bool = JSON_OPTION) -> None:
    """List the bans in force. Each ends by itself; no command lifts one."""

    async def work(connections: Connected) -> list[dict[str, Any]]:
        found = await Bans.open(connections.link, connections.pool, system_clock)
        try:
            return [ban_row(ban, system_clock()) for ban in found.list_active()]
        finally:
            await found.close()

    show(run(work), as_json, BAN_COLUMNS)


def quotas(
    jti: Annotated[str, typer.Argument(help="jti of the token.")],
    as_json: bool = JSON_OPTION,
) -> None:
    """Show what a token has used of its allowances in the running minute; counts nothing."""

    async def work(connections: Connected) -> list[dict[str, Any]]:
        state = await connections.store.load_state(jti)
        if state is None:
            raise Failed(f"The registry has no token {jti}")
        counters = counters_of(connections.limiter, ENDPOINTS, state)
        try:
            seen = await connections.limiter.peek_at_token(jti, counters)
        except RedisUnavailable:
            raise Failed("Redis does not answer: check OCTROI_REDIS_URL") from None
        return quota_rows(counters, seen, system_clock())

    show(run(work), as_json, QUOTA_COLUMNS)


def doctor(as_json: bool = JSON_OPTION) -> None:
    """Look at settings, stores and providers' credentials; status 1 where something needs care."""
    try:
        settings = load()
        verify(settings)
    except WrongSettings as wrong:
        show([_finding("settings", False, problem) for problem in wrong.problems], as_json, FINDING_COLUMNS)
        sys.exit(1)
    findings = [_finding("settings", True, "sound"), _disk(settings.data_dir), _documents(settings)]

    async def work(connections: Connected) -> list[dict[str, Any]]:
        state = await schema_state(connections.pool)
        return [
            _finding("postgresql", not state.is_behind, f"schema {state.current}"),
            _finding(
                "redis", connections.link.available, "answers" if connections.link.available else "does not answer"
            ),
        ]

    try:
        findings += run(work)
    except Failed as failure:
        findings.append(_finding("postgresql", False, str(failure)))
    for adapter in ADAPTERS:
        lacking = missing(settings, adapter)
        findings.append(_finding(adapter.slug, not lacking, f"set {', '.join(lacking)}" if lacking else "ready"))
    show(findings, as_json, FINDING_COLUMNS)
    sys.exit(not all(finding["ok"] for finding in findings))


FINDING_COLUMNS = ("what", "ok", "detail")


LEAST_FREE_BYTES = 512 * 1024 * 1024
"""Room for a long outage of PostgreSQL: some million records."""


def _disk(folder: Path) -> dict[str, Any]:
    free = shutil.disk_usage(folder).free
    return _finding("disk", free >= LEAST_FREE_BYTES, f"{free // 2**20} MiB free for {folder}")


def _documents(settings: Settings) -> dict[str, Any]:
    where = settings.documents.store or "the data directory"
    trouble = asyncio.run(trouble_with(open_store(settings.documents, settings.data_dir)))
    return _finding("documents", trouble is None, f"{where}: {trouble or 'writes, reads and deletes'}")


def _finding(what: str, ok: bool, detail: str) -> dict[str, Any]:
    return {"what": what, "ok": ok, "detail": detail}
