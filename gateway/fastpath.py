"""A call that comes again, from its bytes to its answer, with no step done twice: the hot path, top to bottom.

Clients repeat themselves. What their requests say is worked out once and kept in two values: a `Caller` (the header
lines: who asks, with which token) and a `Target` (the request line: what is asked). A call is the meeting of the two,
allowed by a `Grant`. Whatever may have changed meanwhile is asked of Redis each time: ban and requests of the address,
version and counters of the token, the kept answer. The calls that come in one turn of the event loop make a `Round`:
what several of them ask is asked once, for all.

Here only the ordinary happens: all is well, and the answer is kept. Anything else goes the long way,
`gateway.pipeline`, with what Redis said, so that nothing is counted twice; it decides, this file never refuses.
Nothing waits here: a round is told when the replies have come, then each `Exchange` when its record is durable.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from audit.ids import UUID4, Drawn
from audit.record import Lines, Record
from audit.spool import SpoolUnavailable
from gateway import checks
from gateway.asked import Answer, Asked, parse_query
from gateway.cache import AnswerCache, Kept, Look, packed_name
from gateway.door import SECURITY, UUID
from gateway.errors import JSON, VENDOR_JSON, Refusal, Refused
from gateway.pipeline import NOT_CACHED, Heard, Pipeline
from gateway.recent import Recent
from gateway.registry.state import TokenState
from gateway.routing import Found, Kind
from gateway.tokens import Claims, find_token
from providers.base import Endpoint
from ratelimit.address import block_of
from ratelimit.limiter import Counter, Joint, quota_headers, window_end
from ratelimit.link import Connection as Way
from ratelimit.link import Questions

log = structlog.get_logger()

MOST_CALLERS = 262_144
MOST_TARGETS = 32_768
LONGEST = 4096
"""Bytes of the longest request that is kept."""

_LINE = re.compile(rb"GET (/v[0-9]+/[\w/.~:@!$&'()*+,;=-]*)\?([\w/.~:@!$&'()*+,;=?%-]*) HTTP/1\.1", re.ASCII)
_PLAIN = re.compile(rb"[\w!#$%&'*+.^`|~-]+:[\t\x20-\x7e\x80-\xff]*", re.ASCII)
_REQUEST_ID = b"x-request-id"
_MEANT = frozenset(
    b"accept authorization cache-control connection content-length content-type expect host http2-settings keep-alive "
    b"proxy-connection te trailer transfer-encoding upgrade user-agent x-api-key x-forwarded-for".split()
)
"""Headers that say something to the gateway or to its server; the others may be anything."""

_OF_THE_CALLER = ("jti", "habilitation", "holder_siret", "client_ip", "user_agent")
_OF_THE_TARGET = (
    "method", "path", "operation_id", "context", "object", "recipient", "siren", "siret", "rna", "provider",
    "api_version",
)  # fmt: skip
_OF_THE_ANSWER = ("status", "codes", "outcome", "cached")


class Connection(Protocol):
    """The server's side of a connection, as far as an exchange needs it."""

    hasher: Any
    """Begun with the peer's address, under a key of this process."""
    lines: bytes
    """The header lines with which it came last, those without meaning left out where they vary, and who that was."""
    caller: "Caller | None"

    def status_line(self, status: int) -> bytes:
        """The status line, and the headers that the server gives to all answers."""

    def give(self, text: bytes) -> None:
        """Write a whole answer; the connection is at rest afterwards."""

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
class Target:
    """What a request line says: a call that the cache can answer, and that nothing speaks against."""

    found: Found
    endpoint: Endpoint
    path: str
    query: bytes
    digest: bytes
    name: bytes
    """Of the answer, as it goes over the wire."""
    slot: int
    """Of that name."""
    head: bytes = b""
    members: bytes = b""
    """Both written down at the first answer: most targets of some callers never have one here."""


class FastPath:
    """Takes the calls that it knows how to answer, and leaves the others to whoever asks it."""

    def __init__(self, pipeline: Pipeline) -> None:
        """`pipeline` is the long way, and lends its parts."""
        self._pipeline = pipeline
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
        self.line = Lines()
        self._callers: Recent[bytes, Caller] = Recent(MOST_CALLERS)
        self._targets: Recent[bytes, Target] = Recent(MOST_TARGETS)
        self._answers: dict[tuple[int, tuple[str, ...]], bytes] = {}
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
        request_id = b""
        caller = connection.caller if connection.lines == lines else self._caller(lines, connection)
        if caller is None:
            meant, request_id = what_is_meant(lines)
            caller = connection.caller if connection.lines == meant else self._caller(meant, connection)
            if caller is None:
                return False
        at = self.clock()
        grant = caller.grants.get(target.endpoint.operation_id)
        if grant is None or not self._registry.is_known(grant.state):
            grant = self._grant(caller, target.endpoint, at)
        if grant is None or grant.until <= at or self._bans.is_banned(caller.block) is not None:
            return False
        joined = self._round
        if joined is None or joined.has_left:
            joined = self._round = Round(self)
        return joined.join(Exchange(self, connection, caller, target, grant, at, request_id or self._request_ids()))

    def _caller(self, lines: bytes, connection: Connection) -> Caller | None:
        caller = self._callers[_mark(connection.hasher, lines)]
        if caller is not None:
            connection.lines, connection.caller = lines, caller
        return caller

    def learn(self, data: bytes, asked: Asked, hasher: Any) -> None:
        """Keep what was read of a plain request (`GET`, HTTP/1.1, no body) whose token is ours."""
        if asked.claims is None or asked.no_cache or not find_token(asked.authorization, asked.api_key, b"", False):
            return
        lines = data[data.find(b"\r\n") :]
        meant, request_id = what_is_meant(lines)
        mark = _mark(hasher, meant)
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
            self._callers.remember(_mark(hasher, lines), caller)

    def _aim(self, line: bytes) -> Target | None:
        """The target of a request line; None for all that takes the long way."""
        if len(line) > LONGEST or (match := _LINE.fullmatch(line)) is None:
            return None
        raw_path, query = match[1], match[2]
        found, (parameters, has_trace) = self._router.find(raw_path), parse_query(query)
        endpoint = found.endpoint
        if found.kind is not Kind.DATA or endpoint is None or endpoint.cache is None or not has_trace:
            return None
        if endpoint.document is not None or endpoint.marks or _may_hold_a_token(query):
            return None
        try:
            checks.recipient(parameters, found.texts if self._pipeline.distinct_recipient else checks.NOBODY)
        except Refusal:
            return None
        digest = self._pipeline.digest(found, parameters)
        target = Target(found, endpoint, raw_path.decode(), query, digest, *packed_name(digest))
        self._targets.remember(line, target)
        return target

    @staticmethod
    def write_down(target: Target) -> None:
        """What answers and records say of a target."""
        found, endpoint = target.found, target.endpoint
        parameters, _ = parse_query(target.query)
        headers = [(b"content-type", VENDOR_JSON), (b"x-response-cached", b"true"), *found.notices, *SECURITY]
        record = _record(
            path=target.path,
            operation_id=endpoint.operation_id,
            provider=endpoint.provider.slug,
            api_version=endpoint.version,
            **{name: parameters.get(name) for name in ("context", "object", "recipient")},
            **found.subject._asdict(),
        )
        target.head, target.members = _lines(headers), record.members(*_OF_THE_TARGET)

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
        counters = self._pipeline.counters(endpoint, state)
        opening, slot = self.limiter.opening_of_token(state.jti, state.version, counters)
        record = _record(
            jti=state.jti,
            habilitation=state.habilitation_id,
            holder_siret=state.siret,
            client_ip=caller.address,
            user_agent=caller.user_agent.decode("latin-1"),
        )
        grant = Grant(
            state=state,
            until=min(state.expires_at, state.expires_at if state.revoked_at is None else state.revoked_at),
            counters=counters,
            limits=tuple(counter.limit for counter in counters),
            opening=opening,
            slot=slot,
            head=_lines([(b"ratelimit-limit", b"%d" % counters[0].limit)]),
            members=record.members(*_OF_THE_CALLER),
        )
        caller.grants[endpoint.operation_id] = grant
        return grant

    def members_of(self, kept: Kept) -> bytes:
        """What the record says of a kept answer."""
        key = kept.status, kept.codes
        members = self._answers.get(key)
        if members is None:
            record = _record(status=kept.status, codes=kept.codes, outcome=kept.outcome, cached=True)
            members = self._answers[key] = record.members(*_OF_THE_ANSWER)
        return members


class Exchange:
    """One call under way."""

    __slots__ = (
        "address", "at", "caller", "connection", "grant", "look", "now", "nth_of_address", "nth_of_token", "path",
        "request_id", "target", "token",
    )  # fmt: skip

    address: Joint
    token: Joint
    look: Look
    nth_of_address: int
    nth_of_token: int
    now: int

    def __init__(
        self,
        path: FastPath,
        connection: Connection,
        caller: Caller,
        target: Target,
        grant: Grant,
        at: float,
        request_id: bytes,
    ) -> None:
        self.path = path
        self.connection = connection
        self.caller = caller
        self.target = target
        self.grant = grant
        self.at = at
        self.request_id = request_id

    # 2. The replies of Redis have come.

    def judge(self, is_well: bool, now: float) -> None:
        """Record the answer, if all is well and there is one; the long way otherwise."""
        path, target, kept = self.path, self.target, self.look.kept
        if not is_well or kept is None or kept.expires_at <= now:
            self._go_the_long_way()
            return
        if not target.members:
            path.write_down(target)
        took = now - self.at
        path.metrics.count(target.endpoint, kept.status, True, took)
        members = (target.members, self.grant.members, path.members_of(kept))
        path.trail.put(path.line(self.at, self.request_id, int(took * 1000), *members), self.recorded)

    # 3. The record is durable.

    def recorded(self, error: SpoolUnavailable | None) -> None:
        """Give the answer."""
        try:
            self._give(error)
        except Exception:
            log.exception("fast_path_defect", request_id=self.request_id.decode())
            self.connection.break_off()

    def _give(self, error: SpoolUnavailable | None) -> None:
        kept, grant, token = self.look.kept, self.grant, self.token
        assert kept is not None
        limit, count, now = grant.limits[0], token.reply[1] - token.calls + self.nth_of_token, token.reply[0] // 1000
        if error is not None:
            refusal = Refusal.of(Refused.UNAVAILABLE)
            headers = [(b"content-type", JSON), (b"x-request-id", self.request_id)]
            headers += [*quota_headers(limit, count, now), *NOT_CACHED]
            self.connection.give_answer(Answer(refusal.status, headers, refusal.body()))
            return
        left = max(0, int(kept.expires_at - self.at))
        self.connection.give(
            b"%b%b%bx-request-id: %b\r\nratelimit-remaining: %d\r\nratelimit-reset: %d\r\nx-cache-expires-in: %d\r\n"
            b"cache-status: Octroi; hit; ttl=%d\r\ncontent-length: %d\r\n\r\n%b"
            % (
                self.connection.status_line(kept.status),
                self.target.head,
                grant.head,
                self.request_id,
                limit - count,
                window_end(now),
                left,
                left,
                len(kept.body),
                kept.body,
            )
        )

    def _go_the_long_way(self) -> None:
        caller, target, limiter = self.caller, self.target, self.path.limiter
        asked = Asked(
            method="GET",
            path=target.path,
            raw_path=target.path.encode(),
            query=target.query,
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
        heard = Heard(self.grant.state, self.grant.counters, target.digest, ip, token, self.look.reply)
        self.connection.go_the_long_way(asked, heard)


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
        self._addresses: dict[bytes, Joint] = {}
        self._tokens: dict[bytes, Joint] = {}
        self._looks: dict[bytes, Look] = {}
        self._parts: dict[Way, Part] = {}
        self._only: Part | None = None
        """The part, where one server holds all keys."""
        self._unheard = 0

    def join(self, exchange: Exchange) -> bool:
        """One more call, if all that it asks can be asked now. What was asked before that was known counts nothing."""
        caller, grant, target = exchange.caller, exchange.grant, exchange.target
        address = self._addresses.get(caller.opening) or self._joint(self._addresses, caller.opening, caller.slot)
        token = self._tokens.get(grant.opening) or self._joint(self._tokens, grant.opening, grant.slot)
        look = self._looks.get(target.digest) or self._look(target)
        if address is None or token is None or look is None:
            return False
        address.calls += 1
        token.calls += 1
        exchange.address, exchange.nth_of_address = address, address.calls
        exchange.token, exchange.nth_of_token = token, token.calls
        exchange.look = look
        self._exchanges.append(exchange)
        return True

    def _joint(self, joints: dict[bytes, Joint], opening: bytes, slot: int) -> Joint | None:
        part = self._part(slot)
        if part is None:
            return None
        joint = joints[opening] = Joint(opening)
        part.joints.append(joint)
        part.number += 1
        return joint

    def _look(self, target: Target) -> Look | None:
        part = self._part(target.slot)
        if part is None:
            return None
        look = self._looks[target.digest] = Look(target.digest, target.name, self._path.cache.held(target.digest))
        part.number += part.is_divided or not part.looks  # undivided, all are one question
        part.looks.append(look)
        return look

    def _part(self, slot: int) -> "Part | None":
        """What is asked of the server that holds the slot."""
        if self._only is not None:
            return self._only
        link = self._path.link
        way = link.way_to(slot)
        if way is None:
            return None
        part = self._parts.get(way)
        if part is None:
            part = self._parts[way] = Part(self, self._path.cache, link.is_divided)
            self._only = None if part.is_divided else part
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
                exchange.judge(self._is_well(exchange), now)
            except Exception:
                log.exception("fast_path_defect", request_id=exchange.request_id.decode())
                exchange.connection.break_off()

    @staticmethod
    def _is_well(exchange: Exchange) -> bool:
        """Whether the address is not banned, the token as it is known, and its quotas suffice for all calls here."""
        ip, token, limits = exchange.address.reply, exchange.token.reply, exchange.grant.limits
        if ip.__class__ is not list or ip[0] != 0 or token.__class__ is not list or token[0] < 0:
            return False
        return bool(token[1] <= limits[0] and (len(limits) == 1 or token[2] <= limits[1]))


class Part(Questions):
    """What a round asks of one server."""

    __slots__ = ("_cache", "_round", "is_divided", "joints", "looks")

    def __init__(self, joined: Round, cache: AnswerCache, is_divided: bool) -> None:
        super().__init__()
        self._round = joined
        self._cache = cache
        self.is_divided = is_divided
        """Whether each answer is a question of its own."""
        self.joints: list[Joint] = []
        self.looks: list[Look] = []

    def packed(self) -> bytes:
        """The commands; who comes later is of another round."""
        self._round.has_left = True
        asked = [joint.packed() for joint in self.joints]
        if self.is_divided:
            asked += [AnswerCache.packed_look((look,)) for look in self.looks]
        elif self.looks:
            asked.append(AnswerCache.packed_look(self.looks))
        return b"".join(asked)

    def hear(self, replies: list[Any]) -> None:
        """Note what the server said."""
        self._round.has_left = True
        for joint, reply in zip(self.joints, replies, strict=False):
            joint.reply = reply
        answers = replies[len(self.joints) :]
        for index, look in enumerate(self.looks):
            reply, place = (answers[index], 0) if self.is_divided else (answers[0], index)
            self._cache.see(look, reply[place] if reply.__class__ is list else reply)
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


def _record(**known: Any) -> Record:
    """A record of which some members are known."""
    told = {"status": 200, "outcome": "granted", "client_ip": "", "path": "", **known}
    return Record(id="", at=0.0, request_id="", method="GET", **told)
