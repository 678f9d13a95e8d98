"""A call that comes again, from its bytes to its answer, with no step done twice: the hot path, top to bottom.

Clients repeat themselves. What their requests say is worked out once and kept in two values: a `Caller` (the header
lines: who asks, with which token) and a `Target` (the request line: what is asked). A call is the meeting of the two,
allowed by a `Grant`. Whatever may have changed meanwhile is asked of Redis each time, in one write: ban and requests of
the address, version and counters of the token, the kept answer.

Here only the ordinary happens: all is well, and the answer is kept. Anything else goes the long way,
`gateway.pipeline`, with what Redis said, so that nothing is counted twice; it decides, this file never refuses.
Nothing waits here: an `Exchange` is told when the replies have come, then when its record is durable.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from audit.record import Record, joined
from audit.spool import SpoolUnavailable
from gateway import checks
from gateway.asked import Answer, Asked, RequestIds, parse_query
from gateway.cache import Held, Kept
from gateway.door import SECURITY, UUID
from gateway.errors import JSON, VENDOR_JSON, Refusal, Refused
from gateway.pipeline import Heard, Pipeline
from gateway.registry.state import TokenState
from gateway.routing import Found, Kind
from gateway.tokens import Claims, find_token
from providers.base import Endpoint
from ratelimit.address import block_of
from ratelimit.limiter import Counter, window_end
from ratelimit.link import Questions

log = structlog.get_logger()

MOST_CALLERS = 32_768
MOST_TARGETS = 16_384
LONGEST = 4096
"""Bytes of the longest request that is kept."""

_QUESTIONS = 3
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
    question: bytes
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
    question: bytes
    grants: dict[str, Grant] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Target:
    """What a request line says: a call that the cache can answer, and that nothing speaks against."""

    found: Found
    endpoint: Endpoint
    path: str
    query: bytes
    digest: bytes
    question: bytes
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
        self._limiter = pipeline.limiter
        self._bans = pipeline.bans
        self._link = pipeline.link
        self.cache = pipeline.cache
        self.trail = pipeline.trail
        self.metrics = pipeline.metrics
        self.clock = pipeline.clock
        self.ids = pipeline.ids
        self._request_ids = RequestIds()
        self._callers: dict[bytes, Caller] = {}
        self._targets: dict[bytes, Target] = {}
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
        target = self._targets.get(line) or self._aim(line)
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
        held = self.cache.held(target.digest)
        exchange = Exchange(self, connection, caller, target, grant, held, at)
        exchange.request_id = request_id.decode() if request_id else self._request_ids()
        packed = caller.question + grant.question + (target.question if held is None else held.question)
        return self._link.ask(exchange, packed)

    def _caller(self, lines: bytes, connection: Connection) -> Caller | None:
        caller = self._callers.get(_mark(connection.hasher, lines))
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
        if not meant or mark in self._callers:
            return
        try:
            checks.well_formed(asked)
        except Refusal:
            return
        block = block_of(asked.address)
        question = self._limiter.packed_look_at_ip(block)
        told = (asked.user_agent, asked.accept, asked.content_type)
        caller = Caller(asked.address, block, asked.claims, *told, question)
        if len(self._callers) >= MOST_CALLERS:
            self._callers.clear()
        self._callers[mark] = caller
        if not request_id:
            self._callers[_mark(hasher, lines)] = caller

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
        target = Target(found, endpoint, raw_path.decode(), query, digest, self.cache.packed_look(digest))
        if len(self._targets) >= MOST_TARGETS:
            self._targets.clear()
        self._targets[line] = target
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
            question=self._limiter.packed_look_at_token(state.jti, state.version, counters),
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


class Exchange(Questions):
    """One call under way."""

    __slots__ = (
        "at", "caller", "connection", "count", "grant", "held", "kept", "now", "path", "request_id", "target"
    )  # fmt: skip

    def __init__(
        self,
        path: FastPath,
        connection: Connection,
        caller: Caller,
        target: Target,
        grant: Grant,
        held: Held | None,
        at: float,
    ) -> None:
        super().__init__(_QUESTIONS)
        self.path = path
        self.connection = connection
        self.caller = caller
        self.target = target
        self.grant = grant
        self.held = held
        self.at = at
        self.request_id = ""

    # 2. The replies of Redis have come.

    def hear(self, replies: list[Any]) -> None:
        """Record the answer, if all is well and there is one; the long way otherwise."""
        try:
            self._judge(*replies)
        except Exception:
            log.exception("fast_path_defect", request_id=self.request_id)
            self.connection.break_off()

    def _judge(self, ip: Any, token: Any, answer: object) -> None:
        path = self.path
        now = path.clock()
        kept = self.held.kept if answer == 1 and self.held is not None else path.cache.read(self.target.digest, answer)
        if kept is None or kept.expires_at <= now or not _all_is_well(ip, token, self.grant.limits):
            self._go_the_long_way(ip, token, answer)
            return
        if not self.target.members:
            path.write_down(self.target)
        self.kept, self.now, self.count = kept, token[0] // 1000, token[1]
        took = now - self.at
        path.metrics.count(self.target.endpoint, kept.status, True, took)
        members = (self.target.members, self.grant.members, path.members_of(kept))
        path.trail.put(joined(path.ids(self.at), self.at, self.request_id, int(took * 1000), *members), self.recorded)

    # 3. The record is durable.

    def recorded(self, error: SpoolUnavailable | None) -> None:
        """Give the answer."""
        try:
            self._give(error)
        except Exception:
            log.exception("fast_path_defect", request_id=self.request_id)
            self.connection.break_off()

    def _give(self, error: SpoolUnavailable | None) -> None:
        if error is not None:
            refusal = Refusal.of(Refused.UNAVAILABLE)
            headers = [(b"content-type", JSON), (b"x-request-id", self.request_id.encode())]
            self.connection.give_answer(Answer(refusal.status, headers, refusal.body()))
            return
        kept, grant = self.kept, self.grant
        left = max(0, int(kept.expires_at - self.at))
        self.connection.give(
            b"%b%b%bx-request-id: %b\r\nratelimit-remaining: %d\r\nratelimit-reset: %d\r\nx-cache-expires-in: %d\r\n"
            b"cache-status: Octroi; hit; ttl=%d\r\ncontent-length: %d\r\n\r\n%b"
            % (
                self.connection.status_line(kept.status),
                self.target.head,
                grant.head,
                self.request_id.encode(),
                grant.limits[0] - self.count,
                window_end(self.now),
                left,
                left,
                len(kept.body),
                kept.body,
            )
        )

    def _go_the_long_way(self, ip: object, token: object, answer: object) -> None:
        caller, target = self.caller, self.target
        asked = Asked(
            method="GET",
            path=target.path,
            raw_path=target.path.encode(),
            query=target.query,
            headers=(),
            address=caller.address,
            request_id=self.request_id,
            at=self.at,
            accept=caller.accept,
            content_type=caller.content_type,
            user_agent=caller.user_agent,
            claims=caller.claims,
        )
        heard = Heard(self.grant.state, self.grant.counters, target.digest, ip, token, answer)
        self.connection.go_the_long_way(asked, heard)


def _all_is_well(ip: Any, token: Any, limits: Sequence[int]) -> bool:
    """Not banned, the token as it is known, and none of its quotas used up."""
    if ip.__class__ is not list or ip[0] != 0 or token.__class__ is not list or token[0] < 0:
        return False
    return bool(token[1] <= limits[0] and (len(limits) == 1 or token[2] <= limits[1]))


def what_is_meant(lines: bytes) -> tuple[bytes, bytes]:
    """The header lines that mean something here, and the identifier that they give to the request, if it is one.

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
    return b"\r\n".join(meant), request_id


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
