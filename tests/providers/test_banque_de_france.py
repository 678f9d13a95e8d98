"""What is peculiar to Banque de France, beyond the recorded cases."""

import pytest

from providers.banque_de_france import ADAPTER, BANQUE_DE_FRANCE
from providers.banque_de_france.bilans import euros, percentage


@pytest.mark.parametrize(
    ("sent", "told"),
    [("1234", "1234000"), ("-987", "-987000"), ("+5", "5000"), ("12.9", "12000"), ("-", "0"), ("", "0"), (None, "0")],
)
def test_thousands_become_euros(sent: str | None, told: str) -> None:
    assert euros(sent) == told


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("+9.45%", 9.45),
        ("-2,34%", -2.34),
        ("101.265%", 101.27),
        ("-3.455%", -3.46),
        ("0.00%", 0.0),
        ("-", 0.0),
        ("", None),
        (" ", None),
        (None, None),
    ],
)
def test_a_percentage_is_read_to_the_hundredth(sent: str | None, told: float | None) -> None:
    assert percentage(sent) == told


def test_it_is_shown_a_certificate_and_closes_for_four_minutes_a_night() -> None:
    assert ADAPTER.providers == (BANQUE_DE_FRANCE,)
    assert BANQUE_DE_FRANCE.needs == ("certificate",)
    assert [(str(w.start), str(w.end)) for w in BANQUE_DE_FRANCE.maintenance] == [("22:04:00", "22:08:00")]
