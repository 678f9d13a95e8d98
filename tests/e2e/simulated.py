"""What a test does to the simulated providers, and what they tell of the calls they had."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tests.e2e.running import Served

TWINS_MEET = 1.2
"""Seconds for which a provider keeps a call waiting, so that a second one meets it even on a busy machine; INSEE is
given two."""


@asynccontextmanager
async def providers(
    simulator: Served, *, latency: float = 0.0, faults: dict[str, str] | None = None
) -> AsyncIterator[None]:
    """Providers as slow and as faulty as told, their counts at nought, for the length of a block."""
    async with httpx.AsyncClient(base_url=f"{simulator.url}/_simulator") as control:
        (await control.post("/reset")).raise_for_status()
        (await control.post("/faults", json={"latency": latency, "faults": faults or {}})).raise_for_status()
        try:
            yield
        finally:
            (await control.post("/reset")).raise_for_status()


async def calls_about(simulator: Served, identifier: str) -> int:
    """How many calls the providers had about a company since the last reset."""
    async with httpx.AsyncClient() as control:
        told = (await control.get(f"{simulator.url}/_simulator")).json()
    return sum(count for path, count in told["calls"]["paths"].items() if identifier in path)
