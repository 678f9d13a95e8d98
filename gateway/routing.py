"""Where a path leads: an endpoint in one of its versions, the list of privileges, or one of the pages that say no."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from gateway.recent import Recent
from providers.base import DEPRECATED_SINCE, Endpoint
from providers.base.parameters import rna_is_valid, siren_is_valid, siret_is_valid


class Kind(Enum):
    """What is at the end of a path."""

    DATA = "data"
    UNSUPPORTED_VERSION = "unsupported_version"
    PRIVILEGES = "privileges"
    GONE_V2 = "gone_v2"
    GONE_INPI = "gone_inpi"
    NOWHERE = "nowhere"


class Subject(NamedTuple):
    """About whom a path asks, as far as its texts tell."""

    siren: str | None = None
    siret: str | None = None
    rna: str | None = None


NOBODY = Subject()


class Found(NamedTuple):
    """The end of a path. `endpoint` is one of another version where the asked one does not exist.

    `texts` are the path's parameters, unread. `digest` names the answer in the cache, optional parameters aside.
    `notices` are headers that tell of the endpoint's end, and of what comes after it.
    """

    kind: Kind
    endpoint: Endpoint | None = None
    texts: Mapping[str, str] = MappingProxyType({})
    digest: bytes = b""
    notices: tuple[tuple[bytes, bytes], ...] = ()
    subject: Subject = NOBODY


NOWHERE = Found(Kind.NOWHERE)
PRIVILEGES = Found(Kind.PRIVILEGES)
GONE_V2 = Found(Kind.GONE_V2)
GONE_INPI = Found(Kind.GONE_INPI)

_REMEMBERED = 16_384


class _Node:
    """A segment of the paths: the literal ones below it, the parameter below it, the versions that end here."""

    __slots__ = ("latest", "literal", "name", "parameter", "versions")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.name = ""
        self.versions: dict[str, Endpoint] = {}
        self.latest = ""
        """Of the versions."""


class Router:
    """A tree of segments, literal ones first, and a bounded memory of the paths already walked."""

    def __init__(self, endpoints: Iterable[Endpoint], salt: str, base: str = "") -> None:
        """`salt` parts the cached answers of gateways that would word them otherwise (release, public address).

        `base` is the public address, without a final slash.
        """
        self._root = _Node()
        self._salt = salt
        self._base = base
        self._memory: Recent[bytes, Found] = Recent(_REMEMBERED)
        for endpoint in endpoints:
            self._add(endpoint)

    def find(self, raw_path: bytes) -> Found:
        """The end of a path, as it stands in the request line. Never fails."""
        found = self._memory[raw_path]
        if found is None:
            found = self._walk(raw_path)
            self._memory.remember(raw_path, found)
        return found

    def _add(self, endpoint: Endpoint) -> None:
        for path in (endpoint.path, *endpoint.aliases):
            self._add_at(path, endpoint)

    def _add_at(self, path: str, endpoint: Endpoint) -> None:
        _, version, *segments = path.split("/")
        node = self._root
        for segment in segments:
            if segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node.parameter.name = segment[1:-1]
                node = node.parameter
            else:
                node = node.literal.setdefault(segment, _Node())
        if version in node.versions:
            raise ValueError(f"two endpoints at {path}")
        node.versions[version] = endpoint
        node.latest = max(node.versions, key=_number)

    def _walk(self, raw_path: bytes) -> Found:
        if b"%" in raw_path:
            segments = [unquote_to_bytes(part).decode(errors="replace") for part in raw_path.split(b"/")[1:]]
        else:
            segments = raw_path.decode(errors="replace").split("/")[1:]
        version, below = (segments[0], segments[1:]) if segments else ("", [])
        texts: dict[str, str] = {}
        node = _descend(self._root, below, texts)
        endpoint = None if node is None else node.versions.get(version)
        if node is None or endpoint is None:
            return _without_data(version, below, node, texts)
        notices = self._notices(node, endpoint, texts)
        return Found(Kind.DATA, endpoint, texts, self.digest(endpoint, texts), notices, subject_of(texts))

    def digest(self, endpoint: Endpoint, texts: Mapping[str, str]) -> bytes:
        """The name of an answer in the cache."""
        told = "\0".join([self._salt, endpoint.operation_id, *(f"{n}={texts[n]}" for n in sorted(texts))])
        return hashlib.blake2b(told.encode(), digest_size=16).hexdigest().encode()

    def _notices(self, node: _Node, endpoint: Endpoint, texts: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
        """Deprecation (RFC 9745), the day of the end where one is announced (RFC 8594), the next version (RFC 5829)."""
        if not endpoint.deprecated:
            return ()
        notices = [*_dated(endpoint.sunset)]
        if node.latest != endpoint.version:
            told = {name: text if _is_plain(text) else quote(text, safe="") for name, text in texts.items()}
            path = node.versions[node.latest].path.format_map(told)
            notices.append((b"link", f'<{self._base}{path}>; rel="successor-version"'.encode()))
        return tuple(notices)


@cache
def _dated(sunset: date | None) -> tuple[tuple[bytes, bytes], ...]:
    deprecation = (b"deprecation", b"@%d" % _midnight(DEPRECATED_SINCE).timestamp())
    if sunset is None:
        return (deprecation,)
    return deprecation, (b"sunset", format_datetime(_midnight(sunset), usegmt=True).encode())


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isalnum()


def _number(version: str) -> int:
    return int(version[1:])


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _descend(node: _Node, segments: Sequence[str], texts: dict[str, str]) -> _Node | None:
    """The end of a path below a node, a literal segment before a parameter; its parameters are added to `texts`."""
    for at, segment in enumerate(segments):
        literal, parameter = node.literal.get(segment), node.parameter
        if parameter is None:
            if literal is None:
                return None
            node = literal
            continue
        below: dict[str, str] = {}
        if literal is not None and (found := _descend(literal, segments[at + 1 :], below)) is not None:
            texts.update(below)
            return found
        texts[parameter.name] = segment
        node = parameter
    return node if node.versions else None


def _without_data(version: str, below: list[str], node: _Node | None, texts: Mapping[str, str]) -> Found:
    """What a path leads to that no endpoint has in that version; `node` where one has it in another."""
    if (version, below) in (("privileges", []), ("v2", ["privileges"])):
        return PRIVILEGES
    if not (version[:1] == "v" and version[1:].isascii() and version[1:].isdigit()):
        return NOWHERE
    if version == "v2":
        return GONE_V2
    if _is_gone_inpi(below):
        return GONE_INPI
    if node is None:
        return NOWHERE
    other = next(iter(node.versions.values()))
    return Found(Kind.UNSUPPORTED_VERSION, other, texts, subject=subject_of(texts))


def subject_of(texts: Mapping[str, str]) -> Subject:
    """A SIREN or SIRET under its own name as it was given; under a name that admits several kinds, what it is."""
    siren, siret, rna = texts.get("siren"), texts.get("siret"), None
    for name, text in texts.items():
        if "_or_" not in name:
            continue
        number = text.removeprefix("FR") if name == "siret_or_eori" else text
        if siret_is_valid(number):
            siret = number
        elif siren_is_valid(text):
            siren = text
        elif rna_is_valid(text):
            rna = text
    return Subject(siren or (siret[:9] if siret else None), siret, rna)


def _is_gone_inpi(segments: list[str]) -> bool:
    """Resources of INPI that moved or were removed before the RNE (behaviours §2, row 6c)."""
    match segments:
        case ["inpi", "unites_legales", _, "actes" | "brevets" | "marques" | "modeles"]:
            return True
        case _:
            return False
