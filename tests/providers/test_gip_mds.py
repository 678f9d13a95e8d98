"""What is peculiar to GIP-MDS, beyond the recorded cases."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from providers import ENDPOINTS
from providers.base import Reply
from providers.gip_mds import RCD, effectifs_annuels_v3, effectifs_mensuels_v3
from providers.gip_mds.rcd import seconds_until_open
from tests.providers.golden import NOW, play

CASES = Path(__file__).parent / "gip_mds"


def a_case(name: str) -> Any:
    return json.loads((CASES / f"{name}.json").read_text())


async def test_the_question_has_its_own_order() -> None:
    _, _, playback = await play(a_case("mensuel_three_months"), ENDPOINTS)

    assert list(playback.asked[-1].url.params.multi_items()) == [
        ("codeOPSDemandeur", "00000DINUM"),
        ("dateHeure", "2026-04-28T10:00:00+02:00"),
        ("source", "RA;RG"),
        ("nature", "M04"),
        ("siret", "99950201600010"),
        ("periode", "20260301"),
        ("profondeurHistorique", "3"),
    ]
    assert b"source=RA%3BRG" in playback.asked[-1].url.query


async def test_no_depth_is_told_where_none_is_asked() -> None:
    _, _, playback = await play(a_case("mensuel_nature_blank"), ENDPOINTS)

    assert "profondeurHistorique" not in playback.asked[-1].url.params


async def test_it_is_given_six_seconds_and_ten_for_a_token() -> None:
    _, _, playback = await play(a_case("annuel_both_schemes"), ENDPOINTS)

    token, data = (asked.extensions["timeout"] for asked in playback.asked)
    assert (token["connect"], token["read"]) == (10, 10)
    assert (data["connect"], data["read"]) == (2, 6)


@pytest.mark.parametrize(
    ("opens", "told"),
    [
        (NOW + timedelta(minutes=3), {"retry_in": 180}),
        (NOW - timedelta(minutes=3), {"retry_in": 1}),
    ],
)
def test_the_end_of_their_quota_is_told(opens: Any, told: dict[str, int]) -> None:
    text = f"code=1&nextAccessTime={opens:%Y-%b-%d %H:%M:%S%z} UTC".replace(" ", "+").replace("+0200", "%2B0200")

    assert seconds_until_open(Reply(429, {}, text.encode(), NOW)) == told


@pytest.mark.parametrize("body", [b"", b"{}", b"nextAccessTime=demain", b"\xff"])
def test_an_end_that_is_not_said_is_not_told(body: bytes) -> None:
    assert seconds_until_open(Reply(429, {}, body, NOW)) == {}


def test_both_draw_on_one_allowance_and_are_kept_by_what_changes_them() -> None:
    assert effectifs_annuels_v3.quota_name == effectifs_mensuels_v3.quota_name == "gip_mds"
    assert effectifs_mensuels_v3.cache
    assert effectifs_annuels_v3.cache
    assert effectifs_mensuels_v3.cache.key_parameters == ("profondeur", "nature_effectif")
    assert effectifs_annuels_v3.cache.key_parameters == ("nature_effectif",)


def test_its_one_announced_window_is_of_a_day() -> None:
    (window,) = RCD.maintenance

    assert (window.start.hour, window.end.hour, window.dates) == (13, 17, ("2025-03-20",))
