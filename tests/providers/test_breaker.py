"""The breaker: a provider that fails too often is left alone, then tried once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base.breaker import COOLDOWN_SECONDS, LEAST_CALLS, OPENING_SHARE, WINDOW_SECONDS, Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def told(breaker: Breaker, *, failures: int = 0, successes: int = 0) -> None:
    for failed in [False] * successes + [True] * failures:
        breaker.learn(failed=failed)


def test_a_provider_that_answers_is_let_through(breaker: Breaker) -> None:
    told(breaker, successes=100)

    assert breaker.lets_through()
    assert breaker.state == "closed"


def test_few_failures_say_nothing(breaker: Breaker) -> None:
    told(breaker, failures=LEAST_CALLS - 1)

    assert breaker.lets_through()


def test_half_of_the_calls_failing_opens_it(breaker: Breaker) -> None:
    told(breaker, successes=10, failures=9)
    assert breaker.state == "closed"

    told(breaker, failures=1)

    assert breaker.state == "open"
    assert not breaker.lets_through()
    assert breaker.seconds_left() == COOLDOWN_SECONDS


def test_what_is_longer_ago_than_the_window_counts_no_more(breaker: Breaker, clock: Clock) -> None:
    told(breaker, failures=LEAST_CALLS - 1)
    clock.now += WINDOW_SECONDS

    told(breaker, failures=1)

    assert breaker.state == "closed"


def test_after_a_while_one_call_is_let_through_and_decides(breaker: Breaker, clock: Clock) -> None:
    told(breaker, failures=LEAST_CALLS)
    clock.now += COOLDOWN_SECONDS

    assert breaker.state == "half_open"
    assert [breaker.lets_through() for _ in range(3)] == [True, False, False]

    told(breaker, failures=1)
    assert breaker.state == "open"

    clock.now += COOLDOWN_SECONDS
    assert breaker.lets_through()
    told(breaker, successes=1)
    assert breaker.state == "closed"
    assert breaker.lets_through()


def test_a_trial_that_was_given_up_leaves_room_for_another(breaker: Breaker, clock: Clock) -> None:
    told(breaker, failures=LEAST_CALLS)
    clock.now += COOLDOWN_SECONDS
    assert breaker.lets_through()

    breaker.forget_probe()

    assert breaker.lets_through()


def test_after_a_trial_that_succeeded_former_failures_are_forgotten(breaker: Breaker, clock: Clock) -> None:
    told(breaker, failures=LEAST_CALLS)
    clock.now += COOLDOWN_SECONDS
    breaker.lets_through()
    told(breaker, successes=1)

    told(breaker, failures=LEAST_CALLS - 1)

    assert breaker.state == "closed"


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=200))
def test_it_opens_when_a_failure_makes_the_share_of_the_window_too_large(calls: list[tuple[int, bool]]) -> None:
    clock = Clock()
    breaker, ended = Breaker(clock), []
    for pause, failed in calls:
        clock.now += pause
        breaker.learn(failed=failed)
        ended.append((clock.now, failed))
        seen = [failed for at, failed in ended if at > clock.now - WINDOW_SECONDS]
        if failed and len(seen) >= LEAST_CALLS and sum(seen) >= OPENING_SHARE * len(seen):
            assert breaker.state == "open"
            return
        assert breaker.state == "closed"
        assert len(breaker._seconds) <= WINDOW_SECONDS
