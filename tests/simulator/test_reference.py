"""The reference page is made from the data."""

from pathlib import Path

from providers.simulator.reference import refresh
from providers.simulator.world import SHOWCASE, World

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "simulator.md"


def test_the_reference_page_is_fresh() -> None:
    page = PAGE.read_text(encoding="utf-8")

    fresh = refresh(page, World.load())

    assert page == fresh, "run: python -m providers.simulator.reference docs/reference/simulator.md"
    assert SHOWCASE.siret_absent in page
