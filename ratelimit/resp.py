"""What goes over the wire to Redis: words, and the bytes they become."""

from collections.abc import Callable

import hiredis

Word = bytes | str | int

pack: Callable[[tuple[Word, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]  # its stub says: one word
"""The bytes of a command."""


def bulk(word: bytes) -> bytes:
    """The bytes of one word of a command."""
    return b"$%d\r\n%b\r\n" % (len(word), word)
