"""A store on an empty database."""

import pytest

from gateway.database import Pool
from gateway.registry.store import Store
from tests.conftest import HandClock


@pytest.fixture
def store(pool: Pool, clock: HandClock) -> Store:
    """The registry's tables, at the hour of the hand clock."""
    return Store(pool, clock)
