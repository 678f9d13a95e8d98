"""Access tokens of the simulated providers: issued for a time, refused afterwards, all refused on demand.

A token carries its own proof, so that several simulators side by side accept each other's. The key is no secret: what
it guards is invented.
"""

import base64
import hashlib
import hmac
from typing import Any

import orjson

from config.clock import Clock

KEY = b"the simulator guards nothing"
HEADER = {"alg": "HS256", "typ": "JWT"}


class Tokens:
    """Those issued so far, told apart by generation."""

    def __init__(self, clock: Clock) -> None:
        """Tokens live by this clock."""
        self._clock = clock
        self.generation = 0

    def issue(self, lifetime: int, **claims: Any) -> str:
        """A token good for that many seconds, in the form of a JWT."""
        now = int(self._clock())
        payload = {**claims, "iat": now, "exp": now + lifetime, "generation": self.generation}
        signed = f"{_encode(orjson.dumps(HEADER))}.{_encode(orjson.dumps(payload))}"
        return f"{signed}.{_sign(signed)}"

    def accepts(self, token: str) -> bool:
        """Whether it was issued here, has not expired and was not cancelled."""
        signed, _, signature = token.rpartition(".")
        if not signed or not hmac.compare_digest(signature.encode(), _sign(signed).encode()):
            return False
        payload = orjson.loads(_decode(signed.partition(".")[2]))
        return bool(payload["generation"] >= self.generation and self._clock() < payload["exp"])

    def expire_all(self) -> None:
        """Refuse all tokens issued so far."""
        self.generation += 1


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _sign(signed: str) -> str:
    return _encode(hmac.new(KEY, signed.encode(), hashlib.sha256).digest())
