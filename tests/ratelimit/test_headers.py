"""What the caller is told of its quota (behaviours §5.2)."""

from hypothesis import given
from hypothesis import strategies as st

from ratelimit.limiter import Counter, TokenSeen, quota_headers, retry_after
from ratelimit.local import MOST_ENTRIES, LocalCounters

NOW = 1_772_442_017.25  # 17.25 s into its minute


def test_the_trio_is_decimal_and_its_end_is_that_of_the_minute() -> None:
    headers = quota_headers(250, 3, NOW)

    assert headers == [
        (b"ratelimit-limit", b"250"),
        (b"ratelimit-remaining", b"247"),
        (b"ratelimit-reset", b"1772442060"),
    ]


def test_remaining_never_goes_below_nought() -> None:
    assert dict(quota_headers(250, 251, NOW))[b"ratelimit-remaining"] == b"0"


def test_retry_after_is_what_is_left_of_the_minute() -> None:
    assert retry_after(NOW) == b"43"


@given(now=st.floats(0, 4e9), limit=st.integers(1, 10**6), count=st.integers(0, 10**7))
def test_retry_after_is_between_1_and_60_and_the_reset_is_ahead(now: float, limit: int, count: int) -> None:
    headers = dict(quota_headers(limit, count, now))

    assert 1 <= int(retry_after(now)) <= 60
    assert 0 < int(headers[b"ratelimit-reset"]) - now <= 60
    assert int(headers[b"ratelimit-reset"]) % 60 == 0
    assert int(headers[b"ratelimit-remaining"]) >= 0


def test_the_limit_itself_is_allowed_and_one_more_is_not() -> None:
    counters = (Counter("custom", 2), Counter("json", 250))

    assert TokenSeen(True, (2, 250), NOW).exceeded(counters) is None
    assert TokenSeen(True, (2, 251), NOW).exceeded(counters) == 1
    assert TokenSeen(True, (3, 251), NOW).exceeded(counters) == 0


class TestLocalCounters:
    def test_a_window_is_forgotten_with_all_it_counted(self) -> None:
        counters = LocalCounters(60)
        for n in range(100):
            counters.count(f"key{n}", NOW)

        count = counters.count("key0", NOW + 60)

        assert (count, len(counters)) == (1, 1)

    def test_a_clock_set_back_begins_a_window_too(self) -> None:
        counters = LocalCounters(60)
        counters.count("key", NOW)

        assert counters.count("key", NOW - 300) == 1

    def test_memory_is_bounded_and_those_beyond_are_let_through(self) -> None:
        counters = LocalCounters(60)
        for n in range(MOST_ENTRIES):
            counters.count(str(n), NOW)

        beyond = [counters.count("beyond", NOW) for _ in range(3)]

        assert beyond == [1, 1, 1]
        assert len(counters) == MOST_ENTRIES
        assert counters.count("0", NOW) == 2
