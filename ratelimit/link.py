"""The link: the hot path's way to Redis, on a single server, behind Sentinel or over a cluster.

Every call made in one turn of the event loop shares one write per server, and a call costs a few microseconds. A server
that fails five calls in a row is left alone for a second, then tried once: callers hear of an outage at once, and go on
without it.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from redis.asyncio import Redis, RedisCluster
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from ratelimit.resp import Word, pack
from ratelimit.scripts import Script
from ratelimit.topology import Discovery, Topology
from ratelimit.url import Address, Target
from ratelimit.wire import (
    AGAIN,
    TICKS_TO_ANSWER,
    UNHEARD,
    Batch,
    Call,
    CommandRefused,
    Connection,
    Questions,
    RedisUnavailable,
)

__all__ = [
    "AGAIN", "UNHEARD", "CommandRefused", "Connection", "Link", "Question", "Questions", "RedisUnavailable", "Tally",
    "slot_of",
]  # fmt: skip

Question = tuple[bytes, tuple[Word, ...]]
"""A plain command, and a key that says where it is asked."""

STRIKES = 5
"""Failures in a row after which a server is left alone."""
REST_SECONDS = 1.0
"""How long it is left alone, and the longest pause between two attempts to reach it."""
SHORTEST_PAUSE_SECONDS = 0.05
"""Pause after the first failed attempt; it doubles."""
LEAST_PATIENCE_SECONDS = 0.5
"""Least time given to a connection or a discovery, which take more round trips than a call."""
MOST_DETOURS = 30
"""Redirections and second attempts after which a call is given up."""
OUTAGES = frozenset(
    (
        "BUSY",
        "CLUSTERDOWN",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "NOAUTH",
        "NOREPLICAS",
        "OOM",
        "READONLY",
        "UNKILLABLE",
    )
)
"""Errors that say something of the server, not of the command."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Tally:
    """What went wrong since the start, for the metrics."""

    timeouts: int = 0
    """Calls that Redis did not answer in time."""
    refused_at_once: int = 0
    """Calls that found no server to ask."""
    outages: int = 0
    """Calls to which Redis answered that it cannot serve now."""
    connections_lost: int = 0
    rests: int = 0
    """Times a server was left alone for failing too often."""
    redirections: int = 0
    scripts_resent: int = 0


@dataclass(slots=True, eq=False)
class Node:
    """A server: its connection while there is one, and until when it is left alone."""

    address: Address
    connection: Connection | None = None
    not_before: float = 0.0


class Link:
    """Made by `open`, ended by `close`; mends itself in between."""

    def __init__(self, target: Target, timeout: float) -> None:
        """Connects to nothing yet: see `open`."""
        self.tally = Tally()
        self._loop = asyncio.get_running_loop()
        self._target = target
        self._patience = max(timeout, LEAST_PATIENCE_SECONDS)
        self._tls = target.tls.context() if target.tls else None
        self._discovery = Discovery(target, self._patience)
        self._topology: Topology | None = None
        self._nodes: dict[Address, Node] = {}
        self._retired: list[Connection] = []
        self._only: Node | None = None
        self._slots: list[Node | None] | None = None
        self._stranded: list[tuple[Address, Call]] = []
        self._client: Redis | RedisCluster | None = None
        self._trouble = asyncio.Event()
        self._maintenance: asyncio.Task[None] | None = None
        self._tick = 0
        self._tick_seconds = timeout / (TICKS_TO_ANSWER - 1)
        self._sweeper: asyncio.TimerHandle | None = None
        self._said_available = True

    @classmethod
    async def open(cls, url: str, timeout: float) -> "Link":  # noqa: ASYNC109 - it is that of each later call
        """A link to the servers of that URL, where each call has `timeout` seconds.

        Raises WrongRedisUrl. Servers that cannot be reached are no error: the link begins unavailable and keeps trying.
        """
        link = cls(Target.parse(url), timeout)
        if not await link._mend():
            link._trouble.set()
        link._maintenance = asyncio.create_task(link._maintain(), name="redis-link")
        return link

    async def close(self) -> None:
        """Let go of all sockets; the calls under way fail."""
        if self._maintenance is not None:
            self._maintenance.cancel()
            await asyncio.gather(self._maintenance, return_exceptions=True)
            self._maintenance = None
        if self._sweeper is not None:
            self._sweeper.cancel()
        connections = [*self._retired, *(node.connection for node in self._nodes.values() if node.connection)]
        self._nodes.clear()
        self._slots, self._only, self._topology = None, None, None
        for connection in connections:
            connection.abort()
        if self._client is not None:
            await self._client.aclose()
        await self._discovery.close()

    @property
    def available(self) -> bool:
        """Whether every key has a server that can be asked."""
        topology = self._topology
        return (
            topology is not None
            and topology.is_whole
            and all((node := self._nodes.get(p)) and node.connection for p in topology.primaries)
        )

    @property
    def client(self) -> Redis | RedisCluster:
        """The official client, for what is not on the hot path. Raises RedisUnavailable before the first contact."""
        if self._client is None:
            self._client = self._discovery.client()
        return self._client

    def call(self, script: Script, keys: Sequence[bytes], args: Sequence[bytes | int]) -> asyncio.Future[object]:
        """Run a script, where its first key lives.

        The future raises RedisUnavailable when there is no answer, CommandRefused when the answer is an error of ours.
        """
        call = Call(loop=self._loop)
        call.command = script.command(keys, args)
        call.script = script
        return self._dispatch(call, keys[0])

    def send(self, key: bytes, *command: Word) -> asyncio.Future[object]:
        """Run a plain command where that key lives; its future behaves as that of `call`."""
        call = Call(loop=self._loop)
        call.command = command
        return self._dispatch(call, key)

    @property
    def is_divided(self) -> bool:
        """Whether the keys are spread over the servers of a cluster, so that a command may concern one slot only."""
        return self._slots is not None

    def way_to(self, slot: int) -> Connection | None:
        """The socket to the server that holds a slot (`slot_of`), for `ask`; None where it cannot be asked now."""
        node = self._only if self._slots is None else self._slots[slot]
        connection = None if node is None else node.connection
        return connection if connection is not None and connection.has_room else None

    def ask(self, way: Connection, questions: Questions) -> None:
        """Send several commands at the end of this turn of the loop, in which `way_to` told the way."""
        questions.tick = self._tick
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._tick_seconds, self._sweep)
        way.push_together(questions)

    def together(self, *questions: Question) -> "asyncio.Future[list[Any]]":
        """Several plain commands in one write.

        The future, which does not fail, gives their replies in their order, UNHEARD or AGAIN among them.
        """
        if self._slots is not None:
            return self._loop.create_task(_severally([self.send(key, *words) for key, words in questions]))
        told: asyncio.Future[list[Any]] = self._loop.create_future()
        way = self.way_to(0)
        if way is None:
            self.tally.refused_at_once += len(questions)
            told.set_result([UNHEARD] * len(questions))
        else:
            self.ask(way, Batch(b"".join([pack(words) for _, words in questions]), len(questions), told))
        return told

    def tell(self, *questions: Question) -> None:
        """The same, where nobody waits for the replies."""
        if self._slots is not None:
            for key, words in questions:
                self.send(key, *words)
        elif (way := self.way_to(0)) is not None:
            way.push_unawaited(b"".join([pack(words) for _, words in questions]), len(questions))

    def _dispatch(self, call: Call, key: bytes) -> Call:
        call.tick = self._tick
        slots = self._slots
        node = self._only if slots is None else slots[slot_of(key)]
        if node is None or (connection := node.connection) is None:
            self.tally.refused_at_once += 1
            call.fail("no Redis server can be asked now")
            return call
        connection.push(call)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._tick_seconds, self._sweep)
        return call

    # Time, failures, redirections

    def _sweep(self) -> None:
        """The one timer of the link: fails what has waited too long, and stops when nothing waits."""
        self._tick += 1
        for node in self._nodes.values():
            if node.connection is not None:
                self.tally.timeouts += node.connection.expire(self._tick)
                self._judge(node, node.connection)
        for connection in self._retired:
            if connection.expire(self._tick):
                connection.abort()
        self._retired = [connection for connection in self._retired if connection.is_busy]
        self._stranded = [(address, call) for address, call in self._stranded if not self._is_late(call)]
        is_busy = (
            self._stranded or self._retired or any(n.connection and n.connection.is_busy for n in self._nodes.values())
        )
        self._sweeper = self._loop.call_later(self._tick_seconds, self._sweep) if is_busy else None

    def _is_late(self, call: Call) -> bool:
        return self._tick - call.tick >= TICKS_TO_ANSWER and (call.fail("Redis did not answer in time") or True)

    def _judge(self, node: Node, connection: Connection) -> None:
        """Leave a server alone that has failed too often."""
        if connection.strikes >= STRIKES and node.connection is connection:
            self.tally.rests += 1
            node.not_before = self._loop.time() + REST_SECONDS
            self._drop(node, f"{node.address} failed {connection.strikes} calls in a row")

    def _drop(self, node: Node, reason: str) -> None:
        connection, node.connection = node.connection, None
        if connection is not None:
            connection.abort()
        self._trouble.set()
        self._say(reason)

    def _lost(self, node: Node, connection: Connection) -> None:
        if node.connection is connection and self._nodes.get(node.address) is node:
            self.tally.connections_lost += 1
            self._drop(node, f"the connection to {node.address} was lost")

    def _say(self, reason: str) -> None:
        """Log that Redis went or came back, once each time."""
        if (is_available := self.available) != self._said_available:
            self._said_available = is_available
            if is_available:
                log.info("redis_available")
            else:
                log.warning("redis_unavailable", reason=reason)

    def _on_error(self, node: Node, connection: Connection, call: Call, text: str) -> None:
        """What an error reply means for the call, and for the server that sent it."""
        word = error_word(text)
        if word == "NOSCRIPT" and call.script is not None:
            self.tally.scripts_resent += 1
            call.command = (b"EVAL", call.script.text, *call.command[2:])  # runs it, and makes it known for the next
            self._push(connection, call)
        elif word in ("MOVED", "ASK"):
            self._redirect(node, call, text)
        elif word == "TRYAGAIN":  # the keys are on their way to another node, and for a moment in no one place
            self._try_again(connection, call)
        elif word in OUTAGES:
            self.tally.outages += 1
            call.fail(f"Redis answered {word}")
            connection.strikes += 1
            if word == "READONLY":  # no longer the primary: look for who is
                self._drop(node, f"{node.address} is read-only")
            elif word == "CLUSTERDOWN":
                self._trouble.set()
            self._judge(node, connection)
        elif not call.done():
            call.set_exception(CommandRefused(text))

    def _redirect(self, node: Node, call: Call, text: str) -> None:
        """Follow MOVED or ASK."""
        word, _, place = text.split(" ")[:3]
        host, _, port = place.rpartition(":")
        address = Address(host or node.address.host, int(port))
        self.tally.redirections += 1
        call.detours += 1
        call.is_asking = word == "ASK"
        if word == "MOVED":
            self._discovery.take_for_cluster()
            self._trouble.set()
        if call.detours > MOST_DETOURS:
            call.fail("the cluster keeps sending the call elsewhere")
            return
        there = self._nodes.setdefault(address, Node(address))
        if there.connection is not None:
            self._push(there.connection, call)
        else:
            self._stranded.append((address, call))
            self._trouble.set()

    def _try_again(self, connection: Connection, call: Call) -> None:
        """A little later; all attempts together last as long as a call may."""
        call.detours += 1
        if call.detours > MOST_DETOURS:
            call.fail("the keys are still on their way to another node")
        else:
            self._loop.call_later(self._tick_seconds * 4 / MOST_DETOURS, self._push, connection, call)

    def _push(self, connection: Connection, call: Call) -> None:
        if call.done():
            return
        if call.is_asking:
            connection.ask(self._tick, b"ASKING")
        connection.push(call)

    # Maintenance

    async def _maintain(self) -> None:
        """Wait for trouble and mend it, without haste when it lasts."""
        pause = SHORTEST_PAUSE_SECONDS
        while True:
            await self._trouble.wait()
            self._trouble.clear()
            try:
                is_well = await self._mend()
            except Exception:  # a defect must not end the maintenance: it is told, and the next attempt may do
                log.exception("redis_link_defect")
                is_well = False
            await asyncio.sleep(min(pause, self._seconds_to_the_next_probe()))
            if is_well:
                pause = SHORTEST_PAUSE_SECONDS
            else:
                self._trouble.set()
                pause = min(pause * 2, REST_SECONDS)

    def _seconds_to_the_next_probe(self) -> float:
        now = self._loop.time()
        rests = [node.not_before - now for node in self._nodes.values() if node.not_before > now]
        return max(min(rests, default=REST_SECONDS), SHORTEST_PAUSE_SECONDS)

    async def _mend(self) -> bool:
        """Find the primaries, connect to those that can be; tells whether all is well."""
        reason = "not all servers can be reached"
        topology = self._topology
        try:
            topology = await self._discovery.find([n.address for n in self._nodes.values() if n.connection])
        except RedisUnavailable as error:
            reason = str(error)
        if topology is not None:
            self._install(topology)
            now = self._loop.time()
            due = [node for node in self._nodes.values() if node.connection is None and node.not_before <= now]
            reasons = await asyncio.gather(*(self._try(node) for node in due))
            reason = next(filter(None, reasons), reason)
        self._place_stranded()
        self._say(reason)
        return self.available

    def _install(self, topology: Topology) -> None:
        """Route by that topology from now on."""
        wanted = {*topology.primaries, *(address for address, _ in self._stranded)}
        for address in [address for address in self._nodes if address not in wanted]:
            connection = self._nodes.pop(address).connection
            if connection is not None:
                connection.retire()
                self._retired.append(connection)
        for address in wanted:
            self._nodes.setdefault(address, Node(address))
        if topology.ranges is None:
            self._slots, self._only = None, self._nodes[topology.primaries[0]]
        else:
            slots: list[Node | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
            for span in topology.ranges:
                slots[span.first : span.last + 1] = [self._nodes[span.primary]] * (span.last - span.first + 1)
            self._slots, self._only = slots, None
        self._topology = topology

    async def _try(self, node: Node) -> str | None:
        """Connect; tells why it could not."""
        try:
            async with asyncio.timeout(self._patience):
                await self._connect(node)
        except (OSError, TimeoutError, RedisUnavailable) as error:
            return f"{node.address}: {error or 'no answer'}"
        return None

    async def _connect(self, node: Node) -> None:
        make = partial(Connection, self._loop, partial(self._lost, node))
        host, port = node.address
        if node.address.is_local:
            _, connection = await self._loop.create_unix_connection(make, host)
        else:
            _, connection = await self._loop.create_connection(make, host, port, ssl=self._tls)
        try:
            await self._greet(connection)
        except BaseException:  # cancelled by the timeout, too: an ungreeted socket is never left open
            connection.abort()
            raise
        connection.on_error = partial(self._on_error, node)
        node.connection = connection
        node.not_before = 0.0

    async def _greet(self, connection: Connection) -> None:
        """Say who we are, and make sure that the other side is a primary that can serve."""
        target = self._target
        words: list[tuple[Word, ...]] = []
        if target.password is not None:
            words.append(("AUTH", *([target.username] if target.username else []), target.password))
        if target.db:
            words.append(("SELECT", target.db))
        words += [("CLIENT", "SETNAME", "octroi"), ("PING",), ("ROLE",)]
        calls = [connection.ask(self._tick, *word) for word in words]
        replies = await asyncio.gather(*calls, return_exceptions=True)
        for reply in replies:
            if isinstance(reply, BaseException) and not str(reply).startswith("NOPERM"):
                raise RedisUnavailable(str(reply))
        role = replies[-1]
        if isinstance(role, list) and role[0] != b"master":
            raise RedisUnavailable("it is a replica")

    def _place_stranded(self) -> None:
        """Send the redirected calls whose server is now connected; the others fail."""
        stranded, self._stranded = self._stranded, []
        for address, call in stranded:
            node = self._nodes.get(address)
            if node is not None and node.connection is not None:
                self._push(node.connection, call)
            else:
                call.fail(f"redirected to {address}, which cannot be reached")


async def _severally(calls: Sequence["asyncio.Future[object]"]) -> list[Any]:
    """The replies of several calls, as a batch would give them."""
    replies = await asyncio.gather(*calls, return_exceptions=True)
    instead: dict[type[object], object] = {RedisUnavailable: UNHEARD, CommandRefused: AGAIN}
    return [instead.get(type(reply), reply) for reply in replies]


def slot_of(key: bytes) -> int:
    """The one of a cluster's slots to which a key belongs."""
    return int(key_slot(key))


def error_word(text: str) -> str:
    """The word that says what happened; before Redis 7 it stood inside what the script had to say."""
    word = text.partition(" ")[0]
    inner = re.search(r": -([A-Z]+) ", text) if word == "ERR" else None
    return inner[1] if inner else word
