"""What a peer is to the bench: what it needs, how it is started, where it records, how it counts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import redis
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.machine import LOOPBACK, minute
from bench.work import Keys, Tokens

BAN_SECONDS = 43_200
CACHE_SECONDS = 3600
NONCE_BYTES = 12
FILL_BATCH = 2000


class DidNotStart(Exception):
    """A peer that ended, or kept silent, instead of listening."""


class Trail(Protocol):
    """The audit trail of a peer."""

    def length(self) -> int:
        """How many requests it holds by now."""
        ...

    def settle(self) -> None:
        """Told when nothing is on its way any more, so that what was counted need not be counted again."""
        ...


class Limits(Protocol):
    """What a peer counts by, and whom it bans."""

    def address(self, address: str) -> int:
        """Requests of that address in the running window."""
        ...

    def token(self, jti: str) -> int:
        """Calls of that token in the running window."""
        ...

    def ban(self, address: str) -> None:
        """Ban an address."""
        ...


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
    metered: int
    """How many metered tokens it needs."""
    is_cluster: bool = False
    """Whether that Redis is a node of a cluster; for Octroi alone."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A server ready to be started."""

    argv: list[str]
    tokens: Tokens
    trail: Trail
    limits: Limits
    quiet: float = 0.5
    """Seconds without a new record after which none is on its way any more."""
    least_recorded: float = 1.0
    """The share of requests that its trail holds at least."""
    most_forgotten: float = 0.0
    """The share of cached answers that may be gone all the same."""
    stdout: Path
    errors: Path | None = None
    """A log that stays empty unless something is wrong: a peer that complains at each request is not measured."""
    environ: Mapping[str, str] = field(default_factory=dict)
    fill: Callable[[str, Sequence[str]], None] | None = None
    """Keep for many companies what is kept for one; none: each has to be asked for."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One of those compared."""

    name: str
    missing: Callable[[], str | None]
    """What to install, where something is missing."""
    launch: Callable[[Place], Launch]
    needs_database: bool = False
    forgets_cut_off: bool = False
    """Whether a request whose client hangs up may stay without a record."""
    counts_forged: bool = False
    """Whether a request with a forged token counts for its address."""
    bans: Literal["connection", "request", "answer"] = "request"
    """A banned client is turned away before it is read; or read, recorded and left without a byte; or told so."""


class RedisLimits:
    """Counters as most keep them: a key for each subject and minute."""

    def __init__(self, port: int, database: int) -> None:
        self.redis = redis.Redis(host=LOOPBACK, port=port, db=database)

    def address(self, address: str) -> int:
        return self._count(f"ip:{address}:{minute()}")

    def token(self, jti: str) -> int:
        return self._count(f"token:{jti}:{minute()}")

    def ban(self, address: str) -> None:
        self.redis.set(f"ban:{address}", 1, ex=BAN_SECONDS)

    def _count(self, key: str) -> int:
        return int(self.redis.get(key) or 0)


class SealedBodies:
    """Bodies as most keep them: a nonce and what AES-256-GCM makes of the body, under the name of the company."""

    def __init__(self, port: int, database: int, key: bytes, prefix: str) -> None:
        self.redis = redis.Redis(host=LOOPBACK, port=port, db=database)
        self.cipher = AESGCM(key)
        self.prefix = prefix

    def fill(self, known: str, companies: Sequence[str]) -> None:
        """Give all companies the body of the known one, with their own number in it."""
        sealed = self.redis.get(self.prefix + known)
        assert isinstance(sealed, bytes)
        body = self.cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
        nonces = (number.to_bytes(NONCE_BYTES) for number in range(len(companies)))
        keep_all(
            self.redis,
            {
                self.prefix + company: nonce
                + self.cipher.encrypt(nonce, body.replace(known.encode(), company.encode()), None)
                for company, nonce in zip(companies, nonces, strict=True)
            },
        )


def keep_all(store: redis.Redis | redis.RedisCluster, values: Mapping[str, bytes]) -> None:
    """Store many values, each for as long as an answer is kept."""
    pipeline = store.pipeline(transaction=False)
    for number, (key, value) in enumerate(values.items(), 1):
        pipeline.set(key, value, ex=CACHE_SECONDS)
        if number % FILL_BATCH == 0:
            pipeline.execute()
    pipeline.execute()
