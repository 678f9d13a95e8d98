"""What is used is remembered, what is not is forgotten, and the memory stays within its bounds."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.recent import Recent

KEYS = st.integers(0, 30)


@given(st.lists(st.tuples(st.booleans(), KEYS)), st.integers(2, 12))
def test_what_was_used_last_is_remembered_and_no_more_than_the_capacity(
    steps: list[tuple[bool, int]], capacity: int
) -> None:
    recent: Recent[int, str] = Recent(capacity)
    used: list[int] = []
    for keeps, key in steps:
        if keeps:
            recent.remember(key, f"value {key}")
        if recent[key] is not None:
            used = [other for other in used if other != key] + [key]

    assert len(recent) + len(recent._older) <= capacity
    assert all(recent[key] == f"value {key}" for key in used[-(capacity // 2) :])


def test_what_was_never_told_is_not_known() -> None:
    recent: Recent[int, str] = Recent(4)

    assert recent[1] is None
    assert dict(recent) == {}


def test_what_is_not_used_is_forgotten() -> None:
    recent: Recent[int, str] = Recent(4)
    for key in range(5):
        recent.remember(key, str(key))

    assert [recent[key] for key in range(5)][:2] == [None, None]
