"""Quotas and refusals, counted by a real store: exact, by its clock, and the same on one server and on three."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.crc import key_slot

from config.quotas import HIGH_LATENCY_DOCUMENTS, JSON_RESOURCES
from ratelimit import keys
from ratelimit.ban import Ban
from ratelimit.limiter import Counter, IpSeen, Joint, Limiter, TokenSeen
from ratelimit.link import Link, Questions
from tests.conftest import HandClock
from tests.ratelimit.servers import Valkey, eventually, eventually_answers

IP = "192.0.2.1"
JTI = "00000000-0000-4000-8000-000000000001"
JSON = Counter("json_resources_entreprise", 250)
Make = Callable[..., Limiter]


async def store_time(link: Link) -> float:
    seconds, micros = cast(list[bytes], await link.send(b"k", b"TIME"))
    return int(seconds) + int(micros) / 1e6


async def known_token(limiter: Limiter, version: int = 1) -> None:
    await limiter.publish_state(JTI, version, b"state %d" % version, 60)


class TestQuotas:
    async def test_of_300_calls_at_once_exactly_250_are_allowed(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link)
        await known_token(limiter)

        seen = await asyncio.gather(*(limiter.look_at_token(JTI, 1, (JSON,)) for _ in range(300)))

        assert sum(one.exceeded((JSON,)) is None for one in seen) == 250
        assert sorted(one.counts[0] for one in seen) == list(range(1, 301))

    async def test_calls_through_several_workers_draw_on_one_allowance(
        self, any_url: str, any_link: Link, limiter_of: Make
    ) -> None:
        links = [any_link, await Link.open(any_url, 1.0), await Link.open(any_url, 1.0)]
        limiters = [limiter_of(link) for link in links]
        await known_token(limiters[0])

        seen = await asyncio.gather(*(limiters[n % 3].look_at_token(JTI, 1, (JSON,)) for n in range(300)))

        assert sum(one.exceeded((JSON,)) is None for one in seen) == 250
        await asyncio.gather(*(link.close() for link in links[1:]))

    async def test_each_allowance_has_a_count_of_its_own(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link)
        await known_token(limiter)
        custom, other = Counter("custom", 2), Counter("high_latency_documents:attestation", 5)

        await limiter.look_at_token(JTI, 1, (custom, JSON))
        await limiter.look_at_token(JTI, 1, (custom, other))
        seen = await limiter.look_at_token(JTI, 1, (custom, JSON))

        assert seen.counts == (3, 2)
        assert seen.exceeded((custom, JSON)) == 0

    async def test_a_window_is_forgotten_when_it_ends_by_the_clock_of_the_store(
        self, any_link: Link, limiter_of: Make
    ) -> None:
        limiter = limiter_of(any_link)
        name = keys.counter(keys.stranger("d"), JSON.name)

        seen = await limiter.look_at_stranger("d", (JSON,))

        end = (int(seen.now) // 60 + 1) * 60
        assert await any_link.send(name, b"EXPIRETIME", name) == end
        assert abs(seen.now - await store_time(any_link)) < 1

    async def test_the_next_window_begins_at_one(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link)
        name = keys.counter(keys.stranger("d"), JSON.name)
        window = int(await store_time(any_link)) // 60
        await any_link.send(name, b"HSET", name, window - 1, 250, window + 5, 250)  # the clock was set back, too

        seen = await limiter.look_at_stranger("d", (JSON,))

        assert seen.counts == (1,)
        assert await any_link.send(name, b"EXPIRETIME", name) == (window + 1) * 60

    async def test_a_stranger_needs_no_state(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link)

        first = await limiter.look_at_stranger("digest", (JSON,))
        second = await limiter.look_at_stranger("digest", (JSON,))
        other = await limiter.look_at_stranger("another", (JSON,))

        assert (first.is_current, first.counts, second.counts, other.counts) == (True, (1,), (2,), (1,))

    async def test_an_operator_looks_without_counting(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link)
        await known_token(limiter)
        await limiter.look_at_token(JTI, 1, (JSON,))

        seen = [await limiter.peek_at_token(JTI, (JSON, Counter("mcp", 100))) for _ in range(2)]

        assert [one.counts for one in seen] == [(1, 0), (1, 0)]

    async def test_all_keys_of_a_script_are_in_one_slot(self) -> None:
        by_address = {key_slot(name(IP)) for name in (keys.ban, keys.minute, keys.refusals)}
        by_token = {
            key_slot(name)
            for name in (
                keys.state(keys.token(JTI)),
                keys.counter(keys.token(JTI), "a"),
                keys.counter(keys.token(JTI), "b"),
            )
        }

        assert len(by_address) == 1
        assert len(by_token) == 1

    def test_a_group_has_the_limit_of_the_contract_unless_the_operator_says_otherwise(
        self, link: Link, limiter_of: Make
    ) -> None:
        limiter = limiter_of(link, groups={"mcp": 7, "high_latency_documents": 2})

        assert limiter.limit_of(JSON_RESOURCES) == 250
        assert limiter.counter(JSON_RESOURCES, "insee") == Counter("json_resources_entreprise", 250)
        assert limiter.counter(HIGH_LATENCY_DOCUMENTS, "cibtp") == Counter("high_latency_documents:cibtp", 2)


class TestRegistryState:
    async def test_a_state_nobody_published_is_said_to_be_missing(self, any_link: Link, limiter_of: Make) -> None:
        seen = await limiter_of(any_link).look_at_token(JTI, 0, (JSON,))

        assert seen == TokenSeen(False, (), 0.0)

    async def test_a_newer_state_comes_with_the_reply_and_nothing_is_counted(
        self, any_link: Link, limiter_of: Make
    ) -> None:
        limiter = limiter_of(any_link)
        await known_token(limiter, 2)

        stale = await limiter.look_at_token(JTI, 1, (JSON,))
        current = await limiter.look_at_token(JTI, 2, (JSON,))

        assert (stale.is_current, stale.counts, stale.state) == (False, (), b"state 2")
        assert (current.is_current, current.counts) == (True, (1,))

    async def test_an_older_state_left_by_a_failover_counts_as_none(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link)
        await known_token(limiter, 9)

        seen = await limiter.look_at_token(JTI, 10, (JSON,))

        assert (seen.is_current, seen.state) == (False, None)

    async def test_an_older_state_never_replaces_a_newer_one(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link)
        await limiter.publish_state(JTI, 10, b"ten", 60)

        stored = await limiter.publish_state(JTI, 9, b"nine", 60)

        assert stored == 10
        assert (await limiter.look_at_token(JTI, 9, ())).state == b"ten"

    async def test_a_state_that_is_retracted_is_read_anew(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link)
        await known_token(limiter)

        limiter.retract_state(JTI)

        assert (await limiter.look_at_token(JTI, 1, (JSON,))).is_current is False

    async def test_a_state_lapses(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link)
        name = keys.state(keys.token(JTI))

        await limiter.publish_state(JTI, 1, b"one", 60)

        assert await any_link.send(name, b"TTL", name) == 60


class TestCeiling:
    async def test_the_ceiling_is_allowed_and_one_more_bans(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link, ip_per_minute=20, ban_seconds=43200)

        seen = await asyncio.gather(*(limiter.look_at_ip(IP) for _ in range(21)))

        assert sorted(one.requests for one in seen if not one.is_banned) == list(range(1, 21))
        banned = [one.ban for one in seen if one.ban]
        assert [ban.reason for ban in banned] == ["ceiling"]
        assert banned[0].until - banned[0].banned_at == 43200
        assert abs(banned[0].banned_at - await store_time(any_link)) < 1

    async def test_a_ban_is_not_prolonged_by_more_calls(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link, ip_per_minute=1, ban_seconds=100)
        for _ in range(2):
            first = await limiter.look_at_ip(IP)

        later = await asyncio.gather(*(limiter.look_at_ip(IP) for _ in range(50)))
        refused = await asyncio.gather(*(limiter.count_refusal(IP) for _ in range(50)))

        assert {one.ban for one in later} == {first.ban}
        assert set(refused) == {first.ban}
        name = keys.ban(IP)
        assert first.ban is not None
        assert await any_link.send(name, b"PEXPIRETIME", name) == round(first.ban.until * 1000)

    async def test_a_ban_ends_by_itself(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link, ip_per_minute=1, ban_seconds=1, refusals_before_ban=1)
        ban = await limiter.count_refusal(IP)
        assert (await limiter.look_at_ip(IP)).ban == ban

        await eventually_answers(any_link, 0, b"EXISTS", keys.ban(IP))

        assert ban is not None
        assert 0 <= await store_time(any_link) - ban.until < 0.5
        assert not (await limiter.look_at_ip(IP)).is_banned

    async def test_looking_without_counting_counts_nothing(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link, ip_per_minute=2)
        await limiter.look_at_ip(IP)

        seen = [await limiter.look_at_ip(IP, count=False) for _ in range(5)]

        assert {one.requests for one in seen} == {1}

    async def test_requests_are_forgotten_at_the_end_of_their_minute(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link)
        name = keys.minute(IP)

        seen = await limiter.look_at_ip(IP)

        assert await any_link.send(name, b"EXPIRETIME", name) == (int(seen.now) // 60 + 1) * 60

    async def test_one_address_does_not_count_for_another(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link, ip_per_minute=1)
        for _ in range(2):
            await limiter.look_at_ip("2001:db8:1:2::/64")

        assert not (await limiter.look_at_ip("2001:db8:1:3::/64")).is_banned


class Asking(Questions):
    """A joint question on its way."""

    def __init__(self, joint: Joint) -> None:
        super().__init__()
        self.number = 1
        self._joint = joint
        self.heard = asyncio.get_running_loop().create_future()

    def packed(self) -> bytes:
        return self._joint.packed()

    def hear(self, replies: list[Any]) -> None:
        (self._joint.reply,) = replies
        self.heard.set_result(None)


async def asked_jointly(link: Link, question: tuple[bytes, int], calls: int) -> Joint:
    opening, slot = question
    joint = Joint(opening)
    joint.calls = calls
    asking, way = Asking(joint), link.way_to(slot)
    assert way is not None
    link.ask(way, asking)
    await asking.heard
    return joint


class TestCallsThatAskJointly:
    """What each of them hears is what it would have heard, had it asked alone after those before it."""

    @given(sizes=st.lists(st.integers(1, 8), min_size=1, max_size=6), ceiling=st.integers(1, 20))
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    async def test_a_ceiling_is_met_exactly(self, link: Link, limiter_of: Make, sizes: list[int], ceiling: int) -> None:
        limiter = limiter_of(link, ip_per_minute=ceiling)
        block = f"198.51.100.{next(NUMBERS)}"
        await known_scripts(limiter)

        seen = []
        for size in sizes:
            joint = await asked_jointly(link, limiter.opening_of_ip(block), size)
            told = [limiter.told_ip(joint, number) for number in range(1, size + 1)]
            seen += [one if isinstance(one, IpSeen) else await limiter.look_at_ip(block, heard=one) for one in told]

        assert [one.requests for one in seen if not one.is_banned] == list(range(1, min(sum(sizes), ceiling) + 1))
        assert [one.is_banned for one in seen] == [number >= ceiling for number in range(sum(sizes))]
        assert len({one.ban for one in seen if one.ban}) == (sum(sizes) > ceiling)

    @given(sizes=st.lists(st.integers(1, 8), min_size=1, max_size=6))
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    async def test_each_has_a_count_of_its_own_in_each_allowance(
        self, link: Link, limiter_of: Make, sizes: list[int]
    ) -> None:
        limiter = limiter_of(link)
        jti, counters = f"jti-{next(NUMBERS)}", (Counter("custom", 3), JSON)
        await limiter.publish_state(jti, 1, b"state", 60)
        await known_scripts(limiter)

        counts = []
        for size in sizes:
            joint = await asked_jointly(link, limiter.opening_of_token(jti, 1, counters), size)
            told = [limiter.told_token(joint, number) for number in range(1, size + 1)]
            counts += [one.counts for one in told]

        assert counts == [(number, number) for number in range(1, sum(sizes) + 1)]

    async def test_a_state_that_has_changed_is_told_to_all_and_nothing_is_counted(
        self, link: Link, limiter_of: Make
    ) -> None:
        limiter = limiter_of(link)
        await known_token(limiter, 2)
        await known_scripts(limiter)

        joint = await asked_jointly(link, limiter.opening_of_token(JTI, 1, (JSON,)), 3)
        seen = [await limiter.look_at_token(JTI, 1, (JSON,), limiter.told_token(joint, number)) for number in (1, 2, 3)]

        assert {one.state for one in seen} == {b"state 2"}
        assert (await limiter.peek_at_token(JTI, (JSON,))).counts == (0,)


NUMBERS = itertools.count(1)


async def known_scripts(limiter: Limiter) -> None:
    """A question asked alone makes its script known; jointly it would only be told that it is not."""
    await limiter.look_at_ip("203.0.113.1", count=False)
    await limiter.look_at_token("nobody", 0, ())


class TestRefusals:
    async def test_the_last_of_n_bans_and_the_one_before_does_not(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link, refusals_before_ban=2000)

        before = await asyncio.gather(*(limiter.count_refusal(IP) for _ in range(1999)))
        unbanned = await limiter.look_at_ip(IP)
        ban = await limiter.count_refusal(IP)

        assert set(before) == {None}
        assert not unbanned.is_banned
        assert ban is not None
        assert (ban.reason, ban.until - ban.banned_at) == ("refusals", 43200)
        assert (await limiter.look_at_ip(IP)).ban == ban

    async def test_of_many_at_once_exactly_the_last_of_n_bans(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link, refusals_before_ban=100)

        bans = await asyncio.gather(*(limiter.count_refusal(IP) for _ in range(150)))

        assert sum(ban is None for ban in bans) == 99
        assert len({ban for ban in bans if ban}) == 1

    async def test_refusals_older_than_the_window_do_not_count(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link, refusals_before_ban=3, refusals_window_seconds=300)
        now = int(await store_time(any_link) * 1000)
        name = keys.refusals(IP)
        await any_link.send(name, b"RPUSH", name, now - 100, now - 300_000)

        too_old = await limiter.count_refusal(IP)
        within = await limiter.count_refusal(IP)

        assert too_old is None
        assert within is not None

    async def test_a_refusal_just_within_the_window_does_count(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link, refusals_before_ban=3, refusals_window_seconds=300)
        now = int(await store_time(any_link) * 1000)
        name = keys.refusals(IP)
        await any_link.send(name, b"RPUSH", name, now - 100, now - 299_000)

        assert await limiter.count_refusal(IP) is not None

    async def test_no_more_is_kept_of_an_address_than_is_needed(self, any_link: Link, limiter_of: Make) -> None:
        limiter = limiter_of(any_link, refusals_before_ban=5)
        name = keys.refusals(IP)
        await any_link.send(name, b"RPUSH", name, *([1] * 10))

        await limiter.count_refusal(IP)

        assert await any_link.send(name, b"LLEN", name) == 5
        assert 0 < cast(int, await any_link.send(name, b"TTL", name)) <= 300

    async def test_an_operator_sees_requests_refusals_and_ban_without_counting(
        self, any_link: Link, limiter_of: Make
    ) -> None:
        limiter = limiter_of(any_link, refusals_before_ban=3)
        await limiter.look_at_ip(IP)
        await limiter.count_refusal(IP)
        await limiter.count_refusal(IP)

        before = [await limiter.peek_at_ip(IP) for _ in range(2)]
        ban = await limiter.count_refusal(IP)
        after = await limiter.peek_at_ip(IP)

        assert [(peek.ban, peek.requests, peek.refusals) for peek in before] == [(None, 1, 2)] * 2
        assert (after.ban, after.requests, after.refusals) == (ban, 1, 0)


class TestWithoutRedis:
    @pytest_asyncio.fixture
    async def down(self, server: Valkey) -> AsyncIterator[Link]:
        opened = await Link.open(server.url, 0.1)
        server.kill()
        await eventually(lambda: not opened.available)
        yield opened
        await opened.close()

    async def test_a_process_allows_its_share_and_says_that_it_is_degraded(
        self, down: Link, limiter_of: Make, clock: HandClock
    ) -> None:
        limiter = limiter_of(down, workers=4, clock=clock)

        seen = [await limiter.look_at_token(JTI, 1, (JSON,)) for _ in range(100)]

        assert all(one.degraded and one.is_current for one in seen)
        assert sum(one.exceeded((JSON,)) is None for one in seen) == 250 // 4

    async def test_what_it_tells_never_promises_more_than_the_limit(
        self, down: Link, limiter_of: Make, clock: HandClock
    ) -> None:
        limiter = limiter_of(down, workers=4, clock=clock)

        counts = [(await limiter.look_at_stranger("d", (JSON,))).counts[0] for _ in range(63)]

        assert counts[0] == 4
        assert counts[61] == 248
        assert counts[62] > 250

    async def test_one_call_is_always_allowed(self, down: Link, limiter_of: Make, clock: HandClock) -> None:
        limiter = limiter_of(down, workers=16, clock=clock)
        five = Counter("high_latency_documents:x", 5)

        seen = [await limiter.look_at_stranger("d", (five,)) for _ in range(2)]

        assert [one.exceeded((five,)) for one in seen] == [None, 0]

    async def test_the_next_minute_begins_anew(self, down: Link, limiter_of: Make, clock: HandClock) -> None:
        limiter = limiter_of(down, clock=clock)
        one = Counter("x", 1)
        for _ in range(2):
            refused = await limiter.look_at_stranger("d", (one,))

        clock.advance(60)
        seen = await limiter.look_at_stranger("d", (one,))

        assert refused.exceeded((one,)) == 0
        assert seen.counts == (1,)

    async def test_a_state_it_has_never_seen_must_come_from_the_registry(
        self, down: Link, limiter_of: Make, clock: HandClock
    ) -> None:
        seen = await limiter_of(down, clock=clock).look_at_token(JTI, 0, (JSON,))

        assert (seen.is_current, seen.state, seen.degraded) == (False, None, True)

    async def test_it_bans_only_what_it_has_seen_go_over_the_whole_ceiling(
        self, down: Link, limiter_of: Make, clock: HandClock
    ) -> None:
        limiter = limiter_of(down, workers=4, clock=clock, ip_per_minute=20, ban_seconds=100)

        seen = [await limiter.look_at_ip(IP) for _ in range(21)]

        assert [one.is_banned for one in seen] == [False] * 20 + [True]
        assert seen[-1].ban == Ban(IP, "ceiling", clock(), clock() + 100)

    async def test_it_bans_for_refusals_that_it_gave_itself(
        self, down: Link, limiter_of: Make, clock: HandClock
    ) -> None:
        limiter = limiter_of(down, workers=4, clock=clock, refusals_before_ban=3)

        bans = [await limiter.count_refusal(IP) for _ in range(3)]

        assert bans == [None, None, Ban(IP, "refusals", clock(), clock() + 43200)]

    async def test_when_the_store_is_back_it_counts_again(self, server: Valkey, down: Link, limiter_of: Make) -> None:
        limiter = limiter_of(down)
        degraded = await limiter.look_at_stranger("d", (JSON,))

        server.start()
        await eventually(lambda: down.available)
        seen = await limiter.look_at_stranger("d", (JSON,))

        assert degraded.degraded
        assert (seen.degraded, seen.counts) == (False, (1,))

    async def test_questions_asked_of_a_server_that_hangs_are_answered_within_the_budget(
        self, server: Valkey, limiter_of: Make
    ) -> None:
        link = await Link.open(server.url, 0.1)
        limiter = limiter_of(link)
        server.freeze()
        loop = asyncio.get_running_loop()
        began = loop.time()

        asked = [limiter.look_at_ip(IP), *(limiter.look_at_ip(IP) for _ in range(50))]
        seen = [await one for one in asked]

        assert all(one.degraded for one in seen)
        assert loop.time() - began < 0.1 * 1.25 + 0.1
        server.thaw()
        await link.close()
