"""What the bench lets pass, and what it does not."""

from dataclasses import replace
from typing import Any

import pytest

from bench import work
from bench.check import Counted, problems, problems_of_ban
from bench.load import CLOSED, Outcome
from bench.peers.octroi import OCTROI
from bench.peers.others import NGINX, PLAIN

HITS = work.asks((("hit", 100),), 10, companies=10)
MISSES = work.asks((("miss", 100),), 100, companies=1)
MIXED = work.asks((("hit", 90), ("forged", 10)), 100, companies=10)
METERED = work.asks((("metered", 100),), 10, companies=10)


def outcome(sent: int, statuses: dict[int, int], **more: Any) -> Outcome:
    answers = sum(statuses.values())
    told = {"seconds": 1.0, "p50_ms": 1.0, "p99_ms": 2.0, "unfinished": sent - answers, **more}
    return Outcome(answers=answers, sent=sent, statuses=statuses, **told)


def counted(records: int, **more: Any) -> Counted:
    return Counted(**{"records": records, "calls": 0, "by_address": records, "by_token": records, **more})


def test_a_load_that_left_nothing_unfinished_is_exact() -> None:
    assert not [*problems(OCTROI, HITS, outcome(30, {200: 30}), counted(30))]
    assert [*problems(OCTROI, HITS, outcome(30, {200: 30}), counted(29))] == [
        "30 answers (0 cut off) but 29 audit records"
    ]


def test_what_was_cut_off_may_have_been_served() -> None:
    for records in (30, 35, 40):
        assert not [*problems(OCTROI, HITS, outcome(40, {200: 30}), counted(records))]
    assert [*problems(OCTROI, HITS, outcome(40, {200: 30}), counted(41))]


@pytest.mark.parametrize("counter", ["by_address", "by_token"])
def test_a_counter_that_differs_from_the_trail_by_one_is_told(counter: str) -> None:
    for grown in (34, 36):
        told = replace(counted(35), **{counter: grown})
        assert len([*problems(OCTROI, HITS, outcome(40, {200: 30}), told)]) == 1
    assert not [*problems(OCTROI, HITS, outcome(40, {200: 30}), replace(counted(35, is_whole=False), by_token=0))]


def test_who_forgets_what_was_cut_off_may_count_more_than_it_records() -> None:
    told = counted(31, by_address=38, by_token=38)

    assert not [*problems(PLAIN, HITS, outcome(40, {200: 30}), told)]
    assert [*problems(PLAIN, HITS, outcome(30, {200: 30}), counted(30, by_address=31))]


def test_misses_call_the_provider_once_each_and_hits_never() -> None:
    assert not [*problems(OCTROI, MISSES, outcome(50, {200: 50}), counted(50, calls=50))]
    assert [*problems(OCTROI, MISSES, outcome(50, {200: 50}), counted(50, calls=49))]
    assert [*problems(OCTROI, HITS, outcome(50, {200: 50}), counted(50, calls=1))]


def test_of_a_mix_each_status_is_owed_its_share() -> None:
    told = counted(100, by_token=90)

    assert not [*problems(OCTROI, MIXED, outcome(100, {200: 90, 401: 10}), told)]
    assert [*problems(OCTROI, MIXED, outcome(100, {200: 91, 401: 9}), told)] == [
        "91 answers 200 where 90 were due",
        "9 answers 401 where 10 were due",
    ]


def test_who_judges_tokens_first_counts_no_forged_ones() -> None:
    assert not [*problems(NGINX, MIXED, outcome(100, {200: 90, 401: 10}), counted(100, by_address=90, by_token=90))]
    assert [*problems(NGINX, MIXED, outcome(100, {200: 90, 401: 10}), counted(100, by_address=100, by_token=90))]


def test_a_metered_token_is_granted_its_limit_and_not_one_more() -> None:
    assert not [
        *problems(OCTROI, METERED, outcome(500, {200: 100, 429: 400}), counted(500, token="metered", granted=100))
    ]
    for granted in (99, 101):
        statuses = {200: granted, 429: 500 - granted}
        assert [*problems(OCTROI, METERED, outcome(500, statuses), counted(500, token="metered", granted=100))]


def test_an_answer_about_another_company_or_a_complaint_is_told() -> None:
    assert [*problems(OCTROI, HITS, outcome(30, {200: 30}, wrong=1), counted(30))]
    assert [*problems(OCTROI, HITS, outcome(30, {200: 30}), counted(30, complaints=1))]


def test_a_trail_known_to_lose_lines_may_lose_as_many() -> None:
    told = counted(995, by_address=1000, by_token=1000)

    assert not [*problems(OCTROI, HITS, outcome(1000, {200: 1000}), told, least_recorded=0.99)]
    assert [*problems(OCTROI, HITS, outcome(1000, {200: 1000}), told)]


def test_a_cache_known_to_forget_may_forget_as_much() -> None:
    told = counted(20_000, calls=2)

    assert not [*problems(OCTROI, HITS, outcome(20_000, {200: 20_000}), told, most_forgotten=1e-4)]
    assert [*problems(OCTROI, HITS, outcome(20_000, {200: 20_000}), told)]


def test_a_ban_is_silence_and_recorded_as_promised() -> None:
    silent = outcome(7, {CLOSED: 7})

    assert not [*problems_of_ban(OCTROI, silent, counted(0))]
    assert not [*problems_of_ban(NGINX, silent, counted(7, by_address=0))]
    assert not [*problems_of_ban(PLAIN, outcome(7, {403: 7}), counted(7, by_address=0))]
    assert [*problems_of_ban(OCTROI, outcome(7, {CLOSED: 6, 200: 1}), counted(0))]
    assert [*problems_of_ban(OCTROI, silent, counted(1, by_address=0))]
