"""The cache of answers over a real Redis: what two workers share, and what keys may be changed."""

import asyncio
import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import redis.asyncio as redis

from config.clock import system_clock
from gateway.cache import AnswerCache, Kept
from gateway.sealed import Seal
from ratelimit.link import Link, Question

DIGEST = b"0123456789abcdef"
OLD, NEW = os.urandom(32), os.urandom(32)


@pytest_asyncio.fixture
async def link(valkey_url: str, valkey: redis.Redis) -> AsyncIterator[Link]:
    opened = await Link.open(valkey_url, 2.0)
    yield opened
    await opened.close()


def worker(link: Link, *keys: bytes, local_bytes: int = 1_000_000) -> AnswerCache:
    return AnswerCache(link, Seal(keys or (OLD,)), system_clock, local_bytes)


class Provider:
    """Makes answers when told to, and counts them."""

    def __init__(self, *, lasting: float = 60.0) -> None:
        self.calls = 0
        self.is_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self._lasting = lasting

    async def __call__(self) -> Kept:
        self.calls += 1
        self.is_asked.set()
        await self.may_answer.wait()
        now = system_clock()
        return Kept(200 if self._lasting else 502, b"body %d" % self.calls, now, now + self._lasting)


async def test_two_workers_who_want_the_same_answer_ask_for_it_once(link: Link) -> None:
    provider = Provider()
    leading = asyncio.create_task(worker(link).fill(DIGEST, provider))
    await provider.is_asked.wait()
    following = [asyncio.create_task(worker(link).fill(DIGEST, provider)) for _ in range(5)]
    provider.may_answer.set()

    answers = await asyncio.gather(leading, *following)

    assert provider.calls == 1
    assert {answer.body for answer in answers} == {b"body 1"}


async def test_whoever_comes_as_the_answer_arrives_finds_it_instead_of_asking_again(link: Link) -> None:
    provider = Provider()
    provider.may_answer.set()
    late = worker(link)
    assert await late.find(DIGEST, late.look(DIGEST)) is None
    await worker(link).fill(DIGEST, provider)

    answer = await late.fill(DIGEST, provider)

    assert (answer.body, provider.calls) == (b"body 1", 1)
    assert await link.send(DIGEST, b"KEYS", b"*:lead") == []


async def test_a_failure_reaches_the_workers_that_waited_and_is_not_kept(link: Link) -> None:
    provider = Provider(lasting=0)
    leading = asyncio.create_task(worker(link).fill(DIGEST, provider))
    await provider.is_asked.wait()
    following = asyncio.create_task(worker(link).fill(DIGEST, provider))
    await asyncio.sleep(0.05)  # it has found the lead taken
    provider.may_answer.set()

    answers = await asyncio.gather(leading, following)
    later = await worker(link).fill(DIGEST, provider)

    assert [answer.body for answer in answers] == [b"body 1"] * 2
    assert later.body == b"body 2"


async def test_whoever_waits_for_another_worker_as_redis_goes_away_asks_by_itself(link: Link, valkey_url: str) -> None:
    leader, follower, other = Provider(), Provider(), await Link.open(valkey_url, 2.0)
    follower.may_answer.set()
    leading = asyncio.create_task(worker(link).fill(DIGEST, leader))
    await leader.is_asked.wait()
    following = asyncio.create_task(worker(other).fill(DIGEST, follower))
    await asyncio.sleep(0.1)
    assert not following.done()

    await other.close()

    async with asyncio.timeout(5):
        assert (await following).body == b"body 1"
    assert follower.calls == 1
    leader.may_answer.set()
    await leading


async def test_whoever_waited_for_a_caller_who_went_away_asks_in_its_place(link: Link) -> None:
    provider, one = Provider(), worker(link)
    leading = asyncio.create_task(one.fill(DIGEST, provider))
    await provider.is_asked.wait()
    following = [asyncio.create_task(one.fill(DIGEST, provider)) for _ in range(5)]
    await asyncio.sleep(0)  # they wait for the first
    leading.cancel()
    provider.may_answer.set()

    answers = await asyncio.gather(*following)

    assert leading.cancelled()
    assert provider.calls == 2
    assert {answer.body for answer in answers} == {b"body 2"}


async def test_whoever_goes_away_before_he_hears_that_he_leads_leaves_the_lead_to_others(link: Link) -> None:
    provider = Provider()
    provider.may_answer.set()
    leaving = asyncio.create_task(worker(link).fill(DIGEST, provider))
    await asyncio.sleep(0)  # the question is on its way
    leaving.cancel()

    async with asyncio.timeout(5):
        answer = await worker(link).fill(DIGEST, provider)

    assert leaving.cancelled()
    assert (answer.body, provider.calls) == (b"body 1", 1)


class NotLetIn(Exception):
    pass


class Closed:
    """A gate through which nobody passes."""

    question: Question = (DIGEST, (b"PING",))

    def enter(self, reply: object) -> None:
        assert reply == b"PONG"
        raise NotLetIn


async def test_whoever_is_not_let_in_is_given_nothing_and_leaves_the_lead_to_others(link: Link) -> None:
    provider, one = Provider(), worker(link)
    provider.may_answer.set()

    refused = asyncio.create_task(one.fill(DIGEST, provider, Closed()))
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(one.fill(DIGEST, provider)) for _ in range(3)]
    with pytest.raises(NotLetIn):
        await refused
    answers = await asyncio.gather(*waiting)
    elsewhere = await worker(link).fill(DIGEST, provider)

    assert provider.calls == 1
    assert {answer.body for answer in (*answers, elsewhere)} == {b"body 1"}
    assert await link.send(DIGEST, b"KEYS", b"*:lead") == []


async def test_whoever_is_not_let_in_does_not_wait_for_the_answer_of_others(link: Link) -> None:
    provider, one = Provider(), worker(link)
    leading = asyncio.create_task(one.fill(DIGEST, provider))
    await provider.is_asked.wait()

    with pytest.raises(NotLetIn):
        await one.fill(DIGEST, provider, Closed())
    provider.may_answer.set()

    assert (await leading).body == b"body 1"


async def test_whoever_goes_away_while_waiting_takes_nothing_from_the_others(link: Link) -> None:
    provider, one = Provider(), worker(link)
    leading = asyncio.create_task(one.fill(DIGEST, provider))
    await provider.is_asked.wait()
    leaving, staying = (asyncio.create_task(one.fill(DIGEST, provider)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    provider.may_answer.set()

    answers = await asyncio.gather(leading, staying)

    assert leaving.cancelled()
    assert [answer.body for answer in answers] == [b"body 1"] * 2


async def test_what_was_sealed_with_the_former_key_stays_readable_and_what_is_new_is_sealed_with_the_newest(
    link: Link,
) -> None:
    provider = Provider()
    provider.may_answer.set()
    await worker(link, OLD).fill(DIGEST, provider)

    rotated, dropped = worker(link, NEW, OLD), worker(link, NEW)
    before = await rotated.find(DIGEST, rotated.look(DIGEST))
    lost = await dropped.find(DIGEST, dropped.look(DIGEST))
    await dropped.fill(DIGEST, provider)
    after = await dropped.find(DIGEST, dropped.look(DIGEST))

    assert before is not None
    assert before.body == b"body 1"
    assert lost is None
    assert after is not None
    assert after.body == b"body 2"


async def test_a_worker_without_room_still_answers(link: Link) -> None:
    provider = Provider()
    provider.may_answer.set()
    poor = worker(link, local_bytes=0)
    await poor.fill(DIGEST, provider)

    kept = await poor.find(DIGEST, poor.look(DIGEST))

    assert kept is not None
    assert kept.body == b"body 1"
