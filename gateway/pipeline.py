"""One request, top to bottom: `Pipeline.answer` is the text of what refuses what, in which order.

It knows no framework: it takes an `Asked` and gives an `Answer`. Facts are gathered in one round trip, decisions are
pure (`gateway.checks`), then one call acts (`providers.base.upstream`).
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

import orjson
import structlog

from audit.ids import Ids
from audit.record import Outcome, Record
from audit.spool import SpoolUnavailable
from audit.trail import Trail
from config.clock import PARIS, Clock
from gateway import checks
from gateway.asked import SILENCE, Answer, Asked
from gateway.cache import AnswerCache, Kept
from gateway.documents import Documents
from gateway.errors import GONE_INPI, GONE_V2, JSON, NOT_A_PAGE, TEXT, VENDOR_JSON, Refusal, Refused, provider_failure
from gateway.guard import Guard, key_of
from gateway.metrics import Metrics
from gateway.registry.registry import Registry, RegistryUnavailable
from gateway.registry.state import TokenState
from gateway.routing import NOWHERE, Found, Kind, Router
from gateway.tokens import Claims, VerifiedTokens, find_token
from providers.base import Call, Endpoint, ProviderFailed, Upstream, serialise
from ratelimit.address import block_of
from ratelimit.bans import Bans
from ratelimit.limiter import Counter, IpSeen, Limiter, Reply, TokenSeen, quota_headers, retry_after
from ratelimit.link import AGAIN, Link, RedisUnavailable

log = structlog.get_logger()

_LEARNING_ROUNDS = 4
"""Changes of a token's state that may cross one request; more than one is already unheard of."""

_PAGES = {
    Kind.NOWHERE: (404, NOT_A_PAGE),
    Kind.GONE_V2: (410, GONE_V2),
    Kind.GONE_INPI: (410, GONE_INPI),
}
NO_CODES: tuple[str, ...] = ()

NOT_CACHED = (b"x-response-cached", b"false"), (b"x-cache-expires-in", b"")
_CACHED = (b"x-response-cached", b"true")
MISSED = b"Octroi; fwd=uri-miss"
MISSED_AND_STORED = MISSED + b"; stored"


class Heard(NamedTuple):
    """What Redis said when asked ahead of the pipeline: of the address, of the token in that state, of the answer.

    Of the first two what it means (`IpSeen`, `TokenSeen`), unless that takes more than a look.
    """

    found: Found
    block: str
    state: TokenState
    counters: tuple[Counter, ...]
    digest: bytes
    ip: object
    token: object
    answer: object
    failure: Exception | None = None
    """What came of fetching the answer, where that was tried and gave none."""


class Wanted(NamedTuple):
    """An answer to be fetched, for a caller of whom all else is well.

    `raw_path`, `query` and `parameters` are as those of `Asked`. `digest` names the answer, where it is to be kept.
    """

    found: Found
    endpoint: Endpoint
    state: TokenState
    raw_path: bytes
    query: bytes
    parameters: Mapping[str, str]
    request_id: str
    digest: bytes


@dataclass(slots=True)
class Turn:
    """What becomes known of a request as it goes through the pipeline."""

    asked: Asked
    found: Found
    block: str
    token: bytes = b""
    claims: Claims | None = None
    state: TokenState | None = None
    ip: IpSeen | None = None
    quota: TokenSeen | None = None
    counters: tuple[Counter, ...] = ()
    digest: bytes = b""
    """The name of the answer, where it may be a kept one."""
    kept: Kept | None = None
    failure: Exception | None = None
    cached: bool = False
    is_data: bool = False
    codes: tuple[str, ...] = ()
    outcome: Outcome = "refused"
    cache_status: bytes = b""


class Pipeline:
    """The order of things. Each part is handed over; nothing is looked up elsewhere."""

    def __init__(
        self,
        *,
        router: Router,
        verified: VerifiedTokens,
        registry: Registry,
        limiter: Limiter,
        bans: Bans,
        link: Link,
        cache: AnswerCache,
        documents: Documents,
        upstream: Upstream,
        trail: Trail,
        metrics: Metrics,
        clock: Clock,
        base: str,
        query_token: bool,
        distinct_recipient: bool,
        log_requests: bool,
    ) -> None:
        """`base` is the public address, without a final slash; `query_token` admits `?token=`."""
        self.router = router
        self.verified = verified
        self.registry = registry
        self.limiter = limiter
        self.bans = bans
        self.link = link
        self.cache = cache
        self.documents = documents
        self.upstream = upstream
        self.trail = trail
        self.metrics = metrics
        self.clock = clock
        self._blank = Call(
            values={}, context="", object="", recipient="", user_id="", request_id="", today=date.min, base=base
        )
        self.query_token = query_token
        self.distinct_recipient = distinct_recipient
        self.log_requests = log_requests
        self.ids = Ids()
        self._guarded: set[bytes] = set()

    async def answer(self, asked: Asked, heard: Heard | None = None) -> Answer:
        """The answer, once its record is durable. Never raises."""
        if heard is None:
            turn = Turn(asked, self._find(asked), block_of(asked.address))
        else:
            turn = Turn(asked, heard.found, heard.block)
        try:
            answer = await self._decide(turn, heard)
        except Refusal as refusal:
            answer = await self._refused(turn, refusal)
        except RegistryUnavailable:
            answer = await self._refused(turn, Refusal.of(Refused.UNAVAILABLE))
        except Exception:
            log.exception("pipeline_defect", request_id=asked.request_id, path=asked.path)
            turn.outcome = "failed"
            answer = await self._refused(turn, Refusal.of(Refused.DEFECT))
        return await self._recorded(turn, answer)

    async def _decide(self, turn: Turn, heard: Heard | None) -> Answer:
        """Any line may raise a Refusal; its codes stand beside it."""
        asked, found = turn.asked, turn.found
        if self.bans.is_banned(turn.block) is not None:
            return self._silence(turn)  # not one byte
        await (self._look(turn) if heard is None else self._take(turn, heard))  # the one round trip
        if turn.ip is not None and turn.ip.ban is not None:
            await self.bans.impose(turn.ip.ban)
            return self._silence(turn)
        checks.admit(turn.state, asked)  # 401 00105 · 403 00107
        self._check_quotas(turn)  # 429 00429
        if found.kind in _PAGES:
            return self._page(turn)  # 404 · 410, plain text
        state = checks.authenticate(turn.claims, turn.state, asked.at)  # 401 00101 00103
        if found.kind is Kind.PRIVILEGES:
            return self._privileges(turn, state)
        assert found.endpoint is not None
        checks.authorise(state, found.endpoint)  # 403 00100
        checks.well_formed(asked)  # 400 00401
        parameters = asked.parameters
        checks.trace(asked)  # 422 00201 00203 00202
        turn.is_data = True
        endpoint = checks.version(found)  # 404 00402
        checks.recipient(parameters, found.texts if self.distinct_recipient else checks.NOBODY)  # 422 00210 00211
        if turn.kept is None:
            turn.kept = await self._fetch(turn, endpoint, state)  # 400 00401 · 422 003xx · 409 00015 · XXYYY
        return await self._give(turn, endpoint, turn.kept)

    # Gather.

    def _find(self, asked: Asked) -> Found:
        return self.router.find(asked.raw_path) if asked.method in ("GET", "HEAD") else NOWHERE

    async def _look(self, turn: Turn) -> None:
        """Ban, counters, registry state and kept answer: asked in one write, read in one reply."""
        asked, found = turn.asked, turn.found
        ip = self.limiter.look_at_ip(turn.block)
        kept = None
        if asked.claims is None:
            turn.token = find_token(asked.authorization, asked.api_key, asked.query, self.query_token)
            if turn.token:
                asked.claims = self.verified.claims(turn.token)
        turn.claims = asked.claims
        endpoint = found.endpoint
        if endpoint is not None and endpoint.cache is not None and turn.claims is not None and not asked.no_cache:
            turn.digest = self.digest(found, asked.parameters) if found.digest else b""
            kept = self.cache.look(turn.digest) if turn.digest else None
        token = self._ask_token(turn)
        turn.ip = await ip
        try:
            if token is not None:
                await self._learn_token(turn, token)
        finally:
            if kept is not None:
                await self._read(turn, turn.digest, kept)

    async def _take(self, turn: Turn, heard: Heard) -> None:
        """The same, of what was heard already; what Redis would not run then is asked again."""
        claims, digest, ip, token = turn.asked.claims, heard.digest, heard.ip, heard.token
        assert claims is not None
        turn.claims, turn.state, turn.counters, turn.digest = claims, heard.state, heard.counters, digest
        turn.failure = heard.failure
        if not isinstance(ip, IpSeen):
            ip = await self.limiter.look_at_ip(turn.block, heard=ip)
        turn.ip = ip
        if isinstance(token, TokenSeen):
            turn.quota = token
        else:
            version = heard.state.version
            await self._learn_token(turn, self.limiter.look_at_token(claims.jti, version, heard.counters, token))
        await self._read(turn, digest, self.cache.look(digest) if heard.answer is AGAIN else Reply(heard.answer))

    async def _read(self, turn: Turn, digest: bytes, reply: Awaitable[object]) -> None:
        try:
            turn.kept = await self.cache.find(digest, reply)
            turn.cached = turn.kept is not None
        except RedisUnavailable:
            turn.kept = None

    def digest(self, found: Found, parameters: Mapping[str, str]) -> bytes:
        """The name of the answer in the cache, optional parameters included."""
        endpoint = found.endpoint
        keys = endpoint.cache.key_parameters if endpoint is not None and endpoint.cache is not None else ()
        told = {name: parameters[name] for name in keys if name in parameters} if keys else {}
        return self.router.digest(endpoint, {**found.texts, **told}) if endpoint and told else found.digest

    def _ask_token(self, turn: Turn) -> Awaitable[TokenSeen] | None:
        if turn.claims is None:
            if not turn.token or turn.found.endpoint is None:
                return None
            turn.counters = self.counters(turn.found.endpoint, None)
            digest = hashlib.blake2b(turn.token, digest_size=16).hexdigest()
            return self.limiter.look_at_stranger(digest, turn.counters)
        state = self.registry.known(turn.claims.jti)
        turn.state = state
        turn.counters = self.counters(turn.found.endpoint, state)
        counters = turn.counters if checks.draws_on_quota(state, turn.asked) else ()
        return self.limiter.look_at_token(turn.claims.jti, state.version if state else 0, counters)

    async def _learn_token(self, turn: Turn, seen: Awaitable[TokenSeen]) -> None:
        """Until what the worker knows of the token is what Redis says: once, but for a change or a first time."""
        turn.quota = await seen
        for _ in range(_LEARNING_ROUNDS):
            if turn.claims is None or turn.quota.is_current:
                return
            if turn.quota.state is not None:
                self.registry.remember(TokenState.unpack(turn.quota.state))
            else:
                turn.state = await self.registry.load(turn.claims.jti)
                if turn.state is None:
                    return
            again = self._ask_token(turn)
            assert again is not None
            turn.quota = await again
        raise RegistryUnavailable

    def counters(self, endpoint: Endpoint | None, state: TokenState | None) -> tuple[Counter, ...]:
        """On what a call draws: the custom limit first, for its headers are those told; then the group's."""
        group: tuple[Counter, ...] = ()
        if endpoint is not None:
            group = (Counter(endpoint.quota_name, self.limiter.limit_of(endpoint.quota)),)
        if state is not None and state.rate_limit is not None:
            return (Counter("custom", state.rate_limit), *group)
        return group

    # Decide.

    def _check_quotas(self, turn: Turn) -> None:
        if turn.quota is not None and turn.quota.exceeded(turn.counters) is not None:
            raise Refusal.of(Refused.QUOTA)

    # Act.

    async def _fetch(self, turn: Turn, endpoint: Endpoint, state: TokenState) -> Kept:
        if turn.failure is not None:
            raise turn.failure
        asked = turn.asked
        keeps = endpoint.cache is not None and not asked.no_cache
        kept = await self.fetch(
            Wanted(
                found=turn.found,
                endpoint=endpoint,
                state=state,
                raw_path=asked.raw_path,
                query=asked.query,
                parameters=asked.parameters,
                request_id=asked.request_id,
                digest=turn.digest if keeps else b"",
            )
        )
        if keeps:
            turn.cache_status = MISSED_AND_STORED if kept.is_lasting else MISSED
        else:
            turn.cache_status = b"Octroi; fwd=request" if asked.no_cache else b"Octroi; fwd=bypass"
        return kept

    async def fetch(self, wanted: Wanted) -> Kept:
        """What is not kept: the call is read, guarded against its twin, and made; or waited for, if it is under way.

        Raises Refusal: 400 00401 · 422 003xx · 409 00015. Failures of the provider are answers.
        """
        now = datetime.fromtimestamp(self.clock(), PARIS)
        parameters = wanted.parameters
        call = self._blank.but(
            values=checks.identifiers(wanted.found, parameters, now),
            context=parameters["context"],
            object=parameters["object"],
            recipient=parameters["recipient"],
            user_id=wanted.state.jti,
            request_id=wanted.request_id,
            today=now.date(),
        )
        make = self._make(wanted.endpoint, call)
        guard = Guard(
            self.link, key_of(wanted.state.jti, wanted.endpoint, wanted.raw_path, wanted.query), self._guarded
        )
        try:
            if wanted.digest:
                return await self.cache.fill(wanted.digest, make, guard)
            guard.enter(*await self.link.together(guard.question))
            return await make()
        finally:
            guard.leave()

    def _make(self, endpoint: Endpoint, call: Call) -> Callable[[], Awaitable[Kept]]:
        async def make() -> Kept:
            provider, cache = endpoint.provider, endpoint.cache
            seconds = 0
            try:
                body = serialise(await self.upstream.fetch(endpoint, call))
                status, codes = 200, NO_CODES
                seconds = self._lasting(endpoint) if cache else 0
            except ProviderFailed as failed:
                status, code, body = provider_failure(failed, provider.code, provider.name)
                codes = (code,)
                seconds = self._lasting(endpoint) if cache and failed.kind.cacheable else 0
            now = self.clock()
            return Kept(status, body, now, now + seconds, codes)

        return make

    def _lasting(self, endpoint: Endpoint) -> int:
        assert endpoint.cache is not None
        return endpoint.cache.span or endpoint.cache.seconds(datetime.fromtimestamp(self.clock(), PARIS))

    # Answer.

    async def _give(self, turn: Turn, endpoint: Endpoint, kept: Kept) -> Answer:
        turn.codes = kept.codes
        turn.outcome = kept.outcome
        body = kept.body
        if (endpoint.document is not None or endpoint.marks) and kept.status == 200:
            try:
                body = await self.documents.with_links(body, turn.state.jti if turn.state else "")
            except ProviderFailed as failed:
                status, code, body = provider_failure(failed, endpoint.provider.code, endpoint.provider.name)
                turn.codes, turn.outcome = (code,), "failed"
                return Answer(status, self._headers(turn, VENDOR_JSON), body)
        headers = self._headers(turn, VENDOR_JSON)
        if turn.cached:
            left = max(0, int(kept.expires_at - turn.asked.at))
            headers[-2:] = [_CACHED, (b"x-cache-expires-in", b"%d" % left)]
            turn.cache_status = b"Octroi; hit; ttl=%d" % left
        headers.append((b"cache-status", turn.cache_status))
        headers += turn.found.notices
        return Answer(kept.status, headers, body)

    def _headers(self, turn: Turn, content_type: bytes) -> list[tuple[bytes, bytes]]:
        headers = [(b"content-type", content_type), (b"x-request-id", turn.asked.request_id.encode())]
        if turn.quota is not None and turn.quota.counts and turn.counters:
            headers += quota_headers(turn.counters[0].limit, turn.quota.counts[0], turn.quota.now)
        if turn.is_data:
            headers += NOT_CACHED
        return headers

    def _page(self, turn: Turn) -> Answer:
        status, text = _PAGES[turn.found.kind]
        return Answer(status, [(b"content-type", TEXT), (b"x-request-id", turn.asked.request_id.encode())], text)

    def _privileges(self, turn: Turn, state: TokenState) -> Answer:
        turn.outcome = "granted"
        body = orjson.dumps({"data": {"privileges": sorted(state.scopes)}})
        return Answer(200, self._headers(turn, JSON), body)

    async def _refused(self, turn: Turn, refusal: Refusal) -> Answer:
        turn.codes = refusal.codes
        headers = self._headers(turn, VENDOR_JSON if turn.is_data and _is_of_data(refusal) else JSON)
        if refusal.codes == (Refused.QUOTA.value.code,) and turn.quota is not None:
            headers = self._over_quota(turn, headers)
            ban = await self.limiter.count_refusal(turn.block)
            if ban is not None:  # this refusal is still answered: the ban begins with the next request
                return Answer(refusal.status, headers, refusal.body(), after=lambda: self.bans.impose(ban))
        return Answer(refusal.status, headers, refusal.body())

    def _over_quota(self, turn: Turn, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """The headers of the limit that was met, which may be the second."""
        assert turn.quota is not None
        met = turn.quota.exceeded(turn.counters) or 0
        kept = [header for header in headers if not header[0].startswith(b"ratelimit-")]
        told = quota_headers(turn.counters[met].limit, turn.quota.counts[met], turn.quota.now)
        return [*kept, *told, (b"retry-after", retry_after(turn.quota.now))]

    @staticmethod
    def _silence(turn: Turn) -> Answer:
        turn.outcome = "banned"
        return SILENCE

    async def _recorded(self, turn: Turn, answer: Answer) -> Answer:
        """No answer leaves before its record is durable; where that cannot be, the answer is withheld."""
        took = self.clock() - turn.asked.at
        self.metrics.count(turn.found.endpoint, answer.status, turn.cached, took)
        record = self._record(turn, answer, took)
        if self.log_requests:
            _tell(record)
        try:
            await self.trail.append(record)
        except SpoolUnavailable:
            return SILENCE if answer is SILENCE else self._withheld(turn)
        return answer

    def _withheld(self, turn: Turn) -> Answer:
        refusal = Refusal.of(Refused.UNAVAILABLE)
        return Answer(refusal.status, self._headers(turn, JSON), refusal.body())

    def _record(self, turn: Turn, answer: Answer, took: float) -> Record:
        asked, endpoint, state = turn.asked, turn.found.endpoint, turn.state
        parameters, subject = asked.parameters, turn.found.subject
        return Record(
            id=self.ids(asked.at),
            at=asked.at,
            request_id=asked.request_id,
            method=asked.method,
            path=asked.path,
            operation_id=endpoint.operation_id if endpoint else None,
            status=answer.status,
            codes=turn.codes,
            outcome=turn.outcome,
            jti=turn.claims.jti if turn.claims else None,
            habilitation=state.habilitation_id if state else None,
            holder_siret=state.siret if state else None,
            client_ip=asked.address,
            user_agent=asked.user_agent.decode("latin-1"),
            context=parameters.get("context"),
            object=parameters.get("object"),
            recipient=parameters.get("recipient"),
            siren=subject.siren,
            siret=subject.siret,
            rna=subject.rna,
            provider=endpoint.provider.slug if endpoint else None,
            cached=turn.cached,
            duration_ms=int(took * 1000),
            api_version=endpoint.version if endpoint else None,
        )


def _tell(record: Record) -> None:
    """The one line of a request in the log: nothing of its parameters, which may name a person."""
    log.info(
        "request",
        request_id=record.request_id,
        method=record.method,
        operation_id=record.operation_id,
        status=record.status,
        codes=record.codes,
        cached=record.cached,
        duration_ms=record.duration_ms,
    )


def _is_of_data(refusal: Refusal) -> bool:
    """Whether it comes after the point where answers take the vendor's content type (behaviours §2, row 14)."""
    return refusal.codes[0] not in _BEFORE_DATA


_BEFORE_DATA = frozenset(
    {
        Refused.RECIPIENT_SIRET.value.code,
        Refused.RECIPIENT_CALLED.value.code,
        Refused.CONFLICT.value.code,
        Refused.UNAVAILABLE.value.code,
        Refused.DEFECT.value.code,
    }
)
