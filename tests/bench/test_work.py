"""What is asked of the peers."""

from collections import Counter

import pytest

from bench import work
from bench.scenarios import SCENARIOS
from bench.work import KINDS


def test_invented_sirens_are_valid_and_distinct() -> None:
    sirens = [work.siren(number) for number in (*range(300), 60_000_000)]

    assert len(set(sirens)) == 301
    assert all(len(siren) == 9 and work.luhn_is_valid(siren) for siren in sirens)


def test_a_mix_keeps_its_shares_and_spreads_them() -> None:
    mixed = next(scenario for scenario in SCENARIOS if scenario.name == "mixed")

    kinds = work.woven(mixed.mix)

    assert Counter(kinds) == {KINDS["hit"]: 90, KINDS["miss"]: 5, KINDS["forged"]: 3, KINDS["untraced"]: 2}
    for start in range(0, 100, 20):
        assert kinds[start : start + 20].count(KINDS["miss"]) == 1


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_mix_is_whole(scenario: object) -> None:
    assert sum(share for _, share in scenario.mix) == 100  # type: ignore[attr-defined]


def test_new_companies_are_never_asked_for_twice_and_known_ones_go_round() -> None:
    listed = work.asks((("hit", 50), ("miss", 50)), 40, companies=4, start=1000)

    companies = [ask.path.partition("?")[0][-9:] for ask in listed]
    new = [company for company, ask in zip(companies, listed, strict=True) if ask.kind.is_new]
    known = {company for company, ask in zip(companies, listed, strict=True) if not ask.kind.is_new}
    assert new == [work.siren(number) for number in range(1000, 1020)]
    assert known == {work.siren(number) for number in range(4)}


def test_an_ask_says_what_it_deserves() -> None:
    (ask,) = work.asks((("untraced", 100),), 1, companies=1)

    assert ask.line() == (
        f"422 good /v3/insee/sirene/unites_legales/{work.siren(0)}?object=bench-0&recipient={work.RECIPIENT}"
    )


def test_metered_tokens_are_known_by_their_identifier_and_forged_ones_keep_it() -> None:
    tokens = work.Keys.fresh().tokens(0, 2)

    jtis = [work.jti_of(token) for token in tokens.metered]
    assert len(set(jtis)) == 2
    assert all(jti.startswith(work.METERED_PREFIX) and len(jti) == 36 for jti in jtis)
    forged = work.forged(tokens.good)
    assert forged != tokens.good
    assert work.jti_of(forged) == work.jti_of(tokens.good)
