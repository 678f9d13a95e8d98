"""The registry and the audit trail of a running gateway, reached in this process: a command takes seconds to start."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import redis

from audit.search import Query, search
from config.clock import system_clock
from config.settings import JwtSettings
from gateway.cli.common import all_scopes, signed
from gateway.database import Pool, open_pool
from gateway.registry.rules import Terms, from_epoch
from gateway.registry.store import Store
from gateway.tokens import Keys
from tests.e2e.running import RECIPIENT, Caller, Served


@dataclass
class Registered(Caller):
    """A caller, and what the registry calls it."""

    jti: str = ""
    habilitation: str = ""

    def client(self) -> httpx.AsyncClient:
        """Without reading the certificates of all authorities, which takes longer than a call."""
        transport = httpx.AsyncHTTPTransport(
            verify=False, local_address=self.source, limits=httpx.Limits(max_connections=100)
        )
        return httpx.AsyncClient(base_url=self.url, transport=transport, timeout=30)


class Office:
    """Issues tokens, and reads what became of the requests made with them."""

    def __init__(self, pool: Pool, keys: Keys, url: str) -> None:
        self.pool = pool
        self.url = url
        self._keys = keys
        self._store = Store(pool, system_clock)

    async def caller(
        self,
        *scopes: str,
        source: str = "127.0.0.1",
        allowed_ips: tuple[str, ...] = (),
        rate_limit: int | None = None,
        is_expired: bool = False,
    ) -> Registered:
        """A client with a habilitation of its own, with every scope unless told otherwise."""
        terms = Terms(RECIPIENT, "Test", scopes or tuple(all_scopes()), (), allowed_ips, rate_limit)
        habilitation = await self._store.create_habilitation(terms)
        until = from_epoch(system_clock()) - timedelta(hours=1) if is_expired else None
        token, _ = await self._store.issue_token(habilitation.id, expires_at=until, may_be_past=True)
        return Registered(self.url, signed(self._keys, token), source, jti=token.jti, habilitation=habilitation.id)

    async def operator(self, *scopes: str) -> Registered:
        """An operator, who may do all unless told otherwise."""
        token, _ = await self._store.issue_operator("Test", scopes or ("admin:read", "admin:write"))
        return Registered(self.url, signed(self._keys, token), jti=token.jti)

    async def revoke(self, caller: Registered) -> None:
        """Revoke a token, and tell nobody but PostgreSQL."""
        await self._store.revoke_token(caller.jti)

    async def records(self, count: int = 1, seconds: float = 15.0, **asked: Any) -> list[dict[str, Any]]:
        """The records found, newest first, once there are as many."""
        query = Query(**asked, limit=None)
        until = time.monotonic() + seconds
        while True:
            async with aclosing(search(self.pool, query)) as found:
                rows = [row async for row in found]
            if len(rows) >= count:
                return rows
            assert time.monotonic() < until, f"{len(rows)} records of {count} for {asked}"
            await asyncio.sleep(0.05)

    async def record_of(self, answer: httpx.Response) -> dict[str, Any]:
        """The one record of an answer."""
        rows = await self.records(request_id=answer.headers["x-request-id"])
        assert len(rows) == 1
        return rows[0]


@asynccontextmanager
async def open_office(gateway: Served, database_url: str = "") -> AsyncIterator[Office]:
    """An office beside a running gateway, on another way to its database if there is one."""
    keys = Keys.load(JwtSettings(), Path(gateway.environ["OCTROI_DATA_DIR"]), system_clock)
    pool = await open_pool(database_url or gateway.environ["OCTROI_DATABASE_URL"])
    try:
        yield Office(pool, keys, gateway.url)
    finally:
        await pool.close()


def uuid_of(text: str) -> UUID:
    """For conditions on a habilitation."""
    return UUID(text)


def everything(client: redis.Redis) -> Iterator[tuple[bytes, bytes]]:
    """Every key of a Redis, with all that it holds."""
    readers = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
    }
    for key in client.scan_iter(count=1000):
        kind = client.type(key)
        if kind in readers:
            yield key, b"%r" % readers[kind](key)


def children_of(parents: set[int]) -> set[int]:
    """The processes begun by these, and by those in turn; the dead that nobody has buried are none."""
    found = set(parents)
    for pid in sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        with suppress(OSError):  # it has just ended
            state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) in found and state != "Z":
                found.add(pid)
    return found - parents


def workers_of(gateway: Served) -> list[int]:
    """The living processes that serve."""
    children = children_of({gateway.process.pid})
    return [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
