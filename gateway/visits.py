"""Requests for pages that are not data (administration, documents, tools, descriptions): admitted, judged, recorded."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import orjson

from audit.ids import Ids
from audit.record import Record
from audit.spool import SpoolUnavailable
from audit.trail import Trail
from config.clock import Clock
from config.quotas import MCP, PROXIED_FILES, Group
from gateway import checks
from gateway.asked import SILENCE, Answer, Asked
from gateway.errors import JSON, Refusal, Refused
from gateway.metrics import Metrics
from gateway.registry.registry import Registry, RegistryUnavailable
from gateway.registry.state import TokenState
from gateway.tokens import Claims, VerifiedTokens, find_token
from ratelimit.address import block_of
from ratelimit.ban import Ban
from ratelimit.bans import Bans
from ratelimit.limiter import Counter, Headers, Limiter, quota_headers, retry_after

ADMIN = "/admin"
METRICS = "/metrics"
TOOLS = "/mcp"
CUSTOM = "custom"
READ, WRITE = "admin:read", "admin:write"


@dataclass(slots=True)
class Visit:
    """A request for a page. `refusal` is what to answer instead of the page; `extra` goes to its record.

    `answered` is the status to record where it is not the page's: that of the operation that a tool stands for.
    `headers` are told with the answer, whatever it is.
    """

    asked: Asked
    block: str
    refusal: Answer | None = None
    claims: Claims | None = None
    state: TokenState | None = None
    codes: tuple[str, ...] = ()
    operation_id: str | None = None
    provider: str | None = None
    siren: str | None = None
    siret: str | None = None
    answered: int | None = None
    is_recorded: bool = False
    headers: Headers = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class OverQuota(Exception):
    """The allowance of a token is used up; `ban` is there where this refusal was one too many."""

    now: float
    ban: Ban | None


@dataclass(eq=False)
class NotAuthorised(Exception):
    """The token does not open the tools. They say so in words of their own, without the envelope."""

    codes: tuple[str, ...]


class Visits:
    """Admits, and records."""

    def __init__(
        self,
        *,
        verified: VerifiedTokens,
        registry: Registry,
        limiter: Limiter,
        bans: Bans,
        trail: Trail,
        metrics: Metrics,
        clock: Clock,
        query_token: bool,
    ) -> None:
        """The same parts as the pipeline's."""
        self.verified = verified
        self.registry = registry
        self.limiter = limiter
        self.bans = bans
        self.trail = trail
        self.metrics = metrics
        self.clock = clock
        self._query_token = query_token
        self._ids = Ids()

    async def admit(self, asked: Asked) -> Visit:
        """The visit, already recorded where it is refused."""
        visit = Visit(asked, block_of(asked.address))
        if self.bans.is_banned(visit.block) is not None:
            return await self._refuse(visit, SILENCE)
        seen = await self.limiter.look_at_ip(visit.block)
        if seen.ban is not None:
            await self.bans.impose(seen.ban)
            return await self._refuse(visit, SILENCE)
        try:
            if asked.path.startswith((ADMIN, METRICS)):
                await self._judge_operator(visit)
            elif asked.path.startswith("/proxy/files/"):
                await self._count_file(visit)
            elif asked.path == TOOLS:
                await self._judge_assistant(visit)
        except OverQuota as over:
            refusal = Refusal.of(Refused.QUOTA)
            visit.codes = refusal.codes
            answer = _answer(refusal, asked)
            answer.headers += [*visit.headers, (b"retry-after", retry_after(over.now))]
            if (ban := over.ban) is not None:
                answer.after = lambda: self.bans.impose(ban)
            return await self._refuse(visit, answer)
        except NotAuthorised as wrong:
            visit.codes = wrong.codes
            answer = Answer(401, [*_headers(asked), *visit.headers], unauthorised(wrong.codes))
            return await self._refuse(visit, answer)
        except Refusal as refusal:
            visit.codes = refusal.codes
            return await self._refuse(visit, _answer(refusal, asked))
        except RegistryUnavailable:
            unavailable = Refusal.of(Refused.UNAVAILABLE)
            visit.codes = unavailable.codes
            return await self._refuse(visit, _answer(unavailable, asked))
        return visit

    async def record(self, visit: Visit, status: int) -> Answer | None:
        """Make the visit's record durable; gives what to answer instead where that cannot be."""
        visit.is_recorded = True
        asked, state = visit.asked, visit.state
        status = status if visit.answered is None else visit.answered
        self.metrics.count(None, status, False, self.clock() - asked.at)
        record = Record(
            id=self._ids(asked.at),
            at=asked.at,
            request_id=asked.request_id,
            method=asked.method,
            path=asked.path,
            status=status,
            codes=visit.codes,
            outcome="banned" if status == 0 else "granted" if status < 400 else "refused" if status < 500 else "failed",
            operation_id=visit.operation_id,
            jti=visit.claims.jti if visit.claims else state.jti if state else None,
            habilitation=state.habilitation_id if state else None,
            holder_siret=state.siret if state else None,
            siren=visit.siren,
            siret=visit.siret,
            provider=visit.provider,
            client_ip=asked.address,
            user_agent=asked.user_agent.decode("latin-1"),
            duration_ms=int((self.clock() - asked.at) * 1000),
            extra=visit.extra,
        )
        try:
            await self.trail.append(record)
        except SpoolUnavailable:
            return _answer(Refusal.of(Refused.UNAVAILABLE), asked)
        return None

    async def _refuse(self, visit: Visit, answer: Answer) -> Visit:
        withheld = await self.record(visit, answer.status)
        visit.refusal = withheld if withheld is not None and answer is not SILENCE else answer
        return visit

    async def _judge_operator(self, visit: Visit) -> None:
        """401 00101 00103 00105 · 403 00100: only an operator's token, with the scope that the verb needs."""
        asked = visit.asked
        token = find_token(asked.authorization, asked.api_key, b"", False)
        visit.claims = self.verified.claims(token) if token else None
        if visit.claims is not None:
            visit.state = await self.current_state(visit.claims.jti)
        checks.admit(visit.state, asked)
        state = checks.authenticate(visit.claims, visit.state, asked.at)
        needed = READ if asked.method in ("GET", "HEAD") else WRITE
        if state.kind != "operator" or needed not in state.scopes:
            raise Refusal.of(Refused.SCOPE)

    async def current_state(self, jti: str) -> TokenState | None:
        """What the registry says of a token now, by version, as in the pipeline. Raises RegistryUnavailable."""
        state = self.registry.known(jti)
        seen = await self.limiter.look_at_token(jti, state.version if state else 0, ())
        if seen.is_current:
            return state
        if seen.state is None:
            return await self.registry.load(jti)
        return self.registry.remember(TokenState.unpack(seen.state))

    async def count_refusal(self, visit: Visit) -> None:
        """Count a refusal for want of quota; one too many bans the address."""
        if (ban := await self.limiter.count_refusal(visit.block)) is not None:
            await self.bans.impose(ban)

    async def _count_file(self, visit: Visit) -> None:
        """A link needs no token; a caller who shows one draws on its allowance all the same (behaviours §5.1)."""
        asked = visit.asked
        token = find_token(asked.authorization, asked.api_key, b"", False)
        if not token:
            return
        await self._draw(visit, token, PROXIED_FILES)

    async def _judge_assistant(self, visit: Visit) -> None:
        """401 00105 · 403 00107 · 429 00429 as for data; then 401 without a code, for want of the right or of time."""
        asked = visit.asked
        token = find_token(asked.authorization, asked.api_key, asked.query, self._query_token)
        visit.claims = self.verified.claims(token) if token else None
        if visit.claims is not None:
            visit.state = await self.current_state(visit.claims.jti)
        checks.admit(visit.state, asked)
        if token:
            await self._draw(visit, token, MCP)
        try:
            state = checks.authenticate(visit.claims, visit.state, asked.at)
        except Refusal as refusal:
            raise NotAuthorised(refusal.codes) from None
        claimed = visit.claims is not None and visit.claims.mcp
        if state.kind != "client" or not (state.mcp or claimed):
            raise NotAuthorised(Refusal.of(Refused.SCOPE).codes)

    async def _draw(self, visit: Visit, token: bytes, group: Group) -> None:
        """Draw on the token's allowances, or on those of a text that is no token of ours. 429 00429."""
        counters: tuple[Counter, ...] = (self.limiter.counter(group, group.name),)
        state = visit.state
        if state is None:
            digest = hashlib.blake2b(token, digest_size=16).hexdigest()
            seen = await self.limiter.look_at_stranger(digest, counters)
        else:
            if state.rate_limit is not None:
                counters = (Counter(CUSTOM, state.rate_limit), *counters)
            seen = await self.limiter.look_at_token(state.jti, state.version, counters)
        if not seen.counts:
            return  # the token has just changed: this once, nothing is counted
        met = seen.exceeded(counters)
        told = met or 0
        visit.headers += quota_headers(counters[told].limit, seen.counts[told], seen.now)
        if met is not None:
            raise OverQuota(seen.now, await self.limiter.count_refusal(visit.block))


def unauthorised(codes: tuple[str, ...]) -> bytes:
    """What assistants read with a 401."""
    is_expired = codes == Refusal.of(Refused.EXPIRED).codes
    return orjson.dumps({"error": "token_expired" if is_expired else "not_authorized"})


def _answer(refusal: Refusal, asked: Asked) -> Answer:
    return Answer(refusal.status, _headers(asked), refusal.body())


def _headers(asked: Asked) -> Headers:
    return [(b"content-type", JSON), (b"x-request-id", asked.request_id.encode())]
