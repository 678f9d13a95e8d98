"""The miss path, top to bottom: from a question to a provider's answer in the form of the contract.

`Upstream.fetch` is the second and last file a newcomer must read: maintenance → breaker → bulkhead → deadline → call →
failure rules → wire model → document → `normalise`.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import filetype
import httpx
import structlog
from pydantic import TypeAdapter, ValidationError

from config.settings import MaintenanceWindow, ProviderSettings, UpstreamSettings
from providers.base import windows
from providers.base.breaker import Breaker
from providers.base.call import Call
from providers.base.endpoint import DEFAULT_TIMEOUT, Endpoint, Provider, places
from providers.base.exchange import Reply, Request, Unreadable
from providers.base.failures import REDIRECTS, Failure, Kind, ProviderFailed
from providers.base.models import Answer
from providers.base.tables import Tables
from providers.base.transport import HttpxTransport, Patience, TooLarge, Transport
from providers.base.vault import DocumentStore, Vault

log = structlog.get_logger()

TLS_ATTEMPTS = 3
"""A TLS connection cut short is tried that many times in all (behaviours §6.4)."""

NETWORK = Kind(
    "501",
    502,
    "Erreur réseau",
    "Le réseau de la passerelle ne répond pas. Renouvelez votre appel.",
    retry_in=10,
    names_provider=False,
    tracked=True,
    nobodys=True,
)

CLOUDED = frozenset({"000", "001", "002", "004", "008", "009", "999"})
"""Failures that speak against a provider's health, and open its breaker; so does a network that fails."""


def _clouds(kind: Kind) -> bool:
    return kind.nobodys or (kind.code in CLOUDED and not kind.of_entity)


class _CutShort(Exception):
    """A TLS connection that ended before its time."""


@dataclass(eq=False)
class _Line:
    """What a worker holds of one provider: its breaker and the calls it has in flight."""

    breaker: Breaker
    slots: asyncio.Semaphore


@dataclass(frozen=True, eq=False)
class _Way:
    """One connection to a provider, as its declaration and the operator's settings make it: worked out once."""

    access: "Access"
    line: _Line
    has_breaker: bool
    windows: tuple[MaintenanceWindow, ...]
    base: str
    token_url: str
    patience: Patience
    token_patience: Patience


@dataclass(frozen=True)
class Access:
    """What an authentication may use of the upstream, for one provider."""

    upstream: "Upstream"
    provider: Provider
    settings: ProviderSettings
    vault: Vault

    def secret(self, name: str) -> str:
        """A credential. Under an override no real provider is reached, so that a stand-in will do."""
        value = getattr(self.settings, name)
        if value is not None:
            return value if isinstance(value, str) else str(value.get_secret_value())
        if self.upstream.settings.override is not None:
            return "stand-in"
        log.error("provider_credential_missing", provider=self.provider.slug, setting=name)
        raise Failure.AUTHENTICATION.because()

    def now(self) -> float:
        """The present moment, in epoch seconds."""
        return self.upstream.now().timestamp()

    async def send(self, request: Request) -> Reply:
        """Send without authentication."""
        return await self.upstream.send(self.provider, request, {})


class Upstream:
    """All traffic to providers: one transport for all but those that want a certificate of ours, which have their own;
    a breaker and a bulkhead for each provider."""

    def __init__(
        self,
        transport: Transport | httpx.AsyncBaseTransport,
        settings: UpstreamSettings,
        providers: Mapping[str, ProviderSettings],
        vault: Vault,
        documents: DocumentStore,
        now: Callable[[], datetime],
        certified: Mapping[str, Transport | httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        """`now` gives the moment in Paris time. `certified` are transports with a certificate, by slug.

        Transports are closed by whoever made them.
        """
        self._transport = _ours(transport)
        self._certified = {slug: _ours(one) for slug, one in (certified or {}).items()}
        self.settings = settings
        self._providers = providers
        self._vault = vault
        self._documents = documents
        self.now = now
        self._lines: dict[str, _Line] = {}
        self._ways: dict[int, _Way] = {}
        self._tables = Tables()
        self._override = str(settings.override).rstrip("/") if settings.override else None

    async def fetch(self, endpoint: Endpoint, call: Call) -> Answer:
        """The answer of the contract. Raises ProviderFailed; nothing else gets out."""
        way = self._way(endpoint.provider)
        line = way.line
        if way.windows and (left := windows.seconds_left(way.windows, self.now())) is not None:
            raise Failure.MAINTENANCE.because(retry_in=left)
        if way.has_breaker and not line.breaker.lets_through():
            raise Failure.UNAVAILABLE.because(retry_in=line.breaker.seconds_left())
        try:
            async with asyncio.timeout(self.settings.deadline_seconds) as deadline, line.slots:
                answer = await self._answer(way, endpoint, call, deadline)
        except TimeoutError:
            line.breaker.learn(failed=True)
            raise Failure.TIMEOUT.because() from None
        except ProviderFailed as failure:
            line.breaker.learn(failed=_clouds(failure.kind))
            raise
        except BaseException:
            line.breaker.forget_probe()
            raise
        line.breaker.learn(failed=False)
        return answer

    def states(self) -> dict[str, str]:
        """The breakers of this worker, by provider."""
        return {slug: line.breaker.state for slug, line in self._lines.items()}

    async def health(self, provider: Provider, request: Request) -> Reply:
        """An authenticated call of a ping, outside breaker and bulkhead. Raises ProviderFailed."""
        if provider.authentication is None:
            return await self.send(provider, request, {})
        access = self._way(provider).access
        headers = await provider.authentication.headers(access)
        return await self.send(provider, provider.authentication.signed(request, access), headers)

    def maintenance_left(self, provider: Provider) -> int | None:
        """Seconds until the end of the provider's maintenance, None outside one."""
        return windows.seconds_left(self.windows(provider), self.now())

    def windows(self, provider: Provider) -> tuple[MaintenanceWindow, ...]:
        """The provider's maintenance windows, as the operator set them; none where they are not honoured."""
        if not self.settings.maintenance:
            return ()
        told = self._settings(provider).maintenance
        return provider.maintenance if told is None else told

    # The steps, in their order.

    async def _answer(self, way: _Way, endpoint: Endpoint, call: Call, deadline: asyncio.Timeout) -> Answer:
        call = call.leaving(way.base, self.now())
        reply = await self._ask(way, endpoint.request(call), call)
        if endpoint.follow is not None and reply.status in REDIRECTS:
            call = endpoint.follow(call, reply)
            reply = await self._ask(way, endpoint.request(call), call)
        if endpoint.document is None:
            self._judge(endpoint, reply)
            return self._read(endpoint, await self._complete(way, endpoint, call, deadline), reply)
        # Reading a PDF takes milliseconds of CPU: not on the loop.
        await asyncio.to_thread(self._judge, endpoint, reply)
        call = call.with_document(await self._keep(endpoint, reply))
        return await asyncio.to_thread(self._read, endpoint, call, reply)

    async def _ask(self, way: _Way, request: Request, call: Call) -> Reply:
        access = way.access
        fixed, authentication = access.provider.headers(call), access.provider.authentication
        if authentication is None:
            return await self._send(way, request, fixed)
        headers = await authentication.headers(access)
        request = authentication.signed(request, access)
        reply = await self._send(way, request, {**fixed, **headers})
        if reply.status in getattr(authentication, "renewed_on", ()):
            renewed = await authentication.renew(access, headers)
            if renewed is not None:
                reply = await self._send(way, request, {**fixed, **renewed})
        return reply

    async def _complete(self, way: _Way, endpoint: Endpoint, call: Call, deadline: asyncio.Timeout) -> Call:
        table = endpoint.table
        if table is None:
            return call
        left = (deadline.when() or 0) - asyncio.get_running_loop().time()
        found = await self._tables.find(
            endpoint.provider,
            table,
            call,
            lambda request: self._ask(way, request, call),
            patience=min(table.patience.total_seconds(), left / 2),
        )
        return call.with_table(found)

    def _judge(self, endpoint: Endpoint, reply: Reply) -> None:
        for rule in endpoint.rules(reply.status):
            if failed := rule.judge(reply):
                raise failed
        if endpoint.success is not None and reply.status not in endpoint.success:
            raise self._unknown(endpoint, f"status {reply.status}")

    async def _keep(self, endpoint: Endpoint, reply: Reply) -> str | None:
        document = endpoint.document
        if document is None or document.absent(reply):
            return None
        content = document.content(reply)
        if not content:
            raise Failure.FILE_EMPTY.because()
        found = filetype.guess(content)
        if found is None or found.mime != document.mime:
            raise Failure.FILE_TYPE.because()
        return await self._documents.keep(content, document.name, document.mime, document.lifetime)

    def _read(self, endpoint: Endpoint, call: Call, reply: Reply) -> Answer:
        try:
            return endpoint.normalise(endpoint.read(reply), call)
        except Unreadable as reason:
            raise self._unknown(endpoint, str(reason)) from None
        except ProviderFailed:
            raise
        except ValidationError as error:
            raise self._unknown(endpoint, f"does not fit the contract at {places(error)}") from None
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            # A wire that its model let through and that the mapping cannot take is still the provider's doing.
            log.exception("provider_answer_not_mapped", operation_id=endpoint.operation_id)
            raise Failure.UNKNOWN.because() from error

    @staticmethod
    def _unknown(endpoint: Endpoint, reason: str) -> ProviderFailed:
        log.warning("provider_answer_unknown", operation_id=endpoint.operation_id, reason=reason)
        return Failure.UNKNOWN.because()

    # One request on the wire.

    async def send(self, provider: Provider, request: Request, headers: Mapping[str, str]) -> Reply:
        """Send one request, within the provider's timeouts and the size cap. Raises ProviderFailed."""
        return await self._send(self._way(provider), request, headers)

    async def _send(self, way: _Way, request: Request, headers: Mapping[str, str]) -> Reply:
        provider, patience = way.access.provider, way.patience
        transport = self._transport_to(provider)
        if provider.token_url and request.path == provider.token_url:
            patience = way.token_patience
        content, its_type = request.body()
        headers = {**_HEADERS, **its_type, **headers, **request.headers}
        url, most = self._url(way, request), self.settings.max_body_bytes
        for attempt in range(1, TLS_ATTEMPTS + 1):
            try:
                answered = await transport.exchange(request.method, url, headers, content, patience, most)
                return Reply(*answered, self.now())
            except TooLarge:
                raise Failure.INTERNAL.because() from None
            except httpx.HTTPError as error:
                failure = translate(error)
                if not isinstance(failure, _CutShort):
                    raise failure from error
                if attempt == TLS_ATTEMPTS:
                    raise Failure.UNAVAILABLE.because() from None
            except (httpx.InvalidURL, httpx.StreamError) as error:
                raise Failure.UNKNOWN.because() from error
        raise AssertionError("the last attempt returns or raises")

    def _transport_to(self, provider: Provider) -> Transport:
        """The transport that shows the provider what it wants to see. Under an override no real provider is reached."""
        if not provider.wants_certificate or self._override is not None:
            return self._transport
        if provider.slug not in self._certified:
            log.error("provider_credential_missing", provider=provider.slug, setting="certificate")
            raise Failure.AUTHENTICATION.because()
        return self._certified[provider.slug]

    def _url(self, way: _Way, request: Request) -> str:
        if way.token_url and request.path == way.access.provider.token_url:
            url = way.token_url
        elif request.path.startswith("https://"):
            url = request.path
        else:
            url = way.base + request.path
        told = {name: value for name, value in request.query.items() if value is not None}
        if told:
            url = f"{url}?{urlencode(told, quote_via=quote, safe='')}"
        return url if self._override is None else overridden(self._override, url)

    # What is worked out once.

    def _way(self, provider: Provider) -> _Way:
        # By identity, since comparing declarations costs more than the way itself; it keeps its provider alive.
        way = self._ways.get(id(provider))
        if way is None:
            way = self._ways[id(provider)] = self._made(provider)
        return way

    def _made(self, provider: Provider) -> _Way:
        told = self._settings(provider)
        connect, read = told.connect_timeout_seconds, told.read_timeout_seconds
        usual = DEFAULT_TIMEOUT.total_seconds()
        return _Way(
            access=Access(self, provider, told, self._vault),
            line=self._line(provider),
            has_breaker=self.settings.breaker and told.breaker,
            windows=self.windows(provider),
            base=str(told.base_url or provider.base_url).rstrip("/"),
            token_url=str(told.token_url or ""),
            patience=Patience(
                connect or provider.connect_timeout.total_seconds(), read or provider.read_timeout.total_seconds()
            ),
            # However short its answers must be, a provider is given the usual time to hand out a token.
            token_patience=Patience(connect or usual, read or usual),
        )

    def _settings(self, provider: Provider) -> ProviderSettings:
        return self._providers.get(provider.slug) or _NOTHING_TOLD

    def _line(self, provider: Provider) -> _Line:
        if provider.slug not in self._lines:
            clock = asyncio.get_running_loop().time
            self._lines[provider.slug] = _Line(Breaker(clock), asyncio.Semaphore(self.settings.concurrency))
        return self._lines[provider.slug]


_NOTHING_TOLD = ProviderSettings()
_HEADERS = {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": "Octroi"}


def overridden(override: str, url: str) -> str:
    """Where a call to that URL goes under an override, which ends without a slash."""
    return f"{override}/{url.partition('://')[2].partition('#')[0]}"


def _ours(transport: Transport | httpx.AsyncBaseTransport) -> Transport:
    return HttpxTransport(transport) if isinstance(transport, httpx.AsyncBaseTransport) else transport


def translate(error: httpx.HTTPError) -> Exception:
    """The failure that stands for an error of the HTTP client (behaviours §4.3, §6.4)."""
    found = list(causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in found):
        return Failure.CERTIFICATE.because()
    if any(isinstance(cause, socket.gaierror) for cause in found):
        return Failure.DNS.because()
    if any(isinstance(cause, ssl.SSLEOFError) for cause in found):
        return _CutShort()
    numbers = {cause.errno for cause in found if isinstance(cause, OSError)}
    if numbers & _NO_NETWORK:
        return ProviderFailed(NETWORK)
    if numbers & _NO_SERVICE:
        return Failure.UNAVAILABLE.because()
    match error:
        case httpx.TimeoutException() | httpx.RemoteProtocolError():
            return Failure.TIMEOUT.because()
        case httpx.NetworkError() | httpx.ProxyError():
            return Failure.UNAVAILABLE.because()
        case httpx.DecodingError():
            return Failure.UNKNOWN.because()
        case _:
            return Failure.UNAVAILABLE.because()


_NO_NETWORK = frozenset({errno.ENETDOWN, errno.ENETUNREACH})
_NO_SERVICE = frozenset({errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.EPIPE})


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and all that led to it."""
    while error is not None:
        yield error
        nested = getattr(error, "os_error", None)
        if isinstance(nested, BaseException):
            yield nested
        error = error.__cause__ or error.__context__


def serialise(answer: Answer) -> bytes:
    """The answer as the JSON of the contract: every key present, nulls kept."""
    model = type(answer)
    if model not in _serialisers:
        _serialisers[model] = TypeAdapter(model)
    return _serialisers[model].dump_json(answer)


_serialisers: dict[type[Any], TypeAdapter[Any]] = {}
