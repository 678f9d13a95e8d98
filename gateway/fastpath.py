"""A call that comes again, from its bytes to its answer, with no step done twice: the hot path, top to bottom.

Clients repeat themselves. What their requests say is worked out once and kept in three values: a `Caller` (the header
lines: who asks, with which token), a `Place` (the path: what is asked) and a `Trace` (the query: why). A call is their
meeting, allowed by a `Grant`. Whatever may have changed meanwhile is asked of Redis each time: ban and requests of the
address, version and counters of the token, the kept answer. The calls that come in one turn of the event loop make a
`Round`: what several of them ask is asked once, for all.

Here only the ordinary happens: all is well, and the answer is kept, or else fetched as the pipeline fetches it. What is
out of the ordinary goes the long way, `gateway.pipeline`, with what Redis said, so that nothing is counted twice; it
decides, this file never refuses. No kept answer waits for a task: a round is told when the replies have come, then each
`Exchange` when its record is durable.
"""

import hashlib
import re
import secrets
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import structlog

from audit.ids import UUID4, Drawn
from audit.record import Lines, members
from audit.spool import SpoolUnavailable
from gateway import checks
from gateway.asked import Answer, Asked, parse_query
from gateway.cache import AnswerCache, Kept, Look, Name
from gateway.door import SECURITY, UUID
from gateway.errors import JSON, VENDOR_JSON, Refusal, Refused
from gateway.pipeline import MISSED, MISSED_AND_STORED, NOT_CACHED, Heard, Pipeline, Wanted
from gateway.recent import Recent
from gateway.registry.state import TokenState
from gateway.routing import Found, Kind
from gateway.tokens import Claims, find_token
from providers.base import Endpoint
from ratelimit.address import block_of
from ratelimit.limiter import Counter, Joint, quota_headers, window_end
from ratelimit.link import AGAIN, UNHEARD, Questions
from ratelimit.link import Connection as Way

log = structlog.get_logger()

MOST_CALLERS = 262_144
MOST_TARGETS = 32_768
MOST_PLACES = MOST_TRACES = 16_384
LONGEST = 4096
"""Bytes of the longest request that is kept."""

_LINE = re.compile(rb"GET (/v[0-9]+/[\w/.~:@!$&'()*+,;=-]*)\?([\w/.~:@!$&'()*+,;=?%-]*) HTTP/1\.1", re.ASCII)
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_PLAIN = re.compile(rb"[\w!#$%%&'*+.^`|~-]+:%b" % _VALUE.pattern, re.ASCII)
_REQUEST_ID = b"x-request-id"
_MEANT = frozenset(
    b"accept authorization cache-control connection content-length content-type expect host http2-settings keep-alive "
    b"proxy-connection te trailer transfer-encoding upgrade user-agent x-api-key x-forwarded-for".split()
)
"""Headers that say something to the gateway or to its server; the others may be anything."""

FETCHED = b"false\r\nx-cache-expires-in: \r\ncache-status: " + MISSED
FETCHED_AND_STORED = b"false\r\nx-cache-expires-in: \r\ncache-status: " + MISSED_AND_STORED


class Connection(Protocol):
    """The server's side of a connection, as far as an exchange needs it."""

    hasher: Any
    """Begun with the peer's address, under a key of this process."""
    caller: "Caller | None"
    """Who asked last, if that was somebody known."""
    lines: bytes
    """With these header lines, if they were known to the byte or not at all; empty otherwise."""
    form: "Form | None"
    """Or with lines of this form, that have values of their own."""

    def status_line(self, status: int) -> bytes:
        """The status line, and the headers that the server gives to all answers."""

    def give(self, text: bytes) -> None:
        """Write a whole answer; the connection is at rest afterwards."""

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what has to be waited for; it must not raise."""

    def go_the_long_way(self, asked: Asked, heard: Heard) -> None:
        """Have the pipeline answer."""

    def give_answer(self, answer: Answer) -> None:
        """The same, of an answer still to be written down."""

    def break_off(self) -> None:
        """Close the connection."""


@dataclass(slots=True, eq=False)
class Grant:
    """A caller's access to an endpoint, as long as the registry's word on its token is the same."""

    state: TokenState
    until: float
    """Epoch second of expiry, or of a revocation that is planned."""
    counters: tuple[Counter, ...]
    limits: tuple[int, ...]
    opening: bytes
    slot: int
    """Both of the question about the token."""
    head: bytes
    members: bytes


@dataclass(slots=True, eq=False)
class Caller:
    """What header lines say, the peer's address included; the token itself is not kept."""

    address: str
    block: str
    claims: Claims
    user_agent: bytes
    accept: bytes
    content_type: bytes
    opening: bytes
    slot: int
    """Both of the question about the address."""
    grants: dict[str, Grant] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Place:
    """What a path says: an answer that may be kept, and that nothing speaks against."""

    found: Found
    endpoint: Endpoint
    path: str
    digest: bytes
    name: Name
    """Of the answer."""
    head: bytes = b""
    members: bytes = b""
    """Both written down at the first answer: most places of some callers never have one here."""

    def write_down(self) -> None:
        """What answers and records say of it."""
        found, endpoint = self.found, self.endpoint
        self.head = _lines(found.notices) + _COMMON
        self.members = members(
            method="GET",
            path=self.path,
            operation_id=endpoint.operation_id,
            provider=endpoint.provider.slug,
            api_version=endpoint.version,
            **found.subject._asdict(),
        )


@dataclass(slots=True, eq=False)
class Trace:
    """What a query says: in which context, about which object, for whom; all are there."""

    query: bytes
    parameters: Mapping[str, str]
    members: bytes = b""
    """Written down at the first answer."""

    def write_down(self) -> None:
        """What records say of it."""
        self.members = members(**{name: self.parameters[name] for name in ("context", "object", "recipient")})


class FastPath:
    """Takes the calls that it knows how to answer, and leaves the others to whoever asks it."""

    def __init__(self, pipeline: Pipeline) -> None:
        """`pipeline` is the long way, and lends its parts."""
        self.pipeline = pipeline
        self._router = pipeline.router
        self._registry = pipeline.registry
        self._bans = pipeline.bans
        self._round: Round | None = None
        self.link = pipeline.link
        self.limiter = pipeline.limiter
        self.cache = pipeline.cache
        self.trail = pipeline.trail
        self.metrics = pipeline.metrics
        self.clock = pipeline.clock
        self._request_ids = Drawn(UUID4)
        self.lines = Lines()
        self._callers: Recent[bytes, Caller] = Recent(MOST_CALLERS)
        self._places: Recent[bytes, Place] = Recent(MOST_PLACES)
        self._traces: Recent[bytes, Trace] = Recent(MOST_TRACES)
        self._targets: Recent[bytes, tuple[Place, Trace]] = Recent(MOST_TARGETS)
        """By request line."""
        self._hasher = hashlib.blake2b(key=secrets.token_bytes(32), digest_size=16)

    def hasher(self, peer: str) -> "hashlib.blake2b":
        """What names the header lines of that peer: a keyed digest, for they hold a token."""
        hasher = self._hasher.copy()
        hasher.update(peer.encode() + b"\0")
        return hasher

    # 1. The call comes.

    def take(self, data: bytes, connection: Connection) -> bool:
        """Whether the request is one to be answered here; if so, it is under way."""
        end = data.find(b"\r\n")
        line, lines = data[:end], data[end:]
        target = self._targets[line] or self._aim(line)
        if target is None:
            return False
        place, trace = target
        caller, request_id = connection.caller, b""
        if lines != connection.lines:
            told = None if connection.form is None else connection.form.request_id(lines)
            if told is None:
                caller, told = self._recognise(lines, connection)
            request_id = told
        if caller is None:
            return False
        at = self.clock()
        grant = caller.grants.get(place.endpoint.operation_id)
        if grant is None or not self._registry.is_known(grant.state):
            grant = self._grant(caller, place.endpoint, at)
        if grant is None or grant.until <= at or self._bans.is_banned(caller.block) is not None:
            return False
        joined = self._round
        if joined is None or joined.has_left:
            joined = self._round = Round(self)
        request_id = request_id or self._request_ids()
        return joined.join(Exchange(self, connection, caller, place, trace, grant, at, request_id))

    def _recognise(self, lines: bytes, connection: Connection) -> tuple[Caller | None, bytes]:
        """Whose header lines these are, and the identifier that they give to the request."""
        caller, form, request_id = self._callers[_mark(connection.hasher, lines)], None, b""
        if caller is None:
            meant, request_id = what_is_meant(lines)
            caller = self._callers[_mark(connection.hasher, meant)]
            form = None if caller is None else Form(lines)
        connection.caller, connection.lines, connection.form = caller, lines if form is None else b"", form
        return caller, request_id

    def learn(self, data: bytes, asked: Asked, connection: Connection) -> None:
        """Keep what was read of a plain request (`GET`, HTTP/1.1, no body) whose token is ours."""
        if asked.claims is None or asked.no_cache or not find_token(asked.authorization, asked.api_key, b"", False):
            return
        lines = data[data.find(b"\r\n") :]
        meant, request_id = what_is_meant(lines)
        connection.lines, mark = b"", _mark(connection.hasher, meant)
        if not meant or self._callers[mark] is not None:
            return
        try:
            checks.well_formed(asked)
        except Refusal:
            return
        block = block_of(asked.address)
        told = (asked.user_agent, asked.accept, asked.content_type)
        caller = Caller(asked.address, block, asked.claims, *told, *self.limiter.opening_of_ip(block))
        self._callers.remember(mark, caller)
        if not request_id and lines != meant:
            self._callers.remember(_mark(connection.hasher, lines), caller)

    def _aim(self, line: bytes) -> tuple[Place, Trace] | None:
        """Where a request line leads, and why; None for all that takes the long way."""
        if len(line) > LONGEST or (match := _LINE.fullmatch(line)) is None:
            return None
        raw_path, query = match.groups()
        trace = self._traces[query] or self._trace(query)
        place = None if trace is None else self._places[raw_path] or self._place(raw_path, trace)
        if trace is None or place is None:
            return None
        try:
            checks.recipient(trace.parameters, place.found.texts if self.pipeline.distinct_recipient else checks.NOBODY)
        except Refusal:
            return None
        target = place, trace
        self._targets.remember(line, target)
        return target

    def _trace(self, query: bytes) -> Trace | None:
        parameters, has_trace = parse_query(query)
        if not has_trace or _may_hold_a_token(query):
            return None
        trace = Trace(query, parameters)
        self._traces.remember(query, trace)
        return trace

    def _place(self, raw_path: bytes, trace: Trace) -> Place | None:
        found = self._router.find(raw_path)
        endpoint = found.endpoint
        if found.kind is not Kind.DATA or endpoint is None or endpoint.cache is None:
            return None
        if endpoint.document is not None or endpoint.marks:
            return None
        digest = self.pipeline.digest(found, trace.parameters)
        place = Place(found, endpoint, raw_path.decode(), digest, Name(digest))
        if not endpoint.cache.key_parameters:  # else the query has a say in what is asked
            self._places.remember(raw_path, place)
        return place

    def _grant(self, caller: Caller, endpoint: Endpoint, at: float) -> Grant | None:
        """What the registry's word, as it is known here, opens to the caller; Redis is asked whether it still holds."""
        state = self._registry.known(caller.claims.jti)
        if state is None:
            return None
        asked = Asked("GET", "", b"", b"", (), caller.address, "", at)
        try:
            checks.admit(state, asked)
            checks.authenticate(caller.claims, state, at)
            checks.authorise(state, endpoint)
        except Refusal:
            return None
        counters = self.pipeline.counters(endpoint, state)
        opening, slot = self.limiter.opening_of_token(state.jti, state.version, counters)
        grant = Grant(
            state=state,
            until=min(state.expires_at, state.expires_at if state.revoked_at is None else state.revoked_at),
            counters=counters,
            limits=tuple(counter.limit for counter in counters),
            opening=opening,
            slot=slot,
            head=_lines([(b"ratelimit-limit", b"%d" % counters[0].limit)]),
            members=members(
                jti=state.jti,
                habilitation=state.habilitation_id,
                holder_siret=state.siret,
                client_ip=caller.address,
                user_agent=caller.user_agent.decode("latin-1"),
            ),
        )
        caller.grants[endpoint.operation_id] = grant
        return grant


class Exchange:
    """One call under way."""

    __slots__ = (
        "address", "at", "caller", "connection", "grant", "is_cached", "kept", "look", "nth_of_address",
        "nth_of_token", "path", "place", "request_id", "token", "trace",
    )  # fmt: skip

    address: "OfAddress"
    token: "OfToken"
    look: Look
    kept: Kept
    is_cached: bool
    nth_of_address: int
    nth_of_token: int

    def __init__(
        self,
        path: FastPath,
        connection: Connection,
        caller: Caller,
        place: Place,
        trace: Trace,
        grant: Grant,
        at: float,
        request_id: bytes,
    ) -> None:
        self.path = path
        self.connection = connection
        self.caller = caller
        self.place = place
        self.trace = trace
        self.grant = grant
        self.at = at
        self.request_id = request_id

    # 2. The replies of Redis have come.

    def judge(self, now: float) -> None:
        """Record the answer, if all is well and there is one; fetch it, if there is none; the long way otherwise."""
        kept, reply = self.look.kept, self.look.reply
        if not self.address.is_well or not self.token.is_well or reply is UNHEARD or reply is AGAIN:
            self._go_the_long_way()
        elif kept is not None and kept.expires_at > now:
            if not kept.members:
                kept.members = self.path.lines.of_answer(kept.status, kept.codes, kept.outcome, True)
            self._record(kept, kept.members, now, is_cached=True)
        else:
            self.connection.run(self._fetch())

    async def _fetch(self) -> None:
        path, place, trace = self.path, self.place, self.trace
        try:
            try:
                kept = await path.pipeline.fetch(
                    Wanted(
                        found=place.found,
                        endpoint=place.endpoint,
                        state=self.grant.state,
                        raw_path=place.path.encode(),
                        query=trace.query,
                        parameters=trace.parameters,
                        request_id=self.request_id.decode(),
                        digest=place.digest,
                    )
                )
            except Exception as failure:
                self._go_the_long_way(failure)
            else:
                members = path.lines.of_answer(kept.status, kept.codes, kept.outcome, False)
                self._record(kept, members, path.clock(), is_cached=False)
        except Exception:
            log.exception("fast_path_defect", request_id=self.request_id.decode())
            self.connection.break_off()

    def _record(self, kept: Kept, members: bytes, now: float, *, is_cached: bool) -> None:
        path, place, trace = self.path, self.place, self.trace
        self.kept, self.is_cached = kept, is_cached
        if not place.members:
            place.write_down()
        if not trace.members:
            trace.write_down()
        took = now - self.at
        path.metrics.count(place.endpoint, kept.status, is_cached, took)
        line = path.lines(
            self.at, self.request_id, int(took * 1000), place.members, trace.members, self.grant.members, members
        )
        path.trail.put(line, self.recorded)

    # 3. The record is durable.

    def recorded(self, error: SpoolUnavailable | None) -> None:
        """Give the answer."""
        try:
            self._give() if error is None else self._withhold()
        except Exception:
            log.exception("fast_path_defect", request_id=self.request_id.decode())
            self.connection.break_off()

    def _give(self) -> None:
        kept, token = self.kept, self.token
        if self.is_cached:
            left = b"%d" % max(0, int(kept.expires_at - self.at))
            source = b"true\r\nx-cache-expires-in: %b\r\ncache-status: Octroi; hit; ttl=%b" % (left, left)
        else:
            source = FETCHED_AND_STORED if kept.is_lasting else FETCHED
        self.connection.give(
            b"%b%b%bx-request-id: %b\r\nratelimit-remaining: %d\r\nratelimit-reset: %b\r\nx-response-cached: %b\r\n"
            b"content-length: %d\r\n\r\n%b"
            % (
                self.connection.status_line(kept.status),
                self.place.head,
                self.grant.head,
                self.request_id,
                token.left - self.nth_of_token,
                token.window_end,
                source,
                len(kept.body),
                kept.body,
            )
        )

    def _withhold(self) -> None:
        refusal, told = Refusal.of(Refused.UNAVAILABLE), self.path.limiter.told_token(self.token, self.nth_of_token)
        headers = [(b"content-type", JSON), (b"x-request-id", self.request_id)]
        headers += [*quota_headers(self.grant.limits[0], told.counts[0], told.now), *NOT_CACHED]
        self.connection.give_answer(Answer(refusal.status, headers, refusal.body()))

    def _go_the_long_way(self, failure: Exception | None = None) -> None:
        caller, place, limiter = self.caller, self.place, self.path.limiter
        asked = Asked(
            method="GET",
            path=place.path,
            raw_path=place.path.encode(),
            query=self.trace.query,
            headers=(),
            address=caller.address,
            request_id=self.request_id.decode(),
            at=self.at,
            accept=caller.accept,
            content_type=caller.content_type,
            user_agent=caller.user_agent,
            claims=caller.claims,
        )
        ip = limiter.told_ip(self.address, self.nth_of_address)
        token = limiter.told_token(self.token, self.nth_of_token)
        heard = Heard(
            found=place.found,
            block=caller.block,
            state=self.grant.state,
            counters=self.grant.counters,
            digest=place.digest,
            ip=ip,
            token=token,
            answer=self.look.reply,
            failure=failure,
        )
        self.connection.go_the_long_way(asked, heard)


class OfAddress(Joint):
    """What the calls of one address ask, and whether it may have them all answered."""

    __slots__ = ("is_well",)

    def __init__(self, opening: bytes) -> None:
        super().__init__(opening)
        self.is_well = False

    def hear(self, reply: Any) -> None:
        """Take in the reply: the address must not be banned."""
        self.reply = reply
        self.is_well = reply.__class__ is list and reply[0] == 0


class OfToken(Joint):
    """What the calls of one token ask, and whether it may have them all answered."""

    __slots__ = ("_limits", "is_well", "left", "window_end")

    def __init__(self, opening: bytes, limits: tuple[int, ...]) -> None:
        super().__init__(opening)
        self._limits = limits
        self.is_well = False
        self.left = 0
        """Calls left before these."""
        self.window_end = b""
        """The epoch second at which they are as many as ever."""

    def hear(self, reply: Any) -> None:
        """Take in the reply: the token must be as it is known, and its quotas suffice."""
        self.reply = reply
        if reply.__class__ is list and reply[0] >= 0:
            limits, counts = self._limits, reply[1:]
            self.is_well = counts[0] <= limits[0] and (len(limits) == 1 or counts[1] <= limits[1])
            self.left = limits[0] - counts[0] + self.calls
            self.window_end = b"%d" % window_end(reply[0] // 1000)


J = TypeVar("J", OfAddress, OfToken)


class Round:
    """The calls of one turn of the event loop, and what they ask: each address, each token and each answer once.

    It has a part for each server that is asked: one, but on a cluster.
    """

    __slots__ = ("_addresses", "_exchanges", "_looks", "_only", "_parts", "_path", "_tokens", "_unheard", "has_left")

    def __init__(self, path: FastPath) -> None:
        self.has_left = False
        """Whether it is under way: who comes later is of another round."""
        self._path = path
        self._exchanges: list[Exchange] = []
        self._addresses: dict[bytes, OfAddress] = {}
        self._tokens: dict[bytes, OfToken] = {}
        self._looks: dict[bytes, Look] = {}
        self._parts: dict[Way, Part] = {}
        self._only: Part | None = None
        """The part, where one server holds all keys."""
        self._unheard = 0

    def join(self, exchange: Exchange) -> bool:
        """One more call, if all that it asks can be asked now. What was asked before that was known counts nothing."""
        caller, grant, place = exchange.caller, exchange.grant, exchange.place
        address, token = self._addresses.get(caller.opening), self._tokens.get(grant.opening)
        if address is None and (part := self._only or self._part(caller.slot)) is not None:
            address = self._addresses[caller.opening] = part.join(OfAddress(caller.opening))
        if token is None and (part := self._only or self._part(grant.slot)) is not None:
            token = self._tokens[grant.opening] = part.join(OfToken(grant.opening, grant.limits))
        look = self._looks.get(place.digest) or self._look(place)
        if address is None or token is None or look is None:
            return False
        address.calls += 1
        token.calls += 1
        exchange.address, exchange.nth_of_address = address, address.calls
        exchange.token, exchange.nth_of_token = token, token.calls
        exchange.look = look
        self._exchanges.append(exchange)
        return True

    def _look(self, place: Place) -> Look | None:
        part = self._only or self._part(place.name.slot)
        if part is None:
            return None
        look = self._looks[place.digest] = Look(place.digest, place.name, self._path.cache.held(place.digest))
        part.looks.append(look)
        part.number += 1
        return look

    def _part(self, slot: int) -> "Part | None":
        """What is asked of the server that holds the slot."""
        link = self._path.link
        way = link.way_to(slot)
        if way is None:
            return None
        part = self._parts.get(way)
        if part is None:
            part = self._parts[way] = Part(self, self._path.cache)
            self._only = None if link.is_divided else part
            self._unheard += 1
            link.ask(way, part)
        return part

    def heard_of_one(self) -> None:
        """Give each call what concerns it, once all servers are heard."""
        self._unheard -= 1
        if self._unheard:
            return
        self._only = None
        self._parts.clear()  # they know of this round: left to the collector of cycles, calls would wait for it
        now = self._path.clock()
        for exchange in self._exchanges:
            try:
                exchange.judge(now)
            except Exception:
                log.exception("fast_path_defect", request_id=exchange.request_id.decode())
                exchange.connection.break_off()


class Part(Questions):
    """What a round asks of one server: its joint questions, then its answers."""

    __slots__ = ("_cache", "_round", "joints", "looks")

    def __init__(self, joined: Round, cache: AnswerCache) -> None:
        super().__init__()
        self._round = joined
        self._cache = cache
        self.joints: list[Joint] = []
        self.looks: list[Look] = []

    def join(self, joint: J) -> J:
        """One more joint question."""
        self.joints.append(joint)
        self.number += 1
        return joint

    def packed(self) -> bytes:
        """The commands; who comes later is of another round."""
        self._round.has_left = True
        return b"".join([*[joint.packed() for joint in self.joints], *[look.question for look in self.looks]])

    def hear(self, replies: list[Any]) -> None:
        """Note what the server said."""
        self._round.has_left = True
        heard = iter(replies)
        for joint, reply in zip(self.joints, heard, strict=False):
            joint.hear(reply)
        see = self._cache.see
        for look, reply in zip(self.looks, heard, strict=False):
            see(look, reply)
        self._round.heard_of_one()


def what_is_meant(lines: bytes) -> tuple[bytes, bytes]:
    """What is left of the header lines without those that mean nothing here; and the identifier that they give to the
    request, if it is one.

    `lines` is what stands after the request line. Empty where a line is not plainly a header.
    """
    split = lines.split(b"\r\n")
    if len(split) < 3 or split[0] or split[-1] or split[-2]:
        return b"", b""
    meant, request_id = [b""], b""
    for line in split[1:-2]:
        name = line[: line.find(b":")].lower()
        if name in _MEANT:
            meant.append(line)  # in whatever spelling: it must be one that the parser has read before
        elif _PLAIN.fullmatch(line) is None:
            return b"", b""
        elif name == _REQUEST_ID and UUID.fullmatch(value := line.partition(b":")[2].strip(b" \t")):
            request_id = value.lower()
    return b"\r\n".join([*meant, b"", b""]), request_id


class Form:
    """Header lines with room for the values that mean nothing.

    It knows others of the same make for what they are, at a quarter of the cost of `what_is_meant`.
    """

    __slots__ = ("_end", "_holes")

    def __init__(self, lines: bytes) -> None:
        """Of lines of which `what_is_meant` made something."""
        self._holes: list[tuple[bytes, bool]] = []
        """What stands before each value, and whether that is the request's identifier."""
        fixed = b""
        for line in lines.split(b"\r\n")[1:-2]:
            name = line[: line.find(b":")]
            fixed += b"\r\n" + line
            if name.lower() not in _MEANT:
                self._holes.append((fixed[: len(fixed) - len(line) + len(name) + 1], name.lower() == _REQUEST_ID))
                fixed = b""
        self._end = fixed + b"\r\n\r\n"

    def request_id(self, lines: bytes) -> bytes | None:
        """The identifier that they give to the request, empty without one; None of lines of another make."""
        start, found = 0, b""
        for before, is_request_id in self._holes:
            if not lines.startswith(before, start):
                return None
            start += len(before)
            end = lines.find(b"\r\n", start)
            if _VALUE.fullmatch(lines, start, end) is None:
                return None
            if is_request_id and UUID.fullmatch(value := lines[start:end].strip(b" \t")):
                found = value.lower()
            start = end
        return found if lines[start:] == self._end else None


def _may_hold_a_token(query: bytes) -> bool:
    """Under its name, or under one that is written otherwise."""
    return b"token" in query or (b"%" in query and bool(find_token((), b"", query, True)))


def _mark(hasher: Any, lines: bytes) -> bytes:
    digest = hasher.copy()
    digest.update(lines)
    mark: bytes = digest.digest()
    return mark


def _lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])


_COMMON = _lines([(b"content-type", VENDOR_JSON), *SECURITY])
