"""What several tests of the gateway share."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.gateway.raw import Both, both_served


@pytest_asyncio.fixture(scope="module")
async def both(postgres_url: str, valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    """One gateway behind ours and uvicorn's own protocol."""
    async with both_served(postgres_url, valkey_url, tmp_path_factory.mktemp("both")) as served:
        yield served
