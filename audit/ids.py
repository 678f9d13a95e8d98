"""Identifiers of records: the layout of UUID version 7, so that they sort by time and stay together in an index."""

import os

_AT_ONCE = 256
_MOST_MILLISECONDS = 2**48 - 1
_VARIANTS = bytes.maketrans(b"0123456789abcdef", b"89ab" * 4)
_TAIL = b"-7xxx-vxxx-xxxxxxxxxxxx"

UUID4 = b"xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx"
"""The shape of a random UUID."""


class Drawn:
    """Random texts of one shape, drawn from the kernel a few hundred at a time. A fork would repeat those.

    In a shape, `x` stands for a random hexadecimal digit and `v` for one that tells the variant of a UUID.
    """

    __slots__ = ("_ready", "_shape")

    def __init__(self, shape: bytes) -> None:
        """Draw nothing yet."""
        self._shape = shape
        self._ready: list[bytes] = []

    def __call__(self) -> bytes:
        """A new text."""
        if not self._ready:
            self._ready = _drawn(self._shape)
        return self._ready.pop()


def _drawn(shape: bytes) -> list[bytes]:
    """Written by columns: a slice for each digit of the shape, whatever the number of texts."""
    width = len(shape) + 1
    texts = bytearray((shape + b"\n") * _AT_ONCE)
    columns = [column for column, letter in enumerate(shape) if letter in b"xv"]
    digits = os.urandom((len(columns) * _AT_ONCE + 1) // 2).hex().encode()
    for place, column in enumerate(columns):
        random = digits[place * _AT_ONCE : (place + 1) * _AT_ONCE]
        texts[column::width] = random if shape[column] == ord("x") else random.translate(_VARIANTS)
    return bytes(texts).split()


class Ids:
    """Makes identifiers."""

    __slots__ = ("_head", "_milliseconds", "_tail")

    def __init__(self) -> None:
        """Draw nothing yet."""
        self._tail = Drawn(_TAIL)
        self._milliseconds = -1
        self._head = b""

    def __call__(self, at: float) -> str:
        """A new identifier for a record of that moment."""
        return self.written(int(at * 1000)).decode()

    def written(self, milliseconds: int) -> bytes:
        """The same, of a moment in milliseconds since the epoch."""
        if milliseconds != self._milliseconds:
            self._milliseconds = milliseconds
            time = b"%012x" % (milliseconds & _MOST_MILLISECONDS)
            self._head = time[:8] + b"-" + time[8:]
        return self._head + self._tail()
