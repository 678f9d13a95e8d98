"""Who holds what: the primaries behind a URL, found by the official client off the hot path."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.crc import REDIS_CLUSTER_HASH_SLOTS
from redis.exceptions import RedisError, ResponseError

from ratelimit.url import Address, Kind, Target
from ratelimit.wire import RedisUnavailable

CLIENT_PATIENCE_SECONDS = 5.0
"""How long the official client waits: nobody's answer depends on it."""


@dataclass(frozen=True, slots=True)
class Range:
    """Slots of a cluster, bounds included, and who holds them."""

    first: int
    last: int
    primary: Address


@dataclass(frozen=True, slots=True)
class Topology:
    """One primary, or those of a cluster with their slots."""

    primaries: tuple[Address, ...]
    ranges: tuple[Range, ...] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether every key has a home."""
        return (
            self.ranges is None or sum(span.last - span.first + 1 for span in self.ranges) == REDIS_CLUSTER_HASH_SLOTS
        )


class Discovery:
    """Finds the primaries, and makes the official client that suits them."""

    def __init__(self, target: Target, patience: float) -> None:
        """`patience` is in seconds, for each server asked."""
        self._target = target
        self._patience = patience
        self._kind: Kind | None = None if target.kind == "single" and not target.addresses[0].is_local else target.kind
        self._sentinel = self._sentinels() if target.kind == "sentinel" else None

    async def find(self, alive: Sequence[Address]) -> Topology:
        """The primaries of now; `alive` are asked first. Raises RedisUnavailable."""
        try:
            if self._kind is None:
                self._kind = await self._kind_of(self._target.addresses[0])
            if self._sentinel is not None:
                host, port = await self._sentinel.discover_master(self._target.service)
                return Topology((Address(host, port),))
        except (RedisError, OSError) as error:
            raise RedisUnavailable(_reason(error)) from error
        if self._kind == "cluster":
            return await self._ask_cluster(dict.fromkeys([*alive, *self._target.addresses]))
        return Topology(self._target.addresses)

    def take_for_cluster(self) -> None:
        """A server turned out to be part of a cluster."""
        self._kind = "cluster"

    def client(self) -> "Redis | RedisCluster":
        """An official client, for all that is not on the hot path."""
        if self._kind is None:
            raise RedisUnavailable("no server has been reached yet")
        if self._sentinel is not None:
            master: Redis = self._sentinel.master_for(self._target.service)
            return master
        if self._kind == "cluster":
            nodes = [ClusterNode(address.host, address.port) for address in self._target.addresses]
            return RedisCluster(startup_nodes=nodes, **self._credentials(), **self._manners(CLIENT_PATIENCE_SECONDS))
        return self._redis(self._target.addresses[0], CLIENT_PATIENCE_SECONDS)

    async def close(self) -> None:
        """Leave the sentinels."""
        if self._sentinel is not None:
            for sentinel in self._sentinel.sentinels:
                await sentinel.aclose()

    async def _kind_of(self, address: Address) -> Kind:
        async with self._redis(address, self._patience) as redis:
            try:
                told = await redis.info("cluster")
            except ResponseError:  # not ours to ask: a MOVED will tell, if it is one
                return "single"
            return "cluster" if told.get("cluster_enabled") == 1 else "single"

    async def _ask_cluster(self, addresses: Iterable[Address]) -> Topology:
        reason = "no node of the cluster answers"
        for address in addresses:
            try:
                async with self._redis(address, self._patience) as redis:
                    # Two words, so that the reply comes as the server sent it, whatever the client's version.
                    reply = await redis.execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
                    return read_slots(reply, address)
            except (RedisError, OSError) as error:
                reason = _reason(error)
        raise RedisUnavailable(reason)

    def _redis(self, address: Address, patience: float) -> Redis:
        place: dict[str, Any] = (
            {"unix_socket_path": address.host} if address.is_local else {"host": address.host, "port": address.port}
        )
        db = 0 if self._kind == "cluster" else self._target.db
        return Redis(**place, db=db, **self._credentials(), **self._manners(patience))

    def _sentinels(self) -> Sentinel:
        target = self._target
        own = {"username": target.sentinel_username, "password": target.sentinel_password}
        return Sentinel(  # type: ignore[no-untyped-call]
            [tuple(address) for address in target.addresses],
            sentinel_kwargs={**own, **self._manners(self._patience)},
            db=target.db,
            **self._credentials(),
            **self._manners(CLIENT_PATIENCE_SECONDS),
        )

    def _credentials(self) -> dict[str, Any]:
        return {"username": self._target.username, "password": self._target.password}

    def _manners(self, patience: float) -> dict[str, Any]:
        return {
            "socket_timeout": patience,
            "socket_connect_timeout": patience,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
            **(self._target.tls.options() if self._target.tls else {}),
        }


def read_slots(reply: Sequence[Sequence[Any]], asked: Address) -> Topology:
    """The answer to CLUSTER SLOTS; a node that does not know its own name is the one that was asked."""
    ranges = []
    for first, last, primary, *_ in reply:
        host, port = primary[0], int(primary[1])
        name = host.decode() if isinstance(host, bytes) else host
        ranges.append(Range(first, last, Address(asked.host if name in (None, "", "?") else name, port)))
    if not ranges:
        raise RedisUnavailable("the cluster has given no slots to anybody")
    return Topology(tuple(dict.fromkeys(span.primary for span in ranges)), tuple(ranges))


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
