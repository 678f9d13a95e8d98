"""The arithmetic of capacity, where it is known."""

import random

import pytest

from bench.capacity import Costs, need, table

COSTS = Costs(hit=40, miss=400, redis_hit=15, redis_miss=50, record_bytes=1000)


def _need(calls: int, hits: float = 1.0, busy: float = 0.5):  # type: ignore[no-untyped-def]
    return need(calls, hits, COSTS, busy, random.Random(1))


def test_cores_are_calls_times_costs() -> None:
    assert _need(10_000).worker_cores == pytest.approx(0.4)
    assert _need(10_000, hits=0.5).worker_cores == pytest.approx(2.2)
    assert _need(10_000, hits=0.5).redis_cores == pytest.approx(0.325)


def test_workers_are_as_many_as_keep_each_below_its_share_and_never_one() -> None:
    assert _need(10_000, hits=0.5).workers == 5
    assert _need(1).workers == 2


def test_a_busier_worker_makes_calls_wait_longer_as_the_formula_of_queues_says() -> None:
    quiet, busy = _need(100_000, busy=0.3), _need(100_000, busy=0.8)

    # Pollaczek and Khinchine, services all alike: the mean wait is ρ / (1 - ρ) × service / 2.
    assert quiet.wait_ms[1] < busy.wait_ms[1]
    assert 0.02 < busy.wait_ms[0] < 0.2


def test_records_of_a_day_are_counted() -> None:
    assert _need(1000).audit_gigabytes_a_day == pytest.approx(86.4)


def test_the_table_has_a_line_for_each_load() -> None:
    assert len(table([_need(10), _need(100)]).splitlines()) == 4
