"""Documents asked for when their link is followed: the link says which, and for which token it was drawn.

Whoever holds such a link may follow it for an hour, as long as that token is not revoked; it draws on the token's
allowance of documents (behaviours §9). A new token's link is had by asking again for the answer that gives it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from config.clock import PARIS, Clock
from config.quotas import LOW_LATENCY_DOCUMENTS
from gateway import checks
from gateway.asked import Answer
from gateway.documents import Deferred, Documents
from gateway.errors import JSON, VENDOR_JSON, Refusal, Refused, provider_failure
from gateway.registry.registry import RegistryUnavailable
from gateway.registry.state import TokenState
from gateway.sealed import Broken
from gateway.visits import Visit, Visits
from providers.base import Call, Endpoint, Formats, ProviderFailed, Upstream, serialise
from providers.base.parameters import WrongParameter
from ratelimit.limiter import Counter, Headers, quota_headers, retry_after

LIFE_SECONDS = 3600
CUSTOM = "custom"


class Downloads:
    """Follows links."""

    def __init__(
        self,
        documents: Documents,
        visits: Visits,
        upstream: Upstream,
        operations: Mapping[str, Endpoint],
        clock: Clock,
        base: str,
    ) -> None:
        """`operations` are the requests that links may hold; `base` is the public address of the gateway."""
        self._documents = documents
        self._visits = visits
        self._upstream = upstream
        self._operations = operations
        self._clock = clock
        self._base = base

    async def answer(self, blob: str, visit: Visit) -> Answer:
        """What following the link gives: an envelope that holds the link to the document, or a refusal."""
        headers: Headers = []
        try:
            wanted = self._read(blob)  # 422 00314
            endpoint = self._operations[wanted.operation]
            visit.operation_id, visit.provider = endpoint.operation_id, endpoint.provider.slug
            visit.siren = wanted.values.get("siren")
            visit.state = await self._token(wanted)  # 401 00106
            await self._count(visit, visit.state, headers)  # 429 00429
            if self._clock() - wanted.drawn_at > LIFE_SECONDS:
                raise Refusal.of(Refused.LINK_LAPSED)  # 410 00403
            values = self._values(endpoint, wanted)  # 422 003xx 00501
        except Refusal as refusal:
            visit.codes = refusal.codes
            return Answer(refusal.status, [(b"content-type", JSON), *headers], refusal.body())
        except RegistryUnavailable:
            unavailable = Refusal.of(Refused.UNAVAILABLE)
            visit.codes = unavailable.codes
            return Answer(unavailable.status, [(b"content-type", JSON)], unavailable.body())
        return await self._fetched(endpoint, self._call(values, visit), visit, headers)

    def _read(self, blob: str) -> Deferred:
        wrong = Refusal.of_formats([(Formats.LINK, "uuid")])
        try:
            wanted = self._documents.read_deferred(blob)
        except Broken:
            raise wrong from None
        if wanted.operation not in self._operations:
            raise wrong
        return wanted

    async def _token(self, wanted: Deferred) -> TokenState:
        state = await self._visits.current_state(wanted.jti)
        if state is None or checks.is_revoked(state, self._clock()):
            raise Refusal.of(Refused.LINK_TOKEN)
        return state

    async def _count(self, visit: Visit, state: TokenState, headers: Headers) -> None:
        """Draw on the token's allowances; `headers` are filled with what is told of them."""
        limiter = self._visits.limiter
        counters: tuple[Counter, ...] = (limiter.counter(LOW_LATENCY_DOCUMENTS, LOW_LATENCY_DOCUMENTS.name),)
        if state.rate_limit is not None:
            counters = (Counter(CUSTOM, state.rate_limit), *counters)
        seen = await limiter.look_at_token(state.jti, state.version, counters)
        if not seen.counts:
            return  # the token has just changed: this once, nothing is counted
        met = seen.exceeded(counters)
        told = met or 0
        headers += quota_headers(counters[told].limit, seen.counts[told], seen.now)
        if met is not None:
            headers.append((b"retry-after", retry_after(seen.now)))
            await self._visits.count_refusal(visit)
            raise Refusal.of(Refused.QUOTA)

    def _values(self, endpoint: Endpoint, wanted: Deferred) -> dict[str, Any]:
        now = datetime.fromtimestamp(self._clock(), PARIS)
        values: dict[str, Any] = {}
        for parameter in endpoint.all_parameters:
            try:
                values[parameter.name] = parameter.value(wanted.values.get(parameter.name, ""), now)
            except WrongParameter as wrong:
                raise Refusal.of_formats([(wrong.format, wrong.parameter)]) from None
        return values

    def _call(self, values: Mapping[str, Any], visit: Visit) -> Call:
        assert visit.state is not None
        return Call(
            values=values,
            context="",
            object="",
            recipient="",
            user_id=visit.state.jti,
            request_id=visit.asked.request_id,
            today=datetime.fromtimestamp(self._clock(), PARIS).date(),
            base=self._base,
        )

    async def _fetched(self, endpoint: Endpoint, call: Call, visit: Visit, headers: Headers) -> Answer:
        headers = [(b"content-type", VENDOR_JSON), *headers]
        provider = endpoint.provider
        try:
            body = serialise(await self._upstream.fetch(endpoint, call))
            return Answer(200, headers, await self._documents.with_links(body, call.user_id))
        except ProviderFailed as failed:
            status, code, body = provider_failure(failed, provider.code, provider.name)
            visit.codes = (code,)
            return Answer(status, headers, body)
