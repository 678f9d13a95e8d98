"""The status, from real traffic to the page: counted once by whoever comes first, and told in three forms."""

import asyncio
import base64
import hashlib
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from lxml import etree, html

from config.settings import Settings
from gateway.door import Door
from gateway.pages import create_pages
from gateway.parts import Parts, opened
from gateway.status.tally import Tally
from providers import ADAPTERS
from ratelimit.address import Networks
from tests.audit.builders import a_record
from tests.conftest import HandClock

BASE = "https://octroi.test"
NOWHERE = "http://127.0.0.1:9"
"""Where no provider answers."""

ATOM = """
<grammar xmlns="http://relaxng.org/ns/structure/1.0" ns="http://www.w3.org/2005/Atom"
    datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
  <start><element name="feed">
    <attribute name="xml:lang"><value>fr</value></attribute>
    <ref name="identity"/>
    <element name="author"><element name="name"><text/></element></element>
    <oneOrMore><ref name="link"/></oneOrMore>
    <oneOrMore><element name="entry">
      <ref name="identity"/>
      <ref name="link"/>
      <element name="content"><attribute name="type"><value>text</value></attribute><text/></element>
    </element></oneOrMore>
  </element></start>
  <define name="identity">
    <element name="id"><data type="anyURI"/></element>
    <element name="title"><data type="string"><param name="minLength">1</param></data></element>
    <element name="updated"><data type="dateTime"><param name="pattern">.+(Z|[+-]\\d\\d:\\d\\d)</param></data></element>
  </define>
  <define name="link"><element name="link">
    <attribute name="rel"/><attribute name="type"/><attribute name="href"><data type="anyURI"/></attribute>
  </element></define>
</grammar>
"""
"""What RFC 4287 asks of a feed like ours."""


@dataclass
class House:
    """A gateway in front of nothing, and who looks at it."""

    parts: Parts
    clock: HandClock
    visitor: httpx.AsyncClient

    async def calls(self, count: int, status: int = 200, *, minutes_ago: float = 1, **changes: Any) -> None:
        """So many calls, in the audit trail."""
        at = self.clock() - 60 * minutes_ago
        codes = () if status == 200 else ("01001",)
        for _ in range(count):
            await self.parts.trail.append(a_record(at=at, status=status, **{"codes": codes, **changes}))

    async def counted(self) -> bool:
        """Five minutes later."""
        assert await self.parts.trail.flush(5)
        self.clock.advance(300)
        return await self.tally().count()

    def tally(self) -> Tally:
        return Tally(self.parts.pool, self.parts.health.probes, self.clock)

    async def provider(self, slug: str = "insee") -> dict[str, Any]:
        found = (await self.visitor.get("/status.json")).json()["data"]["providers"]
        return next(one for one in found if one["slug"] == slug)

    async def hours(self) -> list[tuple[int, int]]:
        rows = await self.parts.pool.fetch("SELECT calls, failures FROM provider_hours ORDER BY hour")
        return [(row["calls"], row["failures"]) for row in rows]


@pytest_asyncio.fixture
async def house(
    valkey_url: str, valkey: Any, database_url: str, tmp_path: Path, clock: HandClock
) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        settings = Settings(
            redis_url=valkey_url,
            database_url=database_url,
            public_url=BASE,
            data_dir=tmp_path,
            upstream={"override": NOWHERE},
        )
        parts = await stack.enter_async_context(opened(settings, clock))
        door = Door(parts.pipeline, parts.visits, create_pages(parts), Networks(()), parts.clock)
        transport = httpx.ASGITransport(door, client=("192.0.2.7", 1))
        async with asyncio.timeout(10):
            while not await parts.pool.fetchval("SELECT 1 FROM provider_tally"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # the gateway's own first count is nobody's to await
        visitor = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url=BASE))
        yield House(parts, clock, visitor)


async def test_calls_make_the_availability_and_the_state_of_their_provider(house: House) -> None:
    await house.calls(17)
    await house.calls(3, 502)
    await house.calls(4, 502, provider="msa", codes=("44001",))

    await house.counted()

    insee = await house.provider()
    assert insee["state"] == "disturbed"
    assert insee["availability"] == {"last_24_hours": 0.85, "last_7_days": 0.85, "last_90_days": 0.85}
    assert insee["days"][-1] == {"date": "2026-03-02", "availability": 0.85}
    assert (await house.provider("msa"))["state"] == "disturbed"
    assert (await house.provider("vies"))["state"] == "unknown"


async def test_what_is_not_the_provider_s_doing_is_not_counted(house: House) -> None:
    await house.calls(1)
    await house.calls(1, 404, codes=("01003",))
    for status, code in ((401, "00101"), (422, "00301"), (429, "00429"), (503, "00020"), (502, "00501")):
        await house.calls(1, status, codes=(code,))
    await house.calls(1, 503, codes=("01020",))
    await house.calls(1, 0, codes=())

    await house.counted()

    assert await house.hours() == [(2, 0)]


async def test_of_several_workers_one_counts_and_what_came_late_is_counted_next_time(house: House) -> None:
    await house.calls(2)
    assert await house.parts.trail.flush(5)
    house.clock.advance(300)

    done = await asyncio.gather(*(house.tally().count() for _ in range(3)))

    assert sorted(done) == [False, False, True]
    assert await house.hours() == [(2, 0)]
    await house.calls(3, 504, minutes_ago=6)
    assert await house.counted()
    assert await house.hours() == [(5, 3)]


async def test_records_hours_late_are_counted_with_the_next_hour(house: House) -> None:
    await house.calls(1, minutes_ago=240)
    await house.counted()
    assert await house.hours() == []
    house.clock.advance(3600)

    await house.counted()

    assert await house.hours() == [(1, 0)]


async def test_a_gateway_that_never_counted_begins_ninety_days_ago(house: House) -> None:
    for days in (1, 60, 89, 95):
        await house.calls(1, minutes_ago=60 * 24 * days)
    assert await house.parts.trail.flush(5)
    await house.parts.pool.execute("DELETE FROM provider_tally")

    assert await house.tally().count()

    assert await house.hours() == [(1, 0)] * 3


async def test_hours_are_forgotten_after_ninety_days(house: House) -> None:
    await house.calls(1)
    await house.counted()
    house.clock.advance(92 * 86400)

    await house.tally().count()

    assert await house.hours() == []


async def test_a_ping_that_fails_is_told_and_counted_as_a_probe_once(house: House) -> None:
    house.clock.advance(1)
    await house.visitor.get("/ping/insee/sirene")
    await house.counted()
    await house.counted()

    insee = await house.provider()

    assert insee["state"] == "down"
    assert [probe["status"] for probe in insee["probes"]] == ["bad_gateway"]
    row = await house.parts.pool.fetchrow("SELECT probes, probe_failures FROM provider_hours WHERE provider = 'insee'")
    assert tuple(row) == (1, 1)


async def test_a_page_is_made_once_a_minute(house: House) -> None:
    first = await house.visitor.get("/status")
    house.clock.advance(59)
    second = await house.visitor.get("/status")
    house.clock.advance(2)
    third = await house.visitor.get("/status")

    assert first.content == second.content != third.content
    assert first.headers["cache-control"] == "public, max-age=60"


async def test_without_its_database_the_page_says_so_and_tells_the_rest(house: House) -> None:
    house.parts.pool.terminate()

    page = await house.visitor.get("/status")

    assert page.status_code == 200
    assert "ne peuvent pas être lus" in page.text
    assert "chaque jour de 6 h 00 à 6 h 30" in page.text


async def test_the_page_can_be_read_with_a_reader_of_screens_and_asks_for_nothing_else(house: House) -> None:
    await house.calls(20, 502, minutes_ago=40)
    await house.counted()

    answer = await house.visitor.get("/status")

    page = html.document_fromstring(answer.content)
    assert page.get("lang") == "fr"
    assert page.findtext("head/title")
    headings = [int(node.tag[1]) for node in page.iter("h1", "h2", "h3")]
    assert headings.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(headings))
    assert [len(page.findall(f".//{landmark}")) for landmark in ("header", "main", "footer", "nav")] == [1] * 4
    assert page.cssselect("a.skip")[0].get("href") == "#" + page.find(".//main").get("id")
    named = [node.get("aria-labelledby") for node in page.iter() if node.get("aria-labelledby")]
    assert set(named) <= {node.get("id") for node in page.iter() if node.get("id")}
    assert len(page.findall(".//tbody/tr")) == len(ADAPTERS)
    assert page.findall(".//table/caption")
    assert all(cell.get("scope") for cell in page.iter("th"))
    assert all(node.get("role") == "img" and node.get("aria-label") for node in page.iter("svg"))
    assert not [value for node in page.iter() for name in ("src", "href") if "//" in (value := node.get(name) or "")]
    assert not page.findall(".//script")
    style = base64.b64encode(hashlib.sha256(page.findtext(".//style").encode()).digest()).decode()
    assert f"style-src 'sha256-{style}'" in answer.headers["content-security-policy"]
    assert "0,00\N{NO-BREAK SPACE}% de réponses" in answer.text


async def test_the_feed_is_valid_and_tells_states_incidents_and_maintenances(house: House) -> None:
    await house.calls(20, 502, minutes_ago=40)
    await house.counted()

    answer = await house.visitor.get("/status.atom")

    feed = etree.fromstring(answer.content)
    etree.RelaxNG(etree.fromstring(ATOM)).assertValid(feed)
    assert answer.headers["content-type"] == "application/atom+xml"
    spaces = {"a": "http://www.w3.org/2005/Atom"}
    names = [name.rpartition("#")[2] for name in feed.xpath("a:entry/a:id/text()", namespaces=spaces)]
    assert len(names) == len(set(names))
    assert {"etat", "incident-insee-20260302T0900"} < set(names)
    assert "maintenance-cnetp-20260303T0600" in names
    updated = [datetime.fromisoformat(text) for text in feed.xpath("a:entry/a:updated/text()", namespaces=spaces)]
    assert max(updated) <= datetime.fromtimestamp(house.clock(), UTC)


async def test_the_document_lists_windows_with_the_running_one_first(house: House) -> None:
    house.clock.now = datetime(2026, 3, 2, 4, 10, tzinfo=UTC).timestamp()  # 05:10 in Paris
    first = (await house.visitor.get("/status.json")).json()
    house.clock.advance(3600)

    data = (await house.visitor.get("/status.json")).json()["data"]

    assert not any(one["current"] for one in first["data"]["maintenances"])
    assert data["maintenances"][0] == {
        "provider": "cnetp",
        "start": "2026-03-02T06:00:00+01:00",
        "end": "2026-03-02T06:30:00+01:00",
        "current": True,
    }
    last = datetime.fromisoformat(data["maintenances"][-1]["start"])
    assert timedelta(days=6) < last - datetime.fromtimestamp(house.clock(), UTC) <= timedelta(days=7)
    assert first["links"] == {"html": f"{BASE}/status", "atom": f"{BASE}/status.atom"}
