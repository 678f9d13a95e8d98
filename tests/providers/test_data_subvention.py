"""What is peculiar to Data.Subvention, beyond the recorded cases: its login and its token."""

import json
from pathlib import Path
from typing import Any

import pytest

from providers import ENDPOINTS
from providers.base import Reply
from providers.data_subvention.service import UNDATED_SECONDS, token
from tests.providers.golden import NOW, play

CASES = Path(__file__).parent / "data_subvention"


def a_case(name: str) -> Any:
    return json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))


async def test_an_account_logs_in_and_the_token_travels_in_a_header_of_its_own() -> None:
    _, _, playback = await play(a_case("v3_application_and_payment"), ENDPOINTS)

    login, asked = playback.asked
    assert login.content == b'{"email":"known","password":"known"}'
    assert login.headers["accept"] == "application/json"
    assert asked.headers["x-access-token"] == "invented"
    assert "authorization" not in asked.headers


async def test_a_refused_token_is_asked_again_once() -> None:
    _, _, renewed = await play(a_case("v3_renewed_token"), ENDPOINTS)
    _, _, refused = await play(a_case("v3_still_refused"), ENDPOINTS)

    assert [request.url.path[-7:] for request in renewed.asked] == ["h/login", "/grants", "h/login", "/grants"]
    assert [request.url.path[-7:] for request in refused.asked] == ["h/login", "/grants", "h/login", "/grants"]


@pytest.mark.parametrize(
    ("end", "seconds"),
    [
        ("2026-04-28T09:00:00.000Z", 3600),
        ("2026-04-28T11:00:00+02:00", 3600),
        ("2026-04-28T09:00:00", 3600),
        ("2026-04-28T07:00:00.000Z", -3600),
        ("tomorrow", UNDATED_SECONDS),
        (None, UNDATED_SECONDS),
        (42, UNDATED_SECONDS),
    ],
)
def test_a_token_lives_until_the_date_it_tells(end: Any, seconds: int) -> None:
    jwt = {"token": "invented", "expirateDate": end}

    found = token(Reply(200, {}, json.dumps({"user": {"jwt": jwt}}).encode()), NOW.timestamp())

    assert found == ("invented", seconds)
