"""The functions that run inside Redis: each reads the store's own clock and touches the keys of one slot only."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files

from ratelimit.resp import Word, bulk, pack


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua text and the digest by which Redis knows it."""

    name: str
    text: bytes = field(repr=False)
    sha: bytes

    def command(self, keys: Sequence[bytes], args: Sequence[bytes | int]) -> tuple[Word, ...]:
        """What runs it, once Redis knows it."""
        return (b"EVALSHA", self.sha, len(keys), *keys, *args)

    def opening(self, keys: Sequence[bytes], args: Sequence[bytes | int]) -> bytes:
        """The same as it goes over the wire but for one last argument, which `resp.bulk` makes."""
        return pack(self.command(keys, (*args, b"")))[: -len(bulk(b""))]

    @classmethod
    def read(cls, name: str) -> "Script":
        """The script of that name in this folder."""
        text = files("ratelimit").joinpath(f"{name}.lua").read_bytes()
        return cls(name, text, hashlib.sha1(text, usedforsecurity=False).hexdigest().encode())


LOOK_AT_IP = Script.read("look_at_ip")
"""Ban and requests of the minute → [0, count, now ms] · [1, until ms, reason, since ms] banned, [2, …, count] newly."""

COUNT_REFUSAL = Script.read("count_refusal")
"""One more 429 → [0, 0, refusals kept] · [1, until ms, refusals kept, since ms, reason] banned."""

LOOK_AT_TOKEN = Script.read("look_at_token")
"""State and counters → [now ms, count…] · nothing counted: [-1] no state, [-2, version, data] a newer one."""

PUBLISH_STATE = Script.read("publish_state")
"""Newer registry state → the version that is stored afterwards."""

PEEK_AT_IP = Script.read("peek_at_ip")
"""For operators, counting nothing → [until ms or 0, reason, since ms, requests of the minute, refusals, now ms]."""

ALL = (LOOK_AT_IP, COUNT_REFUSAL, LOOK_AT_TOKEN, PUBLISH_STATE, PEEK_AT_IP)
