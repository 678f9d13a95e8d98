"""The Redis URL: which servers, which way of standing together, which credentials."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

Kind = Literal["single", "sentinel", "cluster"]

OPTIONS = (
    "db",
    "ssl_ca_certs",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_cert_reqs",
    "sentinel_username",
    "sentinel_password",
)


class WrongRedisUrl(ValueError):
    """The URL cannot be understood; the message never repeats it, because it may hold a password."""


class Address(NamedTuple):
    """A host and its port, or the path of a Unix socket and port 0."""

    host: str
    port: int

    @property
    def is_local(self) -> bool:
        """Whether it is a Unix socket."""
        return self.port == 0

    def __str__(self) -> str:
        """As a log line shows it."""
        return self.host if self.is_local else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Tls:
    """How the server's certificate is judged, and which one we show."""

    authorities: str | None = None
    certificate: str | None = None
    key: str | None = None
    verify: bool = True

    def context(self) -> ssl.SSLContext:
        """For our own sockets."""
        context = ssl.create_default_context(cafile=self.authorities)
        if self.certificate:
            context.load_cert_chain(self.certificate, self.key)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def options(self) -> dict[str, Any]:
        """For the official client."""
        return {
            "ssl": True,
            "ssl_ca_certs": self.authorities,
            "ssl_certfile": self.certificate,
            "ssl_keyfile": self.key,
            "ssl_cert_reqs": "required" if self.verify else "none",
            "ssl_check_hostname": self.verify,
        }


@dataclass(frozen=True, slots=True)
class Target:
    """What the URL says."""

    kind: Kind
    addresses: tuple[Address, ...]
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    db: int = 0
    service: str = ""
    tls: Tls | None = None
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> "Target":
        """Read a URL; raises WrongRedisUrl."""
        try:
            parts = urlsplit(url)
        except ValueError:
            raise WrongRedisUrl("not a URL") from None
        base, _, gathering = parts.scheme.partition("+")
        options = _options(parts.query)
        if base == "unix":
            return cls("single", (Address(unquote(parts.path), 0),), db=_number(options.get("db", "0")))
        if base not in ("redis", "rediss", "valkey", "valkeys") or gathering not in ("", "sentinel", "cluster"):
            raise WrongRedisUrl(
                f"unknown scheme {parts.scheme!r}: use redis, rediss, unix, redis+sentinel or redis+cluster"
            )
        userinfo, _, hosts = parts.netloc.rpartition("@")
        username, _, password = userinfo.partition(":")
        kind: Kind = "sentinel" if gathering == "sentinel" else "cluster" if gathering == "cluster" else "single"
        addresses = tuple(_address(host, 26379 if kind == "sentinel" else 6379) for host in hosts.split(","))
        if kind == "single" and len(addresses) > 1:
            raise WrongRedisUrl("several hosts: say redis+sentinel:// or redis+cluster://")
        service, db = _path(kind, parts.path, options)
        return cls(
            kind,
            addresses,
            unquote(username) or None,
            unquote(password) or None,
            db,
            service,
            _tls(options) if base in ("rediss", "valkeys") else None,
            options.get("sentinel_username"),
            options.get("sentinel_password"),
        )


def _options(query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in OPTIONS:
            raise WrongRedisUrl(f"unknown option {name!r}: known are {', '.join(OPTIONS)}")
    return options


def _address(text: str, default_port: int) -> Address:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    return Address(unquote(host) or "localhost", _number(port) if port else default_port)


def _path(kind: Kind, path: str, options: Mapping[str, str]) -> tuple[str, int]:
    """The Sentinel service and the database number."""
    words = [unquote(word) for word in path.split("/") if word]
    if kind == "sentinel":
        if not words or len(words) > 2:
            raise WrongRedisUrl("a Sentinel URL names its service: redis+sentinel://host:26379/service")
        return words[0], _number(words[1] if len(words) == 2 else options.get("db", "0"))
    if len(words) > 1:
        raise WrongRedisUrl("the path of the URL is one database number")
    db = _number(words[0] if words else options.get("db", "0"))
    if kind == "cluster" and db:
        raise WrongRedisUrl("a cluster has no database but 0")
    return "", db


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > 65535:
        raise WrongRedisUrl("ports and database numbers are whole numbers")
    return int(text)


def _tls(options: Mapping[str, str]) -> Tls:
    return Tls(
        options.get("ssl_ca_certs"),
        options.get("ssl_certfile"),
        options.get("ssl_keyfile"),
        options.get("ssl_cert_reqs", "required") != "none",
    )
