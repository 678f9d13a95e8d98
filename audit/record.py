"""The record of one request: who asked what about whom, when, why, and what came of it.

Never the token itself: whatever looks like one is struck out of every text, so that a caller who pastes it in the
wrong parameter does not have it kept for three years.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import orjson

from audit.ids import Ids

Outcome = Literal["granted", "refused", "failed", "banned"]
"""Answered with data, refused by the gateway, failed by a provider or a defect, or cut off without a byte."""

_CUT = {"user_agent": 200, "context": 255, "object": 255, "recipient": 255}
"""Texts of the caller, each with its length at most, in characters."""
_LENGTHS = {
    **_CUT,
    **{"request_id": 100, "method": 16, "path": 1000, "siren": 20, "siret": 20, "rna": 20, "client_ip": 64},
}
_USUAL_BYTES = 2048
"""Longer ones only come from callers who try: in those every text is measured."""

_TOKEN = re.compile(r"eyJ[\w.%+/=~-]*")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_STRUCK_OUT = "[token]"
_MOST_NEGATIVE, _MOST_POSITIVE = -(2**63), 2**63 - 1


@dataclass(slots=True, kw_only=True)
class Record:
    """One request, as it is kept."""

    id: str
    """Sorts by time (`audit.ids`)."""
    at: float
    """Seconds since the epoch, when the request came."""
    request_id: str
    method: str
    path: str
    """Without its query, which may hold a token: `to_line` removes it."""
    operation_id: str | None = None
    status: int
    """Of the answer; 0 where a banned client got no byte."""
    codes: tuple[str, ...] = ()
    """The official error codes of the answer."""
    outcome: Outcome
    jti: str | None = None
    habilitation: str | None = None
    holder_siret: str | None = None
    client_ip: str
    user_agent: str = ""
    context: str | None = None
    object: str | None = None
    recipient: str | None = None
    siren: str | None = None
    siret: str | None = None
    rna: str | None = None
    provider: str | None = None
    cached: bool = False
    duration_ms: int = 0
    api_version: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    """What only some requests have: the details of an operator's act."""

    def to_line(self) -> bytes:
        """The record as one line of JSON, whatever its texts hold."""
        return _written(self._shape()) + b"\n"

    def _shape(self) -> dict[str, Any]:
        return _fitted(
            {
                "id": self.id,
                "at": self.at,
                "request_id": self.request_id,
                "method": self.method,
                "path": self.path,
                "operation_id": self.operation_id,
                "status": self.status,
                "codes": self.codes,
                "outcome": self.outcome,
                "jti": self.jti,
                "habilitation": self.habilitation,
                "holder_siret": self.holder_siret,
                "client_ip": self.client_ip,
                "user_agent": self.user_agent,
                "context": self.context,
                "object": self.object,
                "recipient": self.recipient,
                "siren": self.siren,
                "siret": self.siret,
                "rna": self.rna,
                "provider": self.provider,
                "cached": self.cached,
                "duration_ms": self.duration_ms,
                "api_version": self.api_version,
                "extra": self.extra,
            }
        )

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """The record that a line holds; its place in the spool's stream is left aside."""
        shape = orjson.loads(line)
        shape.pop("stream", None)
        shape.pop("sequence", None)
        shape["codes"] = tuple(shape["codes"])
        return cls(**shape)


def members(**told: Any) -> bytes:
    """Members of a record as they stand in its line, each after a comma, for `Lines` to put together with others."""
    return b"," + _written(_fitted(told))[1:-1]


class Lines:
    """Writes lines of records most of whose members are already written."""

    __slots__ = ("_answers", "_ids", "_milliseconds", "_moment")

    def __init__(self) -> None:
        """None yet."""
        self._answers: dict[tuple[object, ...], bytes] = {}
        self._ids = Ids()
        self._milliseconds = -1
        self._moment = b""

    def __call__(self, at: float, request_id: bytes, duration_ms: int, *members: bytes) -> bytes:
        """A line with a new identifier, the moment to the millisecond, and without `extra`.

        Between them `members` hold all the others, each once.
        """
        milliseconds = int(at * 1000)
        if milliseconds != self._milliseconds:
            self._milliseconds = milliseconds
            self._moment = b'","at":%d.%03d,"request_id":"' % divmod(milliseconds, 1000)
        opening = (b'{"id":"', self._ids.written(milliseconds), self._moment, request_id)
        return b"".join((*opening, b'","duration_ms":%d,"extra":{}' % duration_ms, *members, b"}\n"))

    def of_answer(self, status: int, codes: tuple[str, ...], outcome: Outcome, cached: bool) -> bytes:
        """The members that tell an answer."""
        key = status, codes, outcome, cached
        found = self._answers.get(key)
        if found is None:
            found = self._answers[key] = members(status=status, codes=codes, outcome=outcome, cached=cached)
        return found


def _fitted(shape: dict[str, Any]) -> dict[str, Any]:
    """The members as they are kept, as many as are there: a path without its query, texts no longer than they may be,
    and the SIREN of a SIRET, since a search by SIREN finds its établissements too."""
    path = shape.get("path")
    if path is not None and "?" in path:
        shape["path"] = path.partition("?")[0]
    for name in _CUT.keys() & shape.keys():
        text = shape[name]
        if text and len(text) > _CUT[name]:
            shape[name] = text[: _CUT[name]]
    siret = shape.get("siret")
    if siret and not shape["siren"]:
        shape["siren"] = siret[:9]
    return shape


def _written(shape: dict[str, Any]) -> bytes:
    try:
        text = orjson.dumps(shape)
    except TypeError:  # a lone surrogate, an integer over 64 bits: JSON has no room for either
        return _cleaned(shape)
    # One character first: looking for it costs a twentieth of looking for the whole text.
    if b"J" in text and b"eyJ" in text:
        return _cleaned(shape)
    if b"\\" in text and b"\\u0000" in text:  # PostgreSQL has no room for it
        return _cleaned(shape)
    return text if len(text) <= _USUAL_BYTES else _cleaned(shape)


def _cleaned(shape: dict[str, Any]) -> bytes:
    """The JSON of a shape that JSON or PostgreSQL would refuse, or that holds a token or overlong texts."""
    clean = {
        name: _clean(value)[: _LENGTHS[name]] if name in _LENGTHS and isinstance(value, str) else _clean(value)
        for name, value in shape.items()
    }
    return orjson.dumps(clean)


def _clean(value: Any) -> Any:
    match value:
        case str():
            return _TOKEN.sub(_STRUCK_OUT, _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value))
        case bool() | float() | None:
            return value
        case int():
            return value if _MOST_NEGATIVE <= value <= _MOST_POSITIVE else str(value)
        case Mapping():
            return {_clean(str(name)): _clean(inner) for name, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_clean(inner) for inner in value]
    return _clean(str(value))
