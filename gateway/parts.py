"""Everything the gateway is made of, opened in order and closed in reverse: `opened(settings)`."""

import asyncio
import base64
import secrets
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
import structlog
from aiohttp.resolver import ThreadedResolver

from audit.trail import Trail
from config.clock import PARIS, Clock, system_clock
from config.settings import PREFIX, ProviderSettings, Settings, WrongSettings
from gateway.cache import AnswerCache
from gateway.database import Pool, open_pool
from gateway.documents import Documents, open_store
from gateway.downloads import Downloads
from gateway.health import Health
from gateway.mcp.tools import Toolbox
from gateway.metrics import Metrics
from gateway.pipeline import Pipeline
from gateway.protocol import Doorstep
from gateway.registry.registry import STATE_SECONDS, Publish, Registry
from gateway.release import VERSION
from gateway.remote import PublicOnly, RemoteFiles, allowed_hosts, remote_client
from gateway.routing import Router
from gateway.sealed import Seal
from gateway.status.bulletin import Bulletin
from gateway.status.tally import Tally
from gateway.tokens import Keys, VerifiedTokens
from gateway.transport import ProviderTransport
from gateway.vault import RedisVault
from gateway.visits import Visits
from providers import ADAPTERS, ENDPOINTS
from providers.base import Upstream
from providers.base.vault import Vault
from ratelimit.bans import Bans
from ratelimit.limiter import Limiter
from ratelimit.link import Link

log = structlog.get_logger()

SWEEP_SECONDS = 3600.0
DEVELOPMENT_CACHE_KEY = "cache.key"


@dataclass(frozen=True)
class Parts:
    """The parts that pages and tests reach for."""

    settings: Settings
    pipeline: Pipeline
    visits: Visits
    registry: Registry
    keys: Keys
    limiter: Limiter
    bans: Bans
    link: Link
    pool: Pool
    documents: Documents
    remote: RemoteFiles
    downloads: Downloads
    toolbox: Toolbox
    upstream: Upstream
    health: Health
    bulletin: Bulletin
    trail: Trail
    metrics: Metrics
    doorstep: Doorstep
    clock: Clock
    base: str


@asynccontextmanager
async def opened(settings: Settings, clock: Clock = system_clock) -> AsyncIterator[Parts]:
    """The parts, for a worker. `redis_url`, `database_url` and `public_url` must be set by now."""
    redis_url, database_url, base = _addresses(settings)
    if settings.query_token:
        log.warning("tokens_admitted_in_addresses", remedy="set OCTROI_QUERY_TOKEN=false once no client needs it")
    async with AsyncExitStack() as stack:
        certificates = certified_contexts(settings.providers)
        seal = Seal(cache_keys(settings))
        keys = Keys.load(settings.jwt, settings.data_dir, clock)
        pool = await open_pool(database_url)
        stack.push_async_callback(_close_pool, pool)
        link = await Link.open(redis_url, settings.ratelimit.redis_timeout_seconds)
        stack.push_async_callback(link.close)
        limiter = Limiter(link, settings.ratelimit, settings.workers, clock)
        doorstep = Doorstep()
        bans = doorstep.bans = await Bans.open(link, pool, clock)
        bans.on_ban(doorstep.ban)
        stack.push_async_callback(bans.close)
        registry = Registry(lambda: pool, publisher(limiter), clock, retract=limiter.retract_state)
        await registry.open()
        stack.push_async_callback(registry.close)
        trail = await Trail.open(settings.audit, settings.data_dir / "spool", pool, clock)
        stack.push_async_callback(trail.close)
        store = open_store(settings.documents, settings.data_dir)
        documents = Documents(store, link, seal, settings.documents, clock, base)
        vault = RedisVault(link, seal, clock)
        upstream = await stack.enter_async_context(_upstream(settings, certificates, vault, documents, clock))
        cache = AnswerCache(link, seal, clock, settings.cache.local_bytes)
        stack.push_async_callback(cache.close)
        metrics = Metrics()
        verified = VerifiedTokens(keys)
        shared = {
            "verified": verified,
            "registry": registry,
            "limiter": limiter,
            "bans": bans,
            "trail": trail,
            "metrics": metrics,
            "clock": clock,
        }
        pipeline = Pipeline(
            router=Router(ENDPOINTS, f"{VERSION} {base}", base),
            link=link,
            cache=cache,
            documents=documents,
            upstream=upstream,
            base=base,
            query_token=settings.query_token,
            distinct_recipient=settings.distinct_recipient,
            log_requests=settings.log_requests,
            **shared,  # type: ignore[arg-type]
        )
        visits = Visits(query_token=settings.query_token, **shared)  # type: ignore[arg-type]
        deferred = {name: endpoint for adapter in ADAPTERS for name, endpoint in adapter.deferred.items()}
        downloads = Downloads(documents, visits, upstream, deferred, clock, base)
        toolbox = Toolbox(ENDPOINTS, upstream, documents, clock, base)
        remote = await stack.enter_async_context(_remote(settings))
        pings = [ping for adapter in ADAPTERS for ping in adapter.pings]
        health = Health(pings, upstream, link, lambda: pool, clock, base)
        bulletin = Bulletin(ADAPTERS, upstream, health, pool, clock, base)
        tally = Tally(pool, health.probes, clock)
        metrics.gauges = _gauges(link, bans, trail, doorstep, cache)
        for work in (metrics.run(), _sweep(documents, bans, settings.audit.retention_months), tally.run()):
            stack.push_async_callback(_stop, asyncio.create_task(work))
        yield Parts(
            settings, pipeline, visits, registry, keys, limiter, bans, link, pool, documents, remote,
            downloads, toolbox, upstream, health, bulletin, trail, metrics, doorstep, clock, base,
        )  # fmt: skip


def publisher(limiter: Limiter) -> Publish:
    """How a state of the registry is told to Redis."""

    async def publish(jti: str, version: int, packed: bytes) -> None:
        await limiter.publish_state(jti, version, packed, STATE_SECONDS)

    return publish


def cache_keys(settings: Settings) -> list[bytes]:
    """The configured keys, newest first; with none, one for development, kept in the data directory."""
    if settings.cache.keys:
        return [base64.b64decode(key.get_secret_value()) for key in settings.cache.keys]
    path = settings.data_dir / DEVELOPMENT_CACHE_KEY
    with suppress(FileExistsError):
        _write_new(path, base64.b64encode(secrets.token_bytes(32)))
        log.warning("development_cache_key_generated", path=str(path), remedy="set OCTROI_CACHE__KEYS in production")
    return [base64.b64decode(path.read_bytes())]


def _write_new(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{secrets.token_hex(4)}")
    temporary.touch(mode=0o600)
    temporary.write_bytes(content)
    try:
        path.hardlink_to(temporary)
    finally:
        temporary.unlink()


def _addresses(settings: Settings) -> tuple[str, str, str]:
    if settings.redis_url is None or settings.database_url is None or settings.public_url is None:
        raise WrongSettings(
            ["OCTROI_REDIS_URL, OCTROI_DATABASE_URL, OCTROI_PUBLIC_URL: not resolved; start with `octroi serve`"]
        )
    base = str(settings.public_url).rstrip("/")
    return settings.redis_url.get_secret_value(), settings.database_url.get_secret_value(), base


@asynccontextmanager
async def _upstream(
    settings: Settings, certificates: Mapping[str, ssl.SSLContext], vault: Vault, documents: Documents, clock: Clock
) -> AsyncIterator[Upstream]:
    """The way to providers, with a transport for all and one more for each that wants a certificate of ours."""

    def now() -> datetime:
        return datetime.fromtimestamp(clock(), PARIS)

    async with AsyncExitStack() as stack:
        usual = await stack.enter_async_context(ProviderTransport(httpx.create_ssl_context()))
        certified = {
            slug: await stack.enter_async_context(ProviderTransport(context)) for slug, context in certificates.items()
        }
        yield Upstream(usual, settings.upstream, settings.providers, vault, documents, now, certified)


def certified_contexts(providers: Mapping[str, ProviderSettings]) -> dict[str, ssl.SSLContext]:
    """A TLS context with each configured client certificate, by provider.

    Raises WrongSettings with every file that cannot be used.
    """
    contexts, problems = {}, []
    for slug, told in providers.items():
        if told.certificate is None:
            continue
        context = httpx.create_ssl_context()
        try:
            # With no password to give, an encrypted key is refused instead of asked about on the terminal.
            context.load_cert_chain(told.certificate, password=lambda: b"")
        except (OSError, ValueError) as error:
            problems.append(
                f"{PREFIX}PROVIDERS__{slug.upper()}__CERTIFICATE: cannot use {told.certificate} ({error}); "
                "name a PEM file that holds the certificate and its private key, not encrypted"
            )
        else:
            contexts[slug] = context
    if problems:
        raise WrongSettings(problems)
    return contexts


@asynccontextmanager
async def _remote(settings: Settings) -> AsyncIterator[RemoteFiles]:
    """Documents that stay at providers'. Under an override, the one place they come from may be anywhere."""
    override = str(settings.upstream.override).rstrip("/") if settings.upstream.override else ""
    resolver = None if override else PublicOnly(ThreadedResolver())
    async with remote_client(httpx.create_ssl_context(), resolver) as client:
        yield RemoteFiles(client, ADAPTERS, allowed_hosts(ADAPTERS, settings.providers), override)


def _gauges(link: Link, bans: Bans, trail: Trail, doorstep: Doorstep, cache: AnswerCache):  # type: ignore[no-untyped-def]
    return {
        "redis_available": lambda: float(link.available),
        "redis_timeouts": lambda: float(link.tally.timeouts),
        "audit_backlog_bytes": lambda: float(trail.backlog_bytes),
        "bans_in_force": lambda: float(len(bans.list_active())),
        "connections_turned_away": lambda: float(doorstep.turned_away),
        "cache_corrupt_entries": lambda: float(cache.corrupt),
    }


async def _sweep(documents: Documents, bans: Bans, months: int) -> None:
    """Forget, every hour, what has had its time."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        await bans.forget(months)
        await documents.sweep()


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _close_pool(pool: Pool) -> None:
    try:
        async with asyncio.timeout(5):
            await pool.close()
    except TimeoutError:
        pool.terminate()
