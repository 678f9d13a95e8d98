"""The work every peer is given: invented companies, the requests that ask for them, the tokens that open the door."""

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import uuid4

import jwt

RECIPIENT = "13002526500013"
OBJECTS = 256
"""Distinct values of `object`. The contract refuses (409) a request identical to one in flight, so that connections
that ask for one company together must differ in something; nothing of what is cached depends on it."""
LIMIT = 1_000_000_000
"""Every limit that counts requests: counted as ever, never reached."""
METERED_LIMIT = 100
"""Calls in a minute that a metered token may make."""
METERED_PREFIX = "00000429-"
"""How the identifier of a metered token begins, where no registry knows its limit."""
TOKEN_SECONDS = 86_400


def siren(number: int) -> str:
    """The `number`-th invented SIREN: eight digits and their Luhn key."""
    body = f"{99_000_000 - number:08d}"
    total = sum(_luhn(int(digit), doubled=index % 2 == 1) for index, digit in enumerate(body))
    return f"{body}{-total % 10}"


def luhn_is_valid(digits: str) -> bool:
    """Whether the last digit is the key of the others."""
    return sum(_luhn(int(d), doubled=i % 2 == 1) for i, d in enumerate(reversed(digits))) % 10 == 0


def _luhn(digit: int, *, doubled: bool) -> int:
    # From the left, the digits of even rank are doubled in a number of nine: same rule as from the right.
    return digit if not doubled else digit * 2 - 9 * (digit > 4)


class Kind(NamedTuple):
    """A way to ask, and what it deserves."""

    status: int
    token: str = "good"
    is_new: bool = False
    """Whether it asks for a company that nobody asked for before, so that the provider is called."""
    has_trace: bool = True
    """Whether it says in which context it is made; without, it is refused."""


KINDS = {
    "hit": Kind(200),
    "miss": Kind(200, is_new=True),
    "forged": Kind(401, token="forged"),
    "metered": Kind(429, token="metered"),
    "untraced": Kind(422, has_trace=False),
}
"""By name. A metered call gets 200 as long as its limit lasts."""

Mix = tuple[tuple[str, int], ...]
"""Kinds and their shares, in percent."""


class Ask(NamedTuple):
    """One request."""

    kind: Kind
    path: str

    def line(self) -> str:
        """As the generators read it: status, token, path."""
        return f"{self.kind.status} {self.kind.token} {self.path}"


def woven(mix: Mix) -> list[Kind]:
    """A hundred kinds, each with its share, spread as evenly as they can be."""
    due = [((place + 0.5) / share, KINDS[name]) for name, share in mix for place in range(share)]
    return [kind for _, kind in sorted(due, key=lambda pair: pair[0])]


def asks(mix: Mix, length: int, *, companies: int, start: int = 0) -> list[Ask]:
    """So many requests: cached ones go round `companies` SIRENs, new ones begin at the `start`-th and never repeat."""
    kinds, listed = woven(mix), []
    known = new = 0
    for number in range(length):
        kind = kinds[number % len(kinds)]
        if kind.is_new:
            company, new = start + new, new + 1
        else:
            company, known = known % companies, known + 1
        listed.append(Ask(kind, path(siren(company), number % OBJECTS, has_trace=kind.has_trace)))
    return listed


def path(company: str, number: int, *, has_trace: bool = True) -> str:
    """The address that asks for a company."""
    context = "context=bench&" if has_trace else ""
    return f"/v3/insee/sirene/unites_legales/{company}?{context}object=bench-{number}&recipient={RECIPIENT}"


@dataclass(frozen=True)
class Keys:
    """The secrets of one run: what signs tokens, what encrypts cached bodies."""

    jwt_secret: str
    cache_key: bytes

    @classmethod
    def fresh(cls) -> "Keys":
        """New ones, forgotten with the run."""
        return cls(jwt_secret=secrets.token_hex(32), cache_key=secrets.token_bytes(32))

    def token(self, now: int, *, is_metered: bool = False) -> str:
        """A token as the contract describes it, for the peers that keep no registry."""
        jti = str(uuid4())
        if is_metered:
            jti = METERED_PREFIX + jti[len(METERED_PREFIX) :]
        claims = {
            "uid": jti,
            "jti": jti,
            "sub": "Bench",
            "scopes": ["entreprises", "etablissements", "open_data"],
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "version": "1.0",
        }
        return jwt.encode(claims, self.jwt_secret, algorithm="HS256")

    def tokens(self, now: int, metered: int) -> "Tokens":
        """A good one, and so many metered ones."""
        return Tokens(self.token(now), [self.token(now, is_metered=True) for _ in range(metered)])


@dataclass(frozen=True)
class Tokens:
    """What a peer accepts: a token with limits out of reach, and some that are used up within a minute."""

    good: str
    metered: Sequence[str]


def jti_of(token: str) -> str:
    """The identifier that a token claims."""
    payload = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["jti"])


def forged(token: str) -> str:
    """The same token with a signature that is not its own."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{signature[::-1]}"
