"""The work every peer is given: invented companies, the addresses that ask for them, the tokens that open the door."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, cycle, islice

import jwt

RECIPIENT = "13002526500013"
OBJECTS = 256
"""Distinct values of `object`. The contract refuses (409) a request identical to one in flight, so that connections
that ask for one company together must differ in something; nothing of what is cached depends on it."""


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


def addresses(*, companies: int | None, start: int = 0) -> Iterator[str]:
    """Addresses without end: going round `companies` SIRENs, or never twice the same where None."""
    numbers = count(start) if companies is None else cycle(range(companies))
    for number, nth in zip(numbers, cycle(range(OBJECTS)), strict=False):
        yield (
            f"/v3/insee/sirene/unites_legales/{siren(number)}?context=bench&object=bench-{nth}&recipient={RECIPIENT}"
        )


def first(length: int, *, companies: int | None, start: int = 0) -> list[str]:
    """The first `length` addresses."""
    return list(islice(addresses(companies=companies, start=start), length))


@dataclass(frozen=True)
class Keys:
    """The secrets of one run: what signs tokens, what encrypts cached bodies."""

    jwt_secret: str
    cache_key: bytes

    @classmethod
    def fresh(cls) -> "Keys":
        """New ones, forgotten with the run."""
        return cls(jwt_secret=secrets.token_hex(32), cache_key=secrets.token_bytes(32))

    def token(self, now: int) -> str:
        """A token as the contract describes it, for the peers that keep no registry."""
        jti = "6f1c2d3e-0000-4000-8000-00000000beac"
        claims = {
            "uid": jti,
            "jti": jti,
            "sub": "Bench",
            "scopes": ["entreprises", "etablissements", "open_data"],
            "iat": now,
            "exp": now + 86_400,
            "version": "1.0",
        }
        return jwt.encode(claims, self.jwt_secret, algorithm="HS256")


def forged(token: str) -> str:
    """The same token with a signature that is not its own."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{signature[::-1]}"
