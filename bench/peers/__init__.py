"""The peers: what each needs, how it is started, and where it writes its audit trail."""

import asyncio
import base64
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from bench.machine import LOOPBACK, LineCount
from bench.work import RECIPIENT, Keys

HERE = Path(__file__).parent
LIMIT = 1_000_000_000
"""Every limit that counts requests: counted as ever, never reached."""
AUDIT_COUNT = "SELECT count(*) FROM audit_records"


class DidNotStart(Exception):
    """A peer that ended, or kept silent, instead of listening."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a peer is given to stand on."""

    dir: Path
    port: int
    redis_port: int
    database_url: str
    upstream_port: int
    keys: Keys
    now: int
    workers: int


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A server ready to be started."""

    argv: list[str]
    token: str
    records: Callable[[], int]
    """How many requests its audit trail holds by now."""
    quiet: float = 0.6
    """Seconds without a new record after which none is on its way any more."""
    stdout: Path
    errors: Path | None = None
    """A log that stays empty unless something is wrong: a peer that complains at each request is not measured."""
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Peer:
    """One of those compared."""

    name: str
    missing: Callable[[], str | None]
    """What to install, where something is missing."""
    launch: Callable[[Place], Launch]
    needs_database: bool = False


def _present() -> None:
    return None


def _plain(place: Place) -> Launch:
    log = place.dir / "requests.log"
    argv = [sys.executable, "-m", "uvicorn", "bench.peers.plain_fastapi:app", "--host", LOOPBACK]
    argv += ["--port", str(place.port), "--workers", str(place.workers), "--no-access-log", "--log-level", "warning"]
    return Launch(
        argv=argv,
        token=place.keys.token(place.now),
        records=LineCount(log),
        stdout=place.dir / "stdout",
        errors=place.dir / "stderr",
        environ={
            "PLAIN_JWT_SECRET": place.keys.jwt_secret,
            "PLAIN_CACHE_KEY": base64.b64encode(place.keys.cache_key).decode(),
            "PLAIN_REDIS_URL": f"redis://{LOOPBACK}:{place.redis_port}/1",
            "PLAIN_INSEE_URL": f"http://{LOOPBACK}:{place.upstream_port}/insee-sirene.example",
            "PLAIN_LOG": str(log),
            "PLAIN_LIMIT": str(LIMIT),
        },
    )


def _haproxy_missing() -> str | None:
    if not shutil.which("haproxy"):
        return "haproxy is not installed (Debian: haproxy, 2.6 or later)"
    told = subprocess.run(["haproxy", "-v"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"version (\d+)\.(\d+)", told)
    is_recent = version is not None and (int(version[1]), int(version[2])) >= (2, 5)
    return None if is_recent else "haproxy is too old for jwt_verify (2.5 or later)"


def _haproxy(place: Place) -> Launch:
    config = _filled("haproxy.cfg", place)
    audit = place.dir / "audit.log"
    token = place.keys.token(place.now)
    return Launch(argv=["haproxy", "-db", "-f", str(config)], token=token, records=LineCount(audit), stdout=audit)


def _nginx_modules() -> Path:
    return Path("/usr/lib/nginx/modules")


def _nginx_missing() -> str | None:
    needed = {
        "nginx": bool(shutil.which("nginx")),
        "libnginx-mod-http-lua": (_nginx_modules() / "ngx_http_lua_module.so").exists(),
        "lua-nginx-redis": Path("/usr/share/lua/5.1/nginx/redis.lua").exists(),
        "lua-cjson": any(Path("/usr/lib").glob("*/lua/5.1/cjson.so")),
    }
    absent = [package for package, is_there in needed.items() if not is_there]
    return f"not installed (Debian): {', '.join(absent)}" if absent else None


def _nginx(place: Place) -> Launch:
    config = _filled("nginx.conf", place)
    return Launch(
        argv=["nginx", "-e", str(place.dir / "error.log"), "-c", str(config)],
        token=place.keys.token(place.now),
        records=LineCount(place.dir / "audit.log"),
        stdout=place.dir / "stdout",
        errors=place.dir / "error.log",
    )


def _filled(template: str, place: Place) -> Path:
    values = {
        "DIR": place.dir,
        "PEERS": HERE,
        "MODULES": _nginx_modules(),
        "PORT": place.port,
        "UPSTREAM_PORT": place.upstream_port,
        "REDIS_PORT": place.redis_port,
        "REDIS_DATABASE": 2,
        "WORKERS": place.workers,
        "LIMIT": LIMIT,
        "SECRET": place.keys.jwt_secret,
        "CACHE_KEY": base64.b64encode(place.keys.cache_key).decode(),
    }
    text = re.sub(r"@([A-Z_]+)@", lambda name: str(values[name[1]]), (HERE / template).read_text())
    path = place.dir / template
    path.write_text(text)
    return path


def _octroi_missing() -> str | None:
    return None if importlib.util.find_spec("gateway.cli") else "gateway.cli is not there"


def _octroi(place: Place) -> Launch:
    """As shipped: registry, audit on disk and in PostgreSQL, encrypted cache; only the limits are out of reach."""
    environ = {
        "OCTROI_DATA_DIR": str(place.dir / "data"),
        "OCTROI_REDIS_URL": f"redis://{LOOPBACK}:{place.redis_port}/0",
        "OCTROI_DATABASE_URL": place.database_url,
        "OCTROI_JWT__SECRET": place.keys.jwt_secret,
        "OCTROI_CACHE__KEYS": json.dumps([base64.b64encode(place.keys.cache_key).decode()]),
        "OCTROI_UPSTREAM__OVERRIDE": f"http://{LOOPBACK}:{place.upstream_port}",
        "OCTROI_RATELIMIT__GROUPS__JSON_RESOURCES_ENTREPRISE": str(LIMIT),
        "OCTROI_RATELIMIT__IP_PER_MINUTE": str(LIMIT),
        "OCTROI_PROVIDERS__INSEE__BASE_URL": "https://insee-sirene.example",
        "OCTROI_PROVIDERS__INSEE__TOKEN_URL": "https://insee-auth.example/token",
        **{
            f"OCTROI_PROVIDERS__INSEE__{key}": "bench" for key in ("CLIENT_ID", "CLIENT_SECRET", "USERNAME", "PASSWORD")
        },
    }
    command = Command(environ)
    command("db", "migrate")
    created = command("habilitation", "create", "--siret", RECIPIENT, "--title", "Bench", "--scopes", "all", "--json")
    token = command("token", "issue", "--habilitation", str(json.loads(created)["id"])).strip()
    serve = ["serve", "--host", LOOPBACK, "--port", str(place.port), "--workers", str(place.workers)]
    return Launch(
        argv=[*command.program, *serve],
        token=token,
        records=lambda: asyncio.run(_audit_records(place.database_url)),
        quiet=2.0,  # records reach PostgreSQL in shipments, half a second apart
        stdout=place.dir / "stdout",
        environ=environ,
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


async def _audit_records(database_url: str) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        return int(await connection.fetchval(AUDIT_COUNT))
    finally:
        await connection.close()


PEERS = (
    Peer("octroi", _octroi_missing, _octroi, needs_database=True),
    Peer("plain-fastapi", _present, _plain),
    Peer("nginx-lua", _nginx_missing, _nginx),
    Peer("haproxy", _haproxy_missing, _haproxy),
)
