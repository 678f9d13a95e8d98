"""What is peculiar to OPQIBI, beyond the recorded cases."""

import json
from pathlib import Path

from providers import ENDPOINTS
from providers.base import Retriever
from providers.opqibi import ADAPTER, certification_ingenierie_v3
from tests.providers.golden import play

CASES = Path(__file__).parent / "opqibi"


async def test_opqibi_is_told_nothing_but_the_siren() -> None:
    case = json.loads((CASES / "v3_no_probation.json").read_text())

    _, _, playback = await play(case, ENDPOINTS)

    (asked,) = playback.asked
    assert str(asked.url) == case["exchanges"][0]["request"]["uri"]
    assert asked.headers["content-type"] == "application/json"
    assert "authorization" not in asked.headers


def test_the_ping_asks_for_a_certificate() -> None:
    (ping,) = ADAPTER.pings

    assert (ping.path, ping.minutes) == ("opqibi/certification_ingenierie", 5)
    assert ping.driver == Retriever(endpoint=certification_ingenierie_v3, identifiers={"siren": "309103877"})
