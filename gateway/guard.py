"""The guard against twins: a call like one that its token has under way is a conflict (behaviours §2.1)."""

import hashlib

from gateway.errors import Refusal, Refused
from providers.base import Endpoint
from ratelimit.link import Link, Question

LONGEST_MILLISECONDS = 60_000
"""Life of a guard whose holder died."""


class Guard:
    """Of one call: `enter` it with what Redis says to its question, then `leave` it whatever happens.

    Only on a miss: a kept answer takes no time in which a twin could come.
    """

    __slots__ = ("_has_entered", "_key", "_link", "_under_way", "question")

    def __init__(self, link: Link, key: bytes, under_way: set[bytes]) -> None:
        """`under_way` holds the keys of this worker's calls: what it goes by where Redis is away."""
        self._link = link
        self._key = key
        self._under_way = under_way
        self._has_entered = False
        self.question: Question = key, (b"SET", key, b"1", b"NX", b"PX", LONGEST_MILLISECONDS)

    def enter(self, reply: object) -> None:
        """Raises Refusal (409 00015) where a twin is under way."""
        is_free = reply == b"OK" or (reply is not None and self._key not in self._under_way)
        if not is_free:
            raise Refusal.of(Refused.CONFLICT)
        self._has_entered = True
        self._under_way.add(self._key)

    def leave(self) -> None:
        """Sent before the answer leaves, so that it is gone when the caller asks again; nobody waits for it."""
        if self._has_entered:
            self._under_way.discard(self._key)
            self._link.tell((self._key, (b"DEL", self._key)))


def key_of(jti: str, endpoint: Endpoint, raw_path: bytes, query: bytes) -> bytes:
    """What twins have in common: token, operation, path and query."""
    told = b"\0".join([endpoint.operation_id.encode(), raw_path, query])
    return b"octroi:{t:%b}:d:%b" % (jti.encode(), hashlib.blake2b(told, digest_size=16).hexdigest().encode())
