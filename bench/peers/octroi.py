"""Octroi as shipped: registry, audit on disk and in PostgreSQL, encrypted cache; only the limits are out of reach."""

import asyncio
import base64
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import redis

from bench import registry
from bench.machine import LOOPBACK, minute
from bench.peers.base import BAN_SECONDS, CACHE_SECONDS, DidNotStart, Launch, Peer, Place, keep_all
from bench.work import LIMIT, METERED_LIMIT, Tokens
from config.quotas import JSON_RESOURCES
from gateway.cache import Kept
from gateway.release import VERSION
from gateway.routing import Router
from gateway.sealed import Seal
from providers import ENDPOINTS
from ratelimit import keys
from ratelimit.ban import Ban

COUNT = "SELECT count(*) FROM audit_records WHERE at >= $1"
INSEE = ("CLIENT_ID", "CLIENT_SECRET", "USERNAME", "PASSWORD")


def settings(place: Place) -> dict[str, str]:
    """The environment of its processes."""
    return {
        "OCTROI_DATA_DIR": str(place.dir / "data"),
        "OCTROI_REDIS_URL": f"redis{'+cluster' * place.is_cluster}://{LOOPBACK}:{place.redis_port}",
        "OCTROI_DATABASE_URL": place.database_url,
        "OCTROI_JWT__SECRET": place.keys.jwt_secret,
        "OCTROI_CACHE__KEYS": json.dumps([base64.b64encode(place.keys.cache_key).decode()]),
        "OCTROI_UPSTREAM__OVERRIDE": f"http://{LOOPBACK}:{place.upstream_port}",
        "OCTROI_RATELIMIT__GROUPS__JSON_RESOURCES_ENTREPRISE": str(LIMIT),
        "OCTROI_RATELIMIT__IP_PER_MINUTE": str(LIMIT),
        "OCTROI_RATELIMIT__REFUSALS_BEFORE_BAN": str(LIMIT),
        "OCTROI_PROVIDERS__INSEE__BASE_URL": "https://insee-sirene.example",
        "OCTROI_PROVIDERS__INSEE__TOKEN_URL": "https://insee-auth.example/token",
        **{f"OCTROI_PROVIDERS__INSEE__{name}": "bench" for name in INSEE},
    }


def launch(place: Place) -> Launch:
    """Migrated, its tokens issued, ready to serve."""
    environ = settings(place)
    command = Command(environ)
    command("db", "migrate")
    serve = ["serve", "--host", LOOPBACK, "--port", str(place.port), "--workers", str(place.workers)]
    return Launch(
        argv=[*command.program, *serve],
        tokens=Tokens(
            good=registry.issue(place.database_url, place.keys.jwt_secret, 1)[0],
            metered=registry.issue(place.database_url, place.keys.jwt_secret, place.metered, rate_limit=METERED_LIMIT),
        ),
        trail=Records(place.database_url),
        limits=Counters(place),
        quiet=1.0,  # records reach PostgreSQL in shipments, half a second apart
        stdout=place.dir / "stdout",
        environ=environ,
        fill=Answers(place).fill,
    )


class Command:
    """The `octroi` command line under given settings."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = {**os.environ, **environ}
        installed = Path(sys.executable).with_name("octroi")
        by_import = [sys.executable, "-c", "from gateway.cli import main; main()"]
        self.program = [str(installed)] if installed.exists() else by_import

    def __call__(self, *arguments: str) -> str:
        argv = [*self.program, *arguments]
        done = subprocess.run(argv, env=self.environ, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise DidNotStart(f"octroi {' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout


class Records:
    """The audit trail, in PostgreSQL."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url
        self.since = datetime.fromtimestamp(0, UTC)
        self.settled = 0

    def length(self) -> int:
        return self.settled + asyncio.run(self._count())

    def settle(self) -> None:
        now = datetime.now(UTC)
        self.settled = self.length()
        self.since = now

    async def _count(self) -> int:
        connection = await asyncpg.connect(self.database_url)
        try:
            return int(await connection.fetchval(COUNT, self.since))
        finally:
            await connection.close()


class Counters:
    """The counters and the bans, in Redis."""

    def __init__(self, place: Place) -> None:
        self.redis = _client(place)

    def address(self, address: str) -> int:
        return self._count(keys.minute(address))

    def token(self, jti: str) -> int:
        """By its own limit where it has one, else by that of the group."""
        subject = keys.token(jti)
        own = self._count(keys.counter(subject, "custom"))
        return own or self._count(keys.counter(subject, JSON_RESOURCES.name))

    def ban(self, address: str) -> None:
        now = time.time()
        self.redis.set(keys.ban(address), Ban(address, "refusals", now, now + BAN_SECONDS).stored(), ex=BAN_SECONDS)

    def _count(self, key: bytes) -> int:
        return int(self.redis.hget(key, str(minute())) or 0)


class Answers:
    """The kept answers, in Redis."""

    def __init__(self, place: Place) -> None:
        base = f"http://{LOOPBACK}:{place.port}"
        self.router = Router(ENDPOINTS, f"{VERSION} {base}", base)
        self.seal = Seal([place.keys.cache_key])
        self.redis = _client(place)

    def fill(self, known: str, companies: Sequence[str]) -> None:
        """Give all companies the answer of the known one, with their own number in it."""
        name = self._name(known)
        sealed = self.redis.get(name)
        assert isinstance(sealed, bytes)
        body = Kept.unpack(self.seal.open(sealed, name.encode())).body
        now = time.time()
        keep_all(
            self.redis,
            {
                name: self.seal.seal(
                    Kept(200, body.replace(known.encode(), company.encode()), now, now + CACHE_SECONDS).pack(),
                    name.encode(),
                )
                for company, name in ((company, self._name(company)) for company in companies)
            },
        )

    def _name(self, company: str) -> str:
        found = self.router.find(f"/v3/insee/sirene/unites_legales/{company}".encode())
        return f"octroi:{{c:{found.digest.decode()}}}"


def _client(place: Place) -> redis.Redis | redis.RedisCluster:
    if place.is_cluster:
        return redis.RedisCluster(host=LOOPBACK, port=place.redis_port)
    return redis.Redis(host=LOOPBACK, port=place.redis_port)


def missing() -> str | None:
    """What to do where it is not there."""
    return None if importlib.util.find_spec("gateway.cli") else "gateway.cli is not there"


OCTROI = Peer(name="octroi", missing=missing, launch=launch, needs_database=True, counts_forged=True, bans="connection")
