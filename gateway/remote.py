"""Documents that stay where their providers keep them: read from there while they are given, and never from elsewhere.

An address comes from a provider's answer, so that nothing in it is believed: it is followed over https only, to the
hosts of that provider only, and never to an address of our own networks, whatever a host's name resolves to.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import urljoin, urlsplit

import aiohttp
import httpx
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport

from config.settings import ProviderSettings
from gateway.documents import Remote
from gateway.errors import Refusal, Refused
from providers.base import Adapter, Failure, Kind, Provider, ProviderFailed
from providers.base.failures import REDIRECTS
from providers.base.upstream import causes, overridden

log = structlog.get_logger()

MOST_REDIRECTS = 2
LARGEST = 100 * 1024 * 1024
LONGEST_SECONDS = 120.0
"""From the question to the last byte; a caller who reads slowly is cut off too."""
PAUSE_SECONDS = 10.0
"""Longest silence of the provider."""
CONNECTIONS = 50

REFUSALS = {
    403: Refused.FILE_FORBIDDEN,
    405: Refused.FILE_NOT_ALLOWED,
    429: Refused.FILE_TOO_MANY,
    500: Refused.FILE_INTERNAL,
    502: Refused.FILE_BAD_GATEWAY,
    503: Refused.FILE_UNAVAILABLE,
    504: Refused.FILE_TIMEOUT,
}
"""What is answered for the statuses of the provider (behaviours §9); a 404 remains one."""

_NAT64 = ip_network("64:ff9b::/96")
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")


class Missing(Exception):
    """The provider has the document no more."""


class CutOff(Exception):
    """The rest of a document will not come."""


@dataclass(frozen=True)
class Opened:
    """A document whose first byte is known to come. `chunks` raises CutOff, and closes the connection at its end."""

    media_type: str
    length: int | None
    encoding: str | None
    chunks: AsyncIterator[bytes]


class RemoteFiles:
    """Reads documents at providers'."""

    def __init__(
        self, client: httpx.AsyncClient, adapters: Sequence[Adapter], hosts: Mapping[str, frozenset[str]], override: str
    ) -> None:
        """`hosts` are those allowed to each provider; `override` is "" where there is none.

        The client is closed by whoever made it.
        """
        self._client = client
        self._hosts = hosts
        self._override = override
        self._providers = {adapter.slug: adapter.providers[0] for adapter in adapters}

    def provider(self, remote: Remote) -> Provider | None:
        """The provider that a document is at."""
        return self._providers.get(remote.provider)

    async def open(self, remote: Remote) -> Opened:
        """The document, to be read. Raises Missing, Refusal and ProviderFailed."""
        deadline = asyncio.get_running_loop().time() + LONGEST_SECONDS
        try:
            async with asyncio.timeout_at(deadline):
                reply = await self._follow(remote)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._failed(remote, _kind(error), error) from error
        length = reply.headers.get("content-length", "")
        if reply.status_code != 200 or (length.isdigit() and int(length) > LARGEST):
            await reply.aclose()
            raise self._refusal(remote, reply.status_code)
        media_type = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Opened(
            media_type if _MEDIA_TYPE.fullmatch(media_type) else "application/octet-stream",
            int(length) if length.isdigit() else None,
            reply.headers.get("content-encoding"),
            _chunks(reply, deadline),
        )

    async def _follow(self, remote: Remote) -> httpx.Response:
        url = remote.url
        for _ in range(MOST_REDIRECTS + 1):
            asked = self._checked(remote, url)
            request = self._client.build_request("GET", asked, headers={"accept-encoding": "identity"})
            reply = await self._client.send(request, stream=True, follow_redirects=False)
            if reply.status_code not in REDIRECTS:
                return reply
            await reply.aclose()
            url = urljoin(url, reply.headers.get("location", ""))
        raise self._failed(remote, Failure.FILE_URL, "too many redirects")

    def _checked(self, remote: Remote, url: str) -> str:
        """Where to ask for that URL, if it is one to be followed."""
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError as error:
            raise self._failed(remote, Failure.FILE_URL, error) from error
        if parts.scheme != "https" or _place(parts.netloc) not in self._hosts.get(remote.provider, ()):
            raise self._failed(remote, Failure.FILE_URL, f"{parts.scheme}://{host} is not to be followed")
        if self._override:
            return overridden(self._override, url)
        if _is_address(host) and not is_public(host):  # which nobody resolves
            raise self._failed(remote, Failure.FILE_URL, f"{host} is not a public address")
        return url

    def _refusal(self, remote: Remote, status: int) -> Exception:
        if status == 404:
            return Missing()
        if status in REFUSALS:
            log.info("remote_document_refused", provider=remote.provider, status=status)
            return Refusal.of(REFUSALS[status])
        return self._failed(remote, Failure.FILE_HTTP, f"status {status}, or too large")

    @staticmethod
    def _failed(remote: Remote, kind: Kind, reason: object) -> ProviderFailed:
        log.warning("remote_document_not_read", provider=remote.provider, code=kind.code, reason=str(reason))
        return kind.because()


def _kind(error: Exception) -> Kind:
    """The failure that an error stands for: by its causes, as the transport calls a refused connection a timeout."""
    found = list(causes(error))
    if any(isinstance(cause, NotPublic) for cause in found):
        return Failure.FILE_URL
    if any(isinstance(cause, OSError) and not isinstance(cause, TimeoutError) for cause in found):
        return Failure.FILE_HTTP
    return Failure.FILE_TIMEOUT if isinstance(error, (TimeoutError, httpx.TimeoutException)) else Failure.FILE_HTTP


async def _chunks(reply: httpx.Response, deadline: float) -> AsyncIterator[bytes]:
    sent = 0
    try:
        raw = reply.aiter_raw()
        while True:
            async with asyncio.timeout_at(deadline):
                chunk = await anext(raw, b"")
            if not chunk:
                return
            sent += len(chunk)
            if sent > LARGEST:
                raise CutOff("too large")
            yield chunk
    except (TimeoutError, httpx.HTTPError, httpx.StreamError) as error:
        raise CutOff(repr(error)) from error
    finally:
        await reply.aclose()


# Which hosts, and which addresses.


def allowed_hosts(adapters: Sequence[Adapter], told: Mapping[str, ProviderSettings]) -> dict[str, frozenset[str]]:
    """By provider: the hosts of its connections, as they are configured, and those its folder declares."""
    found = {}
    for adapter in adapters:
        settings = told.get(adapter.slug)
        urls = [url for provider in adapter.providers for url in (provider.base_url, provider.token_url)]
        if settings is not None:
            urls += [str(url) for url in (settings.base_url, settings.token_url) if url is not None]
        places = {_place(urlsplit(url).netloc) for url in urls} | set(adapter.document_hosts)
        found[adapter.slug] = frozenset(places - {""})
    return found


def _place(netloc: str) -> str:
    """Host and port, the port of https left out."""
    return netloc.lower().removesuffix(":443")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class NotPublic(OSError):
    """A host that resolves to addresses of our own networks, or of no network."""


class PublicOnly(AbstractResolver):
    """Resolves hosts to public addresses: what was looked at is what is connected to."""

    def __init__(self, resolver: AbstractResolver) -> None:
        """`resolver` does the work."""
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The public addresses of a host. Raises NotPublic where it has none, or any other."""
        found = await self._resolver.resolve(host, port, family)
        if not found or not all(is_public(address["host"]) for address in found):
            raise NotPublic(f"{host} is not at a public address")
        return found

    async def close(self) -> None:
        """Close the one that does the work."""
        await self._resolver.close()


def is_public(address: str) -> bool:
    """Whether an address is one of the public Internet; an IPv4 one in the guise of IPv6 is judged as what it is."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        within = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if within is not None:
            parsed = within
        elif parsed in _NAT64:
            parsed = ip_address(int(parsed) & 0xFFFFFFFF)
    return parsed.is_global and not parsed.is_multicast


def remote_client(context: ssl.SSLContext, resolver: AbstractResolver | None) -> httpx.AsyncClient:
    """The client that reads documents at providers'; without a resolver of its own it goes wherever it is told."""

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=context, resolver=resolver, keepalive_timeout=30)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    return httpx.AsyncClient(
        transport=AiohttpTransport(client=session), trust_env=False, timeout=httpx.Timeout(PAUSE_SECONDS)
    )
