"""What is peculiar to customs, beyond the recorded cases."""

import json
from pathlib import Path

import pytest

from providers import ENDPOINTS
from providers.douanes import ADAPTER
from providers.douanes.immatriculations_eori import path
from tests.providers.golden import play
from tests.providers.test_tables import a_call

CASES = Path(__file__).parent / "douanes"


async def test_customs_are_told_who_asks_by_the_query_alone() -> None:
    case = json.loads((CASES / "v3_by_siret.json").read_text(encoding="utf-8"))

    _, _, playback = await play(case, ENDPOINTS)

    (asked,) = playback.asked
    assert dict(asked.url.params) == {"idClient": "known"}
    assert "authorization" not in asked.headers
    assert ADAPTER.providers[0].authentication
    assert ADAPTER.providers[0].authentication.settings == ("client_id",)


@pytest.mark.parametrize(
    ("given", "sent"),
    [("99957002700017", "99957002700017"), ("BE9/../x?a#b", "BE9%2F..%2Fx%3Fa%23b"), ("ES é", "ES%20%C3%A9")],
)
def test_an_identifier_stays_one_segment_of_the_path(given: str, sent: str) -> None:
    call = a_call().asking(siret_or_eori=given)

    assert path(call) == f"/eori/{sent}"
