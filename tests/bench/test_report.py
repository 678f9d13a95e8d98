"""Tables, goals and profiles, from samples."""

from typing import Any

from bench import goals, profile, report
from bench.report import Sample, Spread
from bench.scenarios import SCENARIOS

HIT256 = next(scenario for scenario in SCENARIOS if scenario.name == "hit256")


def sample(peer: str, cpu: float, **more: Any) -> Sample:
    told = {"scenario": "hit256", "round": 0, "requests": 1000, "redis_us": 5.0, "per_second": 9000.0, "p50_ms": 2.0}
    told |= {"p99_ms": 4.0, "megabytes": 100.0, "load_average": 1.0, **more}
    return Sample(peer=peer, cpu_us=cpu, **told)


SAMPLES = [
    sample("octroi", 50, round=0),
    sample("haproxy", 25, round=0, redis_us=0.0, p99_ms=3.0),
    sample("octroi", 40, round=1),
    sample("haproxy", 40, round=1, redis_us=0.0, p99_ms=4.0),
    sample("octroi", 40, round=2),
    sample("plain-fastapi", 2400, round=2),
]


def test_ratios_are_taken_within_a_round() -> None:
    assert report.ratios(SAMPLES, "hit256", "octroi", "haproxy") == [0.5, 1.0]
    assert report.ratios(SAMPLES, "hit256", "octroi", "plain-fastapi") == [60]
    assert report.ratios(SAMPLES, "hit256", "octroi", "nginx-lua") == []


def test_a_spread_tells_its_extremes_unless_there_is_only_one_value() -> None:
    assert str(Spread.of([3, 1, 200])) == "3.00 (1.00-200)"
    assert str(Spread.of([12])) == "12.0"


def test_a_table_puts_peers_side_by_side() -> None:
    lines = report.table(HIT256, SAMPLES).splitlines()

    assert lines[0] == "cache hit, 256 companies (hit256), 50 connections"
    assert lines[1].split()[-4:] == ["×", "plain-fastapi", "×", "haproxy"]
    assert [line.split()[0] for line in lines[2:]] == ["octroi", "haproxy", "plain-fastapi"]
    assert "0.75 (0.50-1.00)" in lines[2]


def test_the_goals_are_one_table_with_both_columns() -> None:
    rows = {line.split("  ")[0]: line for line in goals.table(SAMPLES).splitlines()}

    assert rows["hit, CPU against plain FastAPI (×)"].split("  ")[-1].strip() == "both hold"
    assert "first door holds, then MISSED" in rows["hit, CPU against HAProxy, steady headers (×)"]
    assert "1.66" in rows["hit, gateway and Redis together, of HAProxy's CPU"]
    assert rows["miss, CPU against HAProxy (×)"].endswith("not measured")
    assert rows["memory of a worker over 10⁶ requests"].endswith("not measured: --endurance")


def test_gateway_and_redis_together_are_a_share_of_haproxy() -> None:
    goal = next(goal for goal in goals.GOALS if "together" in goal.title)

    assert goal.ours(SAMPLES) == (55 / 25 + 45 / 40) / 2
    assert goal.is_missed(SAMPLES)


def test_missed_goals_are_those_measured_that_do_not_hold() -> None:
    assert [goal.title for goal in goals.missed(SAMPLES)] == [
        "hit, CPU against HAProxy, steady headers (×)",
        "hit, gateway and Redis together, of HAProxy's CPU",
        "hit, p99 at saturation, of HAProxy's",
    ]


def test_memory_is_flat_after_the_first_hundred_thousand() -> None:
    assert goals.is_flat([90, 120, 121, 122])
    assert not goals.is_flat([90, 120, 130, 140])
    assert goals.table([], [90, 120, 121]).splitlines()[-2].split()[-6:] == ["120", "to", "121", "MB", "both", "hold"]
    assert goals.table([], [90, 160, 161]).splitlines()[-2].endswith("flat, but MISSED")
    assert goals.table([], [90, 120, 161]).splitlines()[-2].endswith("MISSED: it grows")


def test_self_times_are_those_of_the_main_thread_by_function() -> None:
    stacks = (
        "thread (1): MainThread;run (runners.py:118);decide (gateway/pipeline.py:10) 6\n"
        "thread (1): MainThread;run (runners.py:118);decide (gateway/pipeline.py:22) 2\n"
        "thread (1): MainThread;run (runners.py:118) 2\n"
        "thread (1): MainThread;give (gateway/protocol.py:7);uv_try_write (stream.c:9);write (libc.so.6) 9\n"
        "thread (1): MainThread;run (runners.py:118);0x7f826b8a4193 (libc.so.6) 1\n"
        "thread (2): audit-disk;wait (threading.py:1) 90\n"
    )

    assert profile.self_times(stacks).splitlines() == [
        "   45.0 %  write (libc.so.6) of give (gateway/protocol.py)",
        "   40.0 %  decide (gateway/pipeline.py)",
        "   10.0 %  run (runners.py)",
        "    5.0 %  ? (libc.so.6) of run (runners.py)",
    ]
