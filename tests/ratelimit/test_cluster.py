"""The link over a cluster: where a key lives may change under way, and no call is lost or counted twice for it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from redis.crc import key_slot

from ratelimit.link import Link, RedisUnavailable
from ratelimit.scripts import LOOK_AT_IP
from tests.ratelimit.servers import Cluster, Valkey, eventually

pytestmark = pytest.mark.slow


def look(link: Link, address: str) -> asyncio.Future[object]:
    keys = (b"octroi:{ip:%b}:ban" % address.encode(), b"octroi:{ip:%b}:minute" % address.encode())
    return link.call(LOOK_AT_IP, keys, (1_000_000, 60, 1))


def slot_of(address: str) -> int:
    return key_slot(b"octroi:{ip:%b}:ban" % address.encode())


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster of this test alone, to be maltreated."""
    started = Cluster(tmp_path).start()
    yield started
    started.stop()


@pytest_asyncio.fixture
async def own(own_cluster: Cluster) -> AsyncIterator[Link]:
    opened = await Link.open(own_cluster.url, 0.5)
    yield opened
    await opened.close()


async def test_a_plain_url_to_a_node_is_known_for_a_cluster(cluster: Cluster) -> None:
    cluster.flush()
    link = await Link.open(cluster.nodes[1].url, 0.5)

    replies = await asyncio.gather(*(look(link, f"192.0.2.{n}") for n in range(200)))

    assert [reply[1] for reply in replies] == [1] * 200  # type: ignore[index]
    assert link.tally.redirections == 0
    await link.client.set("k", "v")
    assert await link.send(b"k", b"GET", b"k") == b"v"
    await link.close()


async def test_each_turn_costs_each_node_one_read(cluster: Cluster) -> None:
    link = await Link.open(cluster.url, 0.5)
    observers = [node.client() for node in cluster.nodes]
    before = [observer.info("stats")["total_reads_processed"] for observer in observers]

    await asyncio.gather(*(link.send(f"key{n}".encode(), b"GET", f"key{n}".encode()) for n in range(300)))

    after = [observer.info("stats")["total_reads_processed"] for observer in observers]
    # ours, the observer's own, and what the nodes may have to say to each other meanwhile
    assert max(now - then for now, then in zip(after, before, strict=True)) <= 6
    for observer in observers:
        observer.close()
    await link.close()


async def test_a_slot_that_moved_is_followed_and_remembered(own_cluster: Cluster, own: Link) -> None:
    address = "192.0.2.1"
    assert (await look(own, address))[1] == 1  # type: ignore[index]
    source, target = _ends(own_cluster, slot_of(address))

    _migrate(own_cluster, source, target, slot_of(address), finish=True)
    replies = await asyncio.gather(*(look(own, address) for _ in range(20)))

    assert sorted(reply[1] for reply in replies) == list(range(2, 22))  # type: ignore[index]
    await eventually(lambda: own._slots[slot_of(address)].address.port == target.port)  # type: ignore[index,union-attr]
    before = own.tally.redirections
    await look(own, address)
    assert own.tally.redirections == before


async def test_a_key_on_the_move_is_asked_where_it_is(own_cluster: Cluster, own: Link) -> None:
    key = b"octroi:{t:a}:q:json"
    source, target = _ends(own_cluster, key_slot(key))
    assert await own.send(key, b"INCR", key) == 1

    _migrate(own_cluster, source, target, key_slot(key), finish=False)
    replies = await asyncio.gather(*(own.send(key, b"INCR", key) for _ in range(20)))

    assert replies == list(range(2, 22))
    assert own.tally.redirections == 20


async def test_a_script_whose_keys_are_on_the_move_waits_for_them(own_cluster: Cluster, own: Link) -> None:
    address = "192.0.2.1"
    source, target = _ends(own_cluster, slot_of(address))
    await look(own, address)
    _migrate(own_cluster, source, target, slot_of(address), finish=False)

    calls = [look(own, address) for _ in range(20)]
    await eventually(lambda: own.tally.redirections >= 20)
    assert not any(call.done() for call in calls)
    _migrate(own_cluster, source, target, slot_of(address), finish=True)

    assert sorted([reply[1] for reply in await asyncio.gather(*calls)]) == list(range(2, 22))  # type: ignore[index]
    assert own.available


async def test_a_move_that_does_not_end_is_an_outage_of_its_keys_only(own_cluster: Cluster, own: Link) -> None:
    address = "192.0.2.1"
    source, target = _ends(own_cluster, slot_of(address))
    await look(own, address)
    _migrate(own_cluster, source, target, slot_of(address), finish=False)

    for _ in range(6):
        with pytest.raises(RedisUnavailable):
            await look(own, address)

    assert own.available
    assert own.tally.rests == 0


async def test_a_dead_node_costs_only_its_own_slots_until_it_is_back(own_cluster: Cluster, own: Link) -> None:
    dead = own_cluster.nodes[0]
    mine = next(f"192.0.2.{n}" for n in range(255) if own_cluster.holder_of(slot_of(f"192.0.2.{n}")) is dead)
    other = next(f"192.0.2.{n}" for n in range(255) if own_cluster.holder_of(slot_of(f"192.0.2.{n}")) is not dead)
    own_cluster.nodes[1].command("CONFIG", "SET", "cluster-require-full-coverage", "no")
    own_cluster.nodes[2].command("CONFIG", "SET", "cluster-require-full-coverage", "no")

    dead.kill()
    await eventually(lambda: not own.available)
    with pytest.raises(RedisUnavailable):
        await look(own, mine)
    assert (await look(own, other))[1] == 1  # type: ignore[index]

    dead.start()
    await eventually(lambda: own.available, 8.0)
    await eventually(lambda: "cluster_state:ok" in str(dead.command("CLUSTER", "INFO")), 8.0)
    assert (await look(own, mine))[1] == 1  # type: ignore[index]


def _ends(cluster: Cluster, slot: int) -> tuple[Valkey, Valkey]:
    source = cluster.holder_of(slot)
    return source, next(node for node in cluster.nodes if node is not source)


def _migrate(cluster: Cluster, source: Valkey, target: Valkey, slot: int, *, finish: bool) -> None:
    """Move a slot as `valkey-cli --cluster reshard` does, or stop half way."""
    target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", cluster.name_of(source))
    source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", cluster.name_of(target))
    keys = source.command("CLUSTER", "GETKEYSINSLOT", slot, 100)
    if keys:
        source.command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)  # type: ignore[misc]
    if finish:
        for node in (target, source, *cluster.nodes):
            node.command("CLUSTER", "SETSLOT", slot, "NODE", cluster.name_of(target))
