"""The simulator, called in process, at a known date, with waits that are noted instead of waited for."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.clock import PARIS
from providers.simulator.app import create_simulator
from providers.simulator.world import World

WIRE = Path(__file__).parents[3] / "shared" / "wire"
NOW = datetime(2026, 4, 15, 10, 0, tzinfo=PARIS).timestamp()


class Clock:
    """Moves only when told."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Waits(list[float]):
    """Notes how long it was asked to wait, and waits for nothing."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


class Caller:
    """Calls providers as the gateway does: token first."""

    def __init__(self, client: httpx.AsyncClient, waits: Waits, clock: Clock) -> None:
        self.client = client
        self.waits = waits
        self.clock = clock
        self.headers: dict[str, str] = {}

    async def log_in(self) -> None:
        form = {"grant_type": "password", "username": "u", "password": "p", "client_id": "i", "client_secret": "s"}
        reply = await self.client.post("/insee-auth.example/token", data=form)
        self.headers = {"authorization": f"Bearer {reply.json()['access_token']}"}

    async def insee(self, path: str, **query: str) -> httpx.Response:
        url = f"/insee-sirene.example/api-sirene/prive/3.11{path}"
        return await self.client.get(url, params=query, headers=self.headers)

    async def dgfip(self, operation: str, **query: str) -> httpx.Response:
        asked = {"userId": "3fa85f64-5717-4562-b3fc-2c963f66afa6", **query}
        return await self.client.get(f"/dgfip.example/adelie/v1/{operation}", params=asked, headers=self.headers)

    async def urssaf(self, siren: str, **changes: str) -> httpx.Response:
        asked = {"typeAttestation": "AVG_UR", "siren": siren, "idClient": "1", "beneficiaire": "00004001400011"}
        url = "/urssaf.example/attn/entreprise/v1/demandes/api_entreprise"
        return await self.client.post(url, json=asked | changes, headers=self.headers)

    async def control(self, name: str, **body: Any) -> httpx.Response:
        return await self.client.post(f"/_simulator/{name}", json=body)

    async def state(self) -> Any:
        return (await self.client.get("/_simulator")).json()


@pytest.fixture(scope="session")
def world() -> World:
    return World.load()


@pytest.fixture
async def caller(world: World) -> AsyncIterator[Caller]:
    waits, clock = Waits(), Clock()
    app = create_simulator(world, clock=clock, sleep=waits)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simulator") as client:
        caller = Caller(client, waits, clock)
        await caller.log_in()
        yield caller


def recorded(provider: str, part: str) -> Iterator[Any]:
    """The JSON bodies that a provider really sent, in answer to calls whose address holds `part`."""
    if not WIRE.is_dir():
        pytest.skip("the recorded exchanges are not beside the project")
    for file in sorted((WIRE / provider).glob("*.json")):
        for exchange in json.loads(file.read_text(encoding="utf-8"))["exchanges"]:
            body = exchange["response"].get("body") or {}
            if part in exchange["request"]["uri"] and exchange["response"]["status"] == 200 and "json" in body:
                yield body["json"]
