"""Tokens as callers show them: JWTs, where a request may carry one, who signed it and what it claims.

A claim grants nothing: rights, expiry and revocation are read in the registry (behaviours §1.3). All this page says is
that we, or whoever shares our keys, wrote the token and named its row.
"""

import binascii
import hashlib
import json
import os
import re
import secrets
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_plus, unquote_to_bytes

import jwt
import orjson
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from jwt.exceptions import PyJWTError

from config.clock import Clock
from config.settings import JwtSettings, WrongSettings
from gateway.recent import Recent

log = structlog.get_logger(__name__)

MAX_BYTES: Final = 8192
"""Longest token read; an honest one holds a few hundred bytes."""

SKEW_SECONDS: Final = 60
"""How far the signer's clock may be ahead of ours."""

SECRET_BYTES: Final = 32
"""Shortest HS256 secret: as long as its digest (RFC 7518 §3.2)."""

RSA_BITS: Final = 2048

DEVELOPMENT_FILE: Final = "jwt.secret"
"""The file of the data directory that stands in for a secret nobody configured."""

ALGORITHMS: Final = {
    ("RSA", None): "RS256",
    ("EC", "P-256"): "ES256",
    ("OKP", "Ed25519"): "EdDSA",
    ("oct", None): "HS256",
}
"""The one algorithm of each type of key: a token cannot choose another for it."""

BEARER: Final = b"Bearer "

AMBIGUOUS: Final = b"?"
"""What stands for several tokens given at the same place: a token that no signature covers."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_BASE64URL = re.compile(rb"[A-Za-z0-9_-]*")
_LOOKS_LIKE_JWT = re.compile(r"eyJ[\w.%-]+")
_NOBODY = "00000000-0000-0000-0000-000000000000"
_LARGEST_TIME = 2**53


class InvalidToken(Exception):
    """Not a token of ours; the message is for the log of the operator, never for the caller."""


class NotYetValid(InvalidToken):
    """A token of ours, for later."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token of ours claims, as far as it counts: its scopes are the registry's to tell."""

    jti: str
    mcp: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """A key, tied to its algorithm; `private` is None for one that only verifies."""

    name: str
    algorithm: jwt.algorithms.Algorithm
    kid: str | None
    public: Any = field(repr=False)
    private: Any = field(repr=False)

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether this key signed the message."""
        return self.algorithm.verify(message, self.public, signature)

    def sign(self, message: bytes) -> bytes:
        """Sign."""
        return self.algorithm.sign(message, self.private)


class Keys:
    """The keys that verify tokens, and the one that signs them."""

    def __init__(self, keys: Sequence[Key], clock: Clock) -> None:
        """Keep the keys by `kid`; the first able to sign does."""
        self._keys = {key.kid: key for key in keys}
        self._signer = next((key for key in keys if key.private is not None), None)
        self._clock = clock

    @classmethod
    def load(cls, settings: JwtSettings, data_dir: Path, clock: Clock) -> "Keys":
        """Read the configured keys; with none, one for development, made at first and kept in the data directory.

        Raises WrongSettings with every problem found.
        """
        keys = _key_set(settings.keys) if settings.keys else []
        if settings.secret is not None:
            keys.append(_secret_key(settings.secret.get_secret_value().encode(), "OCTROI_JWT__SECRET"))
        elif not keys:
            path = data_dir / DEVELOPMENT_FILE
            keys.append(_secret_key(_development_secret(path), str(path)))
        return cls(keys, clock)

    def verify(self, token: str | bytes) -> Claims:
        """The claims of a token of ours; raises InvalidToken, and nothing else, for whatever else it is given."""
        raw = token.encode("utf-8", "replace") if isinstance(token, str) else token
        if len(raw) > MAX_BYTES:
            raise InvalidToken("longer than 8 kB")
        message, _, signature = raw.rpartition(b".")
        head, _, body = message.partition(b".")
        key = self._key_for(_json_object(head))
        if not key.verifies(message, _base64url(signature)):
            raise InvalidToken("not signed by this key")
        return self._claims(_json_object(body))

    def sign(
        self,
        *,
        jti: str,
        scopes: Iterable[str],
        subject: str,
        issued_at: int,
        expires_at: int,
        version: str = "1.0",
        mcp: bool = False,
    ) -> str:
        """The JWT of a row of the registry; it is not kept, since it can be written again."""
        if self._signer is None:
            raise WrongSettings(
                ["OCTROI_JWT__KEYS: holds public keys only, which sign nothing; add a private key, or a secret"]
            )
        header = {"typ": "JWT", "alg": self._signer.name}
        if self._signer.kid is not None:
            header["kid"] = self._signer.kid
        claims: dict[str, Any] = {"uid": jti, "jti": jti, "scopes": sorted(scopes), "sub": subject}
        claims |= {"iat": issued_at, "version": version, "exp": expires_at}
        if mcp:
            claims["mcp"] = True
        message = _written(orjson.dumps(header)) + b"." + _written(orjson.dumps(claims))
        return (message + b"." + _written(self._signer.sign(message))).decode()

    def _key_for(self, header: Mapping[str, Any]) -> Key:
        """The key the header names, if everything else it says suits us.

        What it may carry of keys (`jwk`, `jku`, `x5u`, `x5c`) is never looked at.
        """
        refused = header.keys() & {"crit", "b64", "enc", "zip", "cty"}
        if refused:
            raise InvalidToken(f"header {min(refused)} is not supported")
        if str(header.get("typ", "JWT")).upper() != "JWT":
            raise InvalidToken("another type of token")
        kid = header.get("kid")
        if "kid" in header and not isinstance(kid, str):
            raise InvalidToken("kid is not a text")
        key = self._keys.get(kid)
        if key is None:
            raise InvalidToken("no such key")
        if header.get("alg") != key.name:
            raise InvalidToken("not the algorithm of this key")
        return key

    def _claims(self, claims: Mapping[str, Any]) -> Claims:
        jti = claims.get("jti")
        if not isinstance(jti, str) or not _UUID.fullmatch(jti) or jti == _NOBODY or claims.get("uid") != jti:
            raise InvalidToken("uid and jti are not one UUID")
        scopes = claims.get("scopes", claims.get("roles", []))
        if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
            raise InvalidToken("scopes are not a list of texts")
        for name in ("exp", "iat", "nbf"):
            _check_time(name, claims)
        if max(claims.get("nbf", 0), claims.get("iat", 0)) > self._clock() + SKEW_SECONDS:
            raise NotYetValid("from the future")
        return Claims(jti, claims.get("mcp") is True)


class VerifiedTokens:
    """A worker's memory of the tokens it has judged, so that a signature is computed once.

    It is keyed by a digest under a key of this process: no token is kept, and nobody can aim for a collision. Tokens
    of ours and the rest are kept apart, so that a flood of forgeries drives no honest token out.
    """

    def __init__(self, keys: Keys, *, capacity: int = 262_144, refused_capacity: int = 20_000) -> None:
        """Remember at most so many of each, and at least half as many (`Recent`)."""
        self._keys = keys
        self._claims: Recent[bytes, Claims] = Recent(capacity)
        self._refused: Recent[bytes, bool] = Recent(refused_capacity)
        self._digest = hashlib.blake2b(key=secrets.token_bytes(32), digest_size=16)

    def claims(self, token: bytes) -> Claims | None:
        """What a token claims; None for one that is not ours."""
        digest = self._digest.copy()
        digest.update(token)
        mark = digest.digest()
        known = self._claims[mark]
        if known is not None:
            return known
        return None if self._refused[mark] else self._judge(token, mark)

    def _judge(self, token: bytes, mark: bytes) -> Claims | None:
        try:
            claims = self._keys.verify(token)
        except NotYetValid:
            return None  # its hour may come, so that nothing is remembered
        except InvalidToken as reason:
            log.debug("token_refused", reason=str(reason))
            self._refused.remember(mark, True)
            return None
        self._claims.remember(mark, claims)
        return claims


def find_token(authorization: Sequence[bytes], api_key: bytes, query: bytes, allow_query: bool) -> bytes:
    """The token of a request, empty if it has none: Bearer, then X-Api-Key, then `?token=` (behaviours §1.2).

    The first place that is not empty wins, and what it holds is judged once: no junk there sends us looking further
    (behaviours §15.3). `authorization` holds every header of that name; several are no token at all.
    """
    if authorization:
        if len(authorization) > 1:
            return AMBIGUOUS
        if authorization[0].startswith(BEARER) and len(authorization[0]) > len(BEARER):
            return authorization[0][len(BEARER) :]
    if api_key or not allow_query or not query:
        return api_key
    given = [value for name, value in _parameters(query) if name == b"token" and value]
    return b"" if not given else given[0] if len(given) == 1 else AMBIGUOUS


def mask_token(query: str) -> str:
    """A query text without the tokens it carries, for logs and traces."""
    parts = re.split("([&;])", query)
    masked = "".join(f"{part.partition('=')[0]}=***" if _names_a_token(part) else part for part in parts)
    return _LOOKS_LIKE_JWT.sub("***", masked)


def _parameters(query: bytes) -> Iterable[tuple[bytes, bytes]]:
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        yield unquote_to_bytes(name.replace(b"+", b" ")), unquote_to_bytes(value.replace(b"+", b" "))


def _names_a_token(part: str) -> bool:
    name, equals, _ = part.partition("=")
    return bool(equals) and unquote_plus(name).strip().lower().startswith("token")


def _json_object(segment: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(_base64url(segment).decode(), object_pairs_hook=_distinct, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidToken("not JSON") from error
    if not isinstance(value, dict):
        raise InvalidToken("not a JSON object")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are all different: of two, one reader keeps the first and another the last."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise InvalidToken("a JSON key is given twice")
    return value


def _refuse_constant(name: str) -> None:
    raise InvalidToken(f"{name} is not JSON")


def _base64url(segment: bytes) -> bytes:
    """Decode base64url, without padding and in its only spelling, so that one token has one text."""
    if not _BASE64URL.fullmatch(segment):
        raise InvalidToken("not base64url")
    try:
        decoded = urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
    except (binascii.Error, ValueError) as error:
        raise InvalidToken("not base64url") from error
    if _written(decoded) != segment:
        raise InvalidToken("not canonical base64url")
    return decoded


def _written(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def _check_time(name: str, claims: Mapping[str, Any]) -> None:
    if name not in claims:
        return
    value = claims[name]
    if type(value) is not int or not 0 <= value <= _LARGEST_TIME:
        raise InvalidToken(f"{name} is not a date")


def _secret_key(secret: bytes, source: str) -> Key:
    if len(secret) < SECRET_BYTES:
        raise WrongSettings(
            [f"{source}: must be at least 32 bytes (256 bits): generate one with `openssl rand -base64 48`"]
        )
    return Key("HS256", jwt.get_algorithm_by_name("HS256"), None, public=secret, private=secret)


def _key_set(path: Path) -> list[Key]:
    try:
        jwks = list(json.loads(path.read_bytes())["keys"])
    except OSError as error:
        raise WrongSettings(
            [f"OCTROI_JWT__KEYS: cannot read {path} ({error.strerror}); name a readable file"]
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise WrongSettings([f'OCTROI_JWT__KEYS: {path} is not a JWK set: write {{"keys": […]}}']) from error
    problems: list[str] = []
    keys: list[Key] = []
    for index, jwk in enumerate(jwks):
        try:
            keys.append(_key(jwk, {key.kid for key in keys}))
        except ValueError as reason:
            problems.append(f"OCTROI_JWT__KEYS: key {index + 1} of {path} {reason}")
    if not jwks:
        problems.append(f"OCTROI_JWT__KEYS: {path} holds no key; add one or unset it")
    if problems:
        raise WrongSettings(problems)
    return keys


def _key(jwk: Any, taken: set[str | None]) -> Key:
    """One key of a set; raises ValueError with what is wrong, without a word of the key itself."""
    if not isinstance(jwk, dict):
        raise ValueError("is not an object")
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not kid:
        raise ValueError("has no `kid`: give it a name, which its tokens will carry")
    if kid in taken:
        raise ValueError(f"has the kid {kid!r} of another: give each its own")
    algorithm = next((name for kind, name in ALGORITHMS.items() if kind == (jwk.get("kty"), jwk.get("crv"))), None)
    if algorithm is None or jwk.get("alg", algorithm) != algorithm:
        raise ValueError(f"({kid}) is not for RS256, ES256 (P-256), EdDSA (Ed25519) or HS256 (oct)")
    if jwk.get("use", "sig") != "sig":
        raise ValueError(f"({kid}) is not for signatures: its `use` must be `sig`")
    try:
        read = jwt.PyJWK(jwk, algorithm)
    except (PyJWTError, ValueError, TypeError, KeyError):
        raise ValueError(f"({kid}) cannot be read as a {jwk['kty']} key") from None
    if isinstance(read.key, bytes) and len(read.key) < SECRET_BYTES:
        raise ValueError(f"({kid}) must hold at least 32 bytes: generate them with `openssl rand 32`")
    if isinstance(read.key, RSAPublicKey | RSAPrivateKey) and read.key.key_size < RSA_BITS:
        raise ValueError(f"({kid}) must have at least {RSA_BITS} bits")
    if algorithm == "HS256":
        return Key(algorithm, read.Algorithm, kid, public=read.key, private=read.key)
    if "d" in jwk:
        return Key(algorithm, read.Algorithm, kid, public=read.key.public_key(), private=read.key)
    return Key(algorithm, read.Algorithm, kid, public=read.key, private=None)


def _development_secret(path: Path) -> bytes:
    """The secret of a data directory, made by the first of the workers to come."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            path.hardlink_to(draft)  # fails where another worker was faster, and never shows half a secret
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise WrongSettings([f"{path}: others may read it; `chmod 600 {path}`, or delete it to have another generated"])
    log.warning("jwt_secret_for_development", path=str(path), remedy="set OCTROI_JWT__SECRET or OCTROI_JWT__KEYS")
    return path.read_bytes()
