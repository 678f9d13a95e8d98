"""Health: the gateway's own, and the providers' as `/ping/…` tells it (facts of the pings, in their order).

A ping answers within a second whatever the provider does: with what is kept, what is found in time, or what was found
last. Only an ok is kept, by all workers. Decision 7 tells which words it uses.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
import orjson
import structlog

from config.clock import PARIS, Clock
from gateway.database import Pool, within
from providers.base import Call, HealthThenRatio, Ping, ProviderFailed, RecentTraffic, Retriever, Upstream
from providers.base.windows import seconds_left
from ratelimit.link import Link, RedisUnavailable

log = structlog.get_logger()

LIMIT_SECONDS = 5.0
PATIENCE_SECONDS = 0.7
"""Longest time for which who asks waits for the provider: clients give a ping a second. The probe itself goes on."""
RECENT = timedelta(minutes=10)
FRESH = timedelta(minutes=15)
PROBE_SECONDS = 86400
"""Time for which what a ping found is kept, whatever it was."""
RECENT_SECONDS = 2.0
"""Longest wait for the database; without its word on recent traffic, a ping tells what else it knows."""
FAILING_SHARE = 0.10
FAILED = "bad_gateway"
CONCLUSIVE = frozenset({"ok", FAILED})
"""What a ping may find that tells how a provider does; it may also find nothing to judge by."""
DINUM = "13002526500013"
"""SIRET of the recipient named in the calls that pings make."""
PING_USER = "22222222-2222-2222-2222-222222222222"
PING_REQUEST = "22222222-2222-4222-8222-222222222222"


@dataclass(frozen=True, slots=True)
class Probe:
    """What a ping last found: of which provider (a slug), its status, and when."""

    path: str
    name: str
    provider: str
    status: str
    at: datetime

    def is_fresh(self, now: datetime) -> bool:
        """Whether it still tells how the provider does."""
        return now - self.at < FRESH


@dataclass(frozen=True)
class Told:
    """What a ping answers."""

    status: int
    body: bytes


class Health:
    """The pings of all providers."""

    def __init__(
        self,
        pings: Sequence[Ping],
        upstream: Upstream,
        link: Link,
        pool: Callable[[], Pool | None],
        clock: Clock,
        base: str,
    ) -> None:
        """`pool` gives the database, or None while it has not been reached."""
        self._pings = {ping.path: ping for ping in pings}
        self._upstream = upstream
        self._link = link
        self._pool = pool
        self._clock = clock
        self._base = base
        self._asking: dict[str, asyncio.Task[Told]] = {}

    def listing(self) -> list[dict[str, str]]:
        """`/pings`."""
        return [{"name": ping.name, "url": f"{self._base}/ping/{path}"} for path, ping in self._pings.items()]

    async def probes(self) -> list[Probe]:
        """What each ping last found, of those that were asked for lately. Asks no provider."""
        kept = await asyncio.gather(*(self._get(_latest(path)) for path in self._pings))
        found = []
        for ping, text in zip(self._pings.values(), kept, strict=True):
            if text is not None:
                told = orjson.loads(text)
                at = datetime.fromtimestamp(told["at"], PARIS)
                found.append(Probe(ping.path, ping.name, ping.provider.slug, told["status"], at))
        return found

    async def ping(self, path: str, *, detailed: bool = False) -> Told:
        """`/ping/{path}`. `detailed` has a maintenance called by its name, a word that breaks some clients."""
        ping = self._pings.get(path)
        if ping is None:
            return Told(404, b"{}")
        left = self._upstream.maintenance_left(ping.provider)
        if left is not None:
            until = datetime.fromtimestamp(self._clock() + left, PARIS)
            status = "maintenance" if detailed else "unknown"
            return Told(200, await self._body(path, status, self._clock(), until=_iso(until)))
        kept = await self._get(_key(path))
        if kept is not None:
            return Told(200, kept)
        asking = self._asking.get(path)
        if asking is None:
            asking = asyncio.get_running_loop().create_task(self._ask(ping))
            self._asking[path] = asking
            asking.add_done_callback(lambda _: self._asking.pop(path, None))
        done, _ = await asyncio.wait({asking}, timeout=PATIENCE_SECONDS)
        return asking.result() if done else await self._last_found(path)

    async def _last_found(self, path: str) -> Told:
        """What the last probe found, if it still tells something; the running one has yet to end."""
        now = self._clock()
        kept = await self._get(_latest(path))
        status, at = "unknown", now
        if kept is not None:
            told = orjson.loads(kept)
            if now - told["at"] < FRESH.total_seconds():
                status, at = told["status"], told["at"]
        return _told(status, await self._body(path, status, at))

    async def _ask(self, ping: Ping) -> Told:
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                status = await self._drive(ping)
        except TimeoutError:
            status = "bad_gateway"
        await self._set(_latest(ping.path), orjson.dumps({"status": status, "at": self._clock()}), PROBE_SECONDS)
        if status == "ok":
            await self._set(_last_ok(ping.path), self._now_text().encode(), None)
        body = await self._body(ping.path, status, self._clock())
        if status == "ok":
            await self._set(_key(ping.path), body, ping.minutes * 60)
        return _told(status, body)

    async def _drive(self, ping: Ping) -> str:
        match ping.driver:
            case Retriever() as driver:
                return await self._retrieve(driver)
            case RecentTraffic() as driver:
                names = [endpoint.operation_id for endpoint in driver.endpoints]
                statuses = await self._recent(names)
                judged = [status for status in statuses if status not in driver.ignored]
                return "unknown" if not judged else "ok" if 200 in judged else "bad_gateway"
            case HealthThenRatio() as driver:
                return await self._health_then_ratio(ping, driver)

    async def _retrieve(self, driver: Retriever) -> str:
        call = Call(
            values=dict(driver.identifiers),
            context="ping",
            object="ping",
            recipient=DINUM,
            user_id=PING_USER,
            request_id=PING_REQUEST,
            today=datetime.fromtimestamp(self._clock(), PARIS).date(),
            base=self._base,
        )
        try:
            answer = await self._upstream.fetch(driver.endpoint, call)
        except ProviderFailed:
            return "bad_gateway"
        return "ok" if driver.accepts(answer) else "bad_gateway"

    async def _health_then_ratio(self, ping: Ping, driver: HealthThenRatio) -> str:
        try:
            reply = await self._upstream.health(ping.provider, driver.request)
        except ProviderFailed:
            return "bad_gateway"
        if reply.status != 200:
            return "bad_gateway"
        lately = datetime.fromtimestamp(self._clock(), PARIS) - RECENT
        if seconds_left(ping.provider.maintenance, lately) is not None:
            return "ok"
        statuses = await self._recent([endpoint.operation_id for endpoint in driver.endpoints])
        failing = sum(status in (503, 504) for status in statuses)
        return "bad_gateway" if statuses and failing >= FAILING_SHARE * len(statuses) else "ok"

    async def _recent(self, operation_ids: list[str]) -> list[int]:
        """Statuses of the last ten minutes; none where the database is away."""
        pool = self._pool()
        if pool is None:
            return []
        since = datetime.fromtimestamp(self._clock(), PARIS) - RECENT
        try:
            rows = await within(
                RECENT_SECONDS,
                pool.fetch(
                    "SELECT status FROM audit_records WHERE at >= $1 AND operation_id = ANY($2)", since, operation_ids
                ),
            )
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            log.warning("recent_traffic_unknown", reason=type(error).__name__)
            return []
        return [row["status"] for row in rows]

    async def _body(self, path: str, status: str, at: float, **more: str) -> bytes:
        found = _iso(datetime.fromtimestamp(at, PARIS))
        last_ok = (await self._get(_last_ok(path)) or found.encode()).decode()
        return orjson.dumps({"status": status, **more, "last_update": found, "last_ok_status": last_ok})

    def _now_text(self) -> str:
        return _iso(datetime.fromtimestamp(self._clock(), PARIS))

    async def _get(self, key: bytes) -> bytes | None:
        try:
            found = await self._link.send(key, b"GET", key)
        except RedisUnavailable:
            return None
        return found if isinstance(found, bytes) else None

    async def _set(self, key: bytes, value: bytes, seconds: int | None) -> None:
        lasting = (b"EX", seconds) if seconds else ()
        try:
            await self._link.send(key, b"SET", key, value, *lasting)
        except RedisUnavailable:
            return


def _told(status: str, body: bytes) -> Told:
    return Told(502 if status == "bad_gateway" else 200, body)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _key(path: str) -> bytes:
    return b"octroi:{ping:" + path.encode() + b"}"


def _latest(path: str) -> bytes:
    return b"octroi:{ping:" + path.encode() + b"}:latest"


def _last_ok(path: str) -> bytes:
    return b"octroi:{ping:" + path.encode() + b"}:last_ok"
