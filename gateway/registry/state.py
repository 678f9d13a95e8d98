"""What the registry says of one token: all that a request is judged by, at one version."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Literal

import orjson

from gateway.scopes import scope_set

Network = IPv4Network | IPv6Network
Kind = Literal["client", "operator"]

NOWHERE = ip_network("0.0.0.0/32")
"""A network without clients, which stands for a list of which nothing can be read."""


@dataclass(frozen=True, slots=True)
class TokenState:
    """A token and its habilitation, as they were at one version; any later change has a higher one."""

    version: int
    jti: str
    kind: Kind
    habilitation_id: str | None
    siret: str | None
    intitule: str
    scopes: frozenset[str]
    expires_at: int
    revoked_at: int | None
    """In the future: a revocation that is planned."""
    allowed_networks: tuple[Network, ...]
    """Where it may be used from; none: from anywhere."""
    rate_limit: int | None
    mcp: bool

    def pack(self) -> bytes:
        """As kept in Redis."""
        return orjson.dumps(
            {
                "version": self.version,
                "jti": self.jti,
                "kind": self.kind,
                "habilitation_id": self.habilitation_id,
                "siret": self.siret,
                "intitule": self.intitule,
                "scopes": sorted(self.scopes),
                "expires_at": self.expires_at,
                "revoked_at": self.revoked_at,
                "allowed_networks": [str(network) for network in self.allowed_networks],
                "rate_limit": self.rate_limit,
                "mcp": self.mcp,
            }
        )

    @classmethod
    def unpack(cls, packed: bytes) -> "TokenState":
        """As packed."""
        told: dict[str, Any] = orjson.loads(packed)
        told["scopes"] = scope_set(told["scopes"])
        told["allowed_networks"] = networks(told["allowed_networks"])
        return cls(**told)


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks that texts name. A text that names none is skipped, and does not open the list (behaviours §1.5)."""
    texts = tuple(texts)
    found = tuple(network for network in map(read_network, texts) if network is not None)
    return found or (NOWHERE,) if texts else ()


def read_network(text: str) -> Network | None:
    """An address or a CIDR, host bits forgiven; one of IPv4 written as IPv6 is one of IPv4, as clients' are."""
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    return ip_network((mapped, network.prefixlen - 96)) if mapped is not None else network
