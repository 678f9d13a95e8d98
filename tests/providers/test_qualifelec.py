"""What is peculiar to Qualifelec, beyond the recorded cases."""

import json
from datetime import date
from pathlib import Path

import pytest

from providers import ENDPOINTS
from providers.base import Retriever
from providers.qualifelec import ADAPTER, certificats_v3
from providers.qualifelec.certificats import _day
from tests.providers.golden import play

CASES = Path(__file__).parent / "qualifelec"


async def test_qualifelec_is_told_its_credentials_in_json() -> None:
    case = json.loads((CASES / "v3_one.json").read_text())

    _, _, playback = await play(case, ENDPOINTS)

    login, asked = playback.asked
    assert login.content == b'{"username":"known","password":"known"}'
    assert login.headers["accept"] == login.headers["content-type"] == "application/json"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["authorization"].startswith("Bearer e30.")


@pytest.mark.parametrize(
    ("seconds", "day"),
    [
        (1735686000, "2025-01-01"),  # winter: midnight in Paris is 23:00 UTC
        (1735685999, "2024-12-31"),
        (1751320800, "2025-07-01"),  # summer: 22:00 UTC
        (0, "1970-01-01"),
        (-3601, "1969-12-31"),
    ],
)
def test_a_moment_is_a_date_in_paris(seconds: int, day: str) -> None:
    assert _day(seconds) == date.fromisoformat(day)


def test_the_ping_asks_for_certificates() -> None:
    (ping,) = ADAPTER.pings

    assert (ping.path, ping.minutes) == ("qualifelec/certificats", 1)
    assert ping.driver == Retriever(endpoint=certificats_v3, identifiers={"siret": "42054064300376"})
