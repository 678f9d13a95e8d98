"""Whose request it is: the client's address, through the proxies we trust, and the block by which it is judged."""

import socket
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network

_MAPPED = bytes(10) + b"\xff\xff"
"""How IPv6 begins when it carries IPv4."""
_HOST_BYTES = bytes(8)


class Networks:
    """The proxies whose word on the client's address is taken; false where there are none."""

    __slots__ = ("_v4", "_v6")

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network]) -> None:
        """Keeps each network as two integers: the mask and what is left under it."""
        listed = list(networks)
        self._v4 = tuple((int(n.netmask), int(n.network_address)) for n in listed if n.version == 4)
        self._v6 = tuple((int(n.netmask), int(n.network_address)) for n in listed if n.version == 6)

    def __bool__(self) -> bool:
        """Whether anybody is trusted."""
        return bool(self._v4 or self._v6)

    def hold(self, packed: bytes) -> bool:
        """Whether that address is in one of them."""
        value = int.from_bytes(packed, "big")
        return any(value & mask == network for mask, network in (self._v4 if len(packed) == 4 else self._v6))


def client_address(peer: str, forwarded_for: Sequence[bytes], trusted: Networks) -> str:
    """The address of the client. Never raises, whatever the headers hold (security §5.3).

    X-Forwarded-For is believed as far as trusted proxies wrote it: from the right, up to the first address that is not
    one of theirs. What stands to the left of it was written by that client, and changes nothing.
    """
    if not trusted:
        return peer
    packed = _pack(peer)
    if packed is not None and not trusted.hold(packed):
        return peer
    found = packed  # none: a local socket, which is a proxy's or nobody's
    for entry in _from_the_right(forwarded_for):
        packed = _pack(_bare(entry))
        if packed is None:
            break
        found = packed
        if not trusted.hold(packed):
            break
    return peer if found is None else _text(found)


def block_of(address: str) -> str:
    """The addresses that are judged together: an IPv4 address alone, an IPv6 address with its /64.

    What has no address came through a local socket, and counts as this machine.
    """
    packed = _pack(address)
    if packed is None:
        return "127.0.0.1"
    return _text(packed) if len(packed) == 4 else _text(packed[:8] + _HOST_BYTES) + "/64"


def _from_the_right(lines: Sequence[bytes]) -> Iterator[str]:
    """The entries of a list that several header lines may hold; empty ones are no entries (RFC 9110 §5.6.1)."""
    for line in reversed(lines):
        end = len(line)
        while end >= 0:
            start = line.rfind(b",", 0, end) + 1
            entry = line[start:end].strip()
            if entry:
                yield entry.decode("latin-1")
            end = start - 1


def _bare(entry: str) -> str:
    """Without brackets and port."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    if entry.count(":") == 1:
        return entry.partition(":")[0]
    return entry


def _pack(text: str) -> bytes | None:
    """Four bytes or sixteen; an IPv4 address dressed as IPv6 is undressed, a zone is left out."""
    try:
        return socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        pass
    try:
        packed = socket.inet_pton(socket.AF_INET6, text.partition("%")[0])
    except (OSError, ValueError):
        return None
    return packed[12:] if packed.startswith(_MAPPED) else packed


def _text(packed: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
