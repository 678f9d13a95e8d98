"""The other peers: plain FastAPI, nginx with Lua, Node, HAProxy. What each of them does is in the file beside it."""

import base64
import json
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from bench.machine import LOOPBACK, LineCount
from bench.peers.base import Launch, Peer, Place, RedisLimits, SealedBodies
from bench.work import LIMIT, METERED_LIMIT, METERED_PREFIX

HERE = Path(__file__).parent
NODE = HERE / "node"
OLDEST_NODE = (20, 18, 1)
PLAIN_DATABASE, NGINX_DATABASE, NODE_DATABASE = 1, 2, 3


def _present() -> None:
    return None


def _plain(place: Place) -> Launch:
    log = place.dir / "requests.log"
    argv = [sys.executable, "-m", "uvicorn", "bench.peers.plain_fastapi:app", "--host", LOOPBACK]
    argv += ["--port", str(place.port), "--workers", str(place.workers), "--no-access-log", "--log-level", "warning"]
    return Launch(
        argv=argv,
        tokens=place.keys.tokens(place.now, place.metered),
        trail=LineCount(log),
        limits=RedisLimits(place.redis_port, PLAIN_DATABASE),
        stdout=place.dir / "stdout",
        errors=place.dir / "stderr",
        environ={
            "PLAIN_JWT_SECRET": place.keys.jwt_secret,
            "PLAIN_CACHE_KEY": _cache_key(place),
            "PLAIN_REDIS_URL": f"redis://{LOOPBACK}:{place.redis_port}/{PLAIN_DATABASE}",
            "PLAIN_INSEE_URL": f"http://{LOOPBACK}:{place.upstream_port}/insee-sirene.example",
            "PLAIN_LOG": str(log),
            "PLAIN_LIMIT": str(LIMIT),
            "PLAIN_METERED_PREFIX": METERED_PREFIX,
            "PLAIN_METERED_LIMIT": str(METERED_LIMIT),
        },
        fill=SealedBodies(place.redis_port, PLAIN_DATABASE, place.keys.cache_key, "cache:unite_legale:").fill,
    )


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
        tokens=place.keys.tokens(place.now, place.metered),
        trail=LineCount(place.dir / "audit.log"),
        limits=RedisLimits(place.redis_port, NGINX_DATABASE),
        stdout=place.dir / "stdout",
        errors=place.dir / "error.log",
        fill=SealedBodies(place.redis_port, NGINX_DATABASE, place.keys.cache_key, "cache:").fill,
    )


def _node_missing() -> str | None:
    if not shutil.which("node"):
        return "node is not installed (Debian: nodejs npm; 20.18.1 or later)"
    told = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    version = tuple(map(int, re.findall(r"\d+", told)))
    if version < OLDEST_NODE:
        return f"node {told.strip()} is too old: {'.'.join(map(str, OLDEST_NODE))} or later is needed"
    if not all((NODE / "node_modules" / name).is_dir() for name in ("ioredis", "undici")):
        return f"its packages are not installed: npm ci --prefix {NODE.relative_to(HERE.parents[1])}"
    return None


def _node(place: Place) -> Launch:
    audit = place.dir / "audit.log"
    told = {
        "port": place.port,
        "redis_port": place.redis_port,
        "redis_database": NODE_DATABASE,
        "upstream_port": place.upstream_port,
        "workers": place.workers,
        "secret": place.keys.jwt_secret,
        "cache_key": _cache_key(place),
        "limit": LIMIT,
        "metered_prefix": METERED_PREFIX,
        "metered_limit": METERED_LIMIT,
        "audit": str(audit),
    }
    return Launch(
        argv=["node", str(NODE / "gate.js")],
        tokens=place.keys.tokens(place.now, place.metered),
        trail=LineCount(audit),
        limits=RedisLimits(place.redis_port, NODE_DATABASE),
        stdout=place.dir / "stdout",
        errors=place.dir / "stderr",
        environ={"NODE_GATE": json.dumps(told), "NODE_ENV": "production"},
        fill=SealedBodies(place.redis_port, NODE_DATABASE, place.keys.cache_key, "cache:").fill,
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
    return Launch(
        argv=["haproxy", "-db", "-f", str(config)],
        tokens=place.keys.tokens(place.now, place.metered),
        trail=LineCount(audit),
        limits=StickTables(place.dir / "admin.sock"),
        least_recorded=1.0 if place.workers == 1 else 0.99,  # of two threads with a line to write, one may drop it
        most_forgotten=1e-4,  # its cache tells answers apart by 32 bits: a few in 100 000 collide
        stdout=audit,
    )


class StickTables:
    """HAProxy's counters: how many requests it has tracked since it first saw a subject, told by its admin socket."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def address(self, address: str) -> int:
        return self._count("addresses", f"::ffff:{address}")

    def token(self, jti: str) -> int:
        return self._count("tokens", jti)

    def ban(self, address: str) -> None:
        self._command(f"set table addresses key ::ffff:{address} data.gpc0 1")

    def _count(self, table: str, key: str) -> int:
        found = re.search(r"http_req_cnt=(\d+)", self._command(f"show table {table} key {key}"))
        return int(found[1]) if found else 0

    def _command(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as admin:
            admin.connect(str(self.path))
            admin.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: admin.recv(65536), b"")).decode()


def _filled(template: str, place: Place) -> Path:
    values = {
        "DIR": place.dir,
        "PEERS": HERE,
        "MODULES": _nginx_modules(),
        "PORT": place.port,
        "UPSTREAM_PORT": place.upstream_port,
        "REDIS_PORT": place.redis_port,
        "REDIS_DATABASE": NGINX_DATABASE,
        "WORKERS": place.workers,
        "LIMIT": LIMIT,
        "METERED_PREFIX": METERED_PREFIX,
        "METERED_LIMIT": METERED_LIMIT,
        "SECRET": place.keys.jwt_secret,
        "CACHE_KEY": _cache_key(place),
    }
    text = re.sub(r"@([A-Z_]+)@", lambda name: str(values[name[1]]), (HERE / template).read_text())
    path = place.dir / template
    path.write_text(text)
    return path


def _cache_key(place: Place) -> str:
    return base64.b64encode(place.keys.cache_key).decode()


PLAIN = Peer(name="plain-fastapi", missing=_present, launch=_plain, forgets_cut_off=True, bans="answer")
NGINX = Peer(name="nginx-lua", missing=_nginx_missing, launch=_nginx)
NODE_GATE = Peer(name="node", missing=_node_missing, launch=_node)
HAPROXY = Peer(name="haproxy", missing=_haproxy_missing, launch=_haproxy, counts_forged=True, bans="connection")
