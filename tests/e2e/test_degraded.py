"""Degraded, not dead: Redis or PostgreSQL away, hung, back; one gateway lives through it all.

Redis is a server of its own, killed or stopped; PostgreSQL is reached by a wire that is cut or held up.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from providers.simulator.world import SHOWCASE
from ratelimit import keys
from tests.e2e.office import Office, Registered, open_office
from tests.e2e.running import Caller, Served, bytes_from, code_of, in_one_minute, start_gateway
from tests.ratelimit.servers import Relay, Valkey

UNITE = f"/v4/insee/sirene/unites_legales/{SHOWCASE.siren}"
CERTIFICATE = f"/v4/urssaf/unites_legales/{SHOWCASE.siren}/attestation_vigilance"
PAGE = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
UNKNOWN = (503, "00020")


@dataclass
class House:
    """A gateway, its servers, and what it answered before these could be reached."""

    gateway: Served
    office: Office
    valkey: Valkey
    wire: Relay
    first: dict[str, httpx.Response]

    async def is_ready(self, seconds: float = 30.0, **told: str) -> None:
        """Wait until the gateway says so of itself; it is ready to serve all the while."""
        until = time.monotonic() + seconds
        async with Registered(self.gateway.url, "").client() as client:
            while True:
                answer = await client.get("/readyz")
                assert answer.status_code == 200
                if told.items() <= answer.json().items():
                    return
                assert time.monotonic() < until, answer.text
                await asyncio.sleep(0.05)

    @asynccontextmanager
    async def without_redis(self) -> AsyncIterator[None]:
        """It is killed, and comes back empty."""
        self.valkey.kill()
        await self.is_ready(redis="degraded")
        yield
        self.valkey.start()
        await self.is_ready(redis="ok")

    @asynccontextmanager
    async def without_postgres(self) -> AsyncIterator[None]:
        """It refuses connections, and those there were are lost."""
        await self.wire.cut()
        await self.is_ready(database="degraded")
        yield
        await self.wire.open()
        await self.is_ready(database="ok")

    @asynccontextmanager
    async def with_redis_stopped(self) -> AsyncIterator[None]:
        """It says nothing any more, and then goes on where it was."""
        self.valkey.freeze()
        yield
        self.valkey.thaw()
        await self.is_ready(redis="ok")

    async def recorded(self, answers: list[httpx.Response]) -> bool:
        """Whether each answer has one record, once as many arrived."""
        ids = Counter(answer.headers["x-request-id"] for answer in answers)
        for _ in range(100):
            rows = await self.office.pool.fetch(
                "SELECT request_id FROM audit_records WHERE request_id = ANY($1)", list(ids)
            )
            if len(rows) >= len(ids):
                break
            await asyncio.sleep(0.1)
        return Counter(row["request_id"] for row in rows) == ids


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    yield server
    server.kill()


@pytest_asyncio.fixture(scope="module")
async def house(
    tmp_path_factory: pytest.TempPathFactory, simulator: Served, module_database: str, valkey: Valkey
) -> AsyncIterator[House]:
    """Begun while neither server answers."""
    parts = urlsplit(module_database)
    wire = await Relay(str(parts.hostname), int(parts.port or 0)).open()
    environ = {
        "OCTROI_DATABASE_URL": module_database.replace(f":{parts.port}/", f":{wire.port}/"),
        "OCTROI_REDIS_URL": valkey.url,
        "OCTROI_UPSTREAM__OVERRIDE": simulator.url,
        "OCTROI_UPSTREAM__MAINTENANCE": "false",
        "OCTROI_RATELIMIT__IP_PER_MINUTE": "100000",
        "OCTROI_RATELIMIT__REFUSALS_BEFORE_BAN": "30",
    }
    await wire.cut()
    gateway = await asyncio.to_thread(start_gateway, tmp_path_factory.mktemp("gateway"), environ)
    async with open_office(gateway, module_database) as office:
        caller, stranger = await office.caller(), Registered(gateway.url, "")
        first = {
            "known to PostgreSQL": await caller.ask(UNITE),
            "nobody": await stranger.ask(UNITE),
            "junk": await Registered(gateway.url, "junk").ask(UNITE),
            "nowhere": await stranger.ask("/v3/nowhere"),
            "ready": await stranger.ask("/readyz"),
        }
        valkey.start()
        await wire.open()
        house = House(gateway, office, valkey, wire, first)
        await house.is_ready(redis="ok", database="ok")
        yield house
    await asyncio.to_thread(gateway.stop)
    await wire.cut()


@pytest_asyncio.fixture
async def known(house: House) -> Registered:
    """A caller whose token the gateway has seen, after it was announced: an announcement makes it be read anew."""
    caller = await house.office.caller()
    for _ in range(2):
        assert (await caller.ask(UNITE)).status_code == 200
        await asyncio.sleep(1.0)
    return caller


def refused_with(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, code_of(answer)


async def test_a_gateway_begun_without_its_servers_accepts_nothing_blindly_and_serves_once_they_are_there(
    house: House,
) -> None:
    later = await (await house.office.caller()).ask(UNITE)

    first = house.first
    assert first["ready"].status_code == 200
    assert (first["ready"].json()["redis"], first["ready"].json()["database"]) == ("degraded", "degraded")
    assert refused_with(first["known to PostgreSQL"]) == UNKNOWN
    assert refused_with(first["nobody"]) == refused_with(first["junk"]) == (401, "00101")
    assert first["nowhere"].status_code == 404
    assert later.status_code == 200
    assert await house.recorded([first[name] for name in ("known to PostgreSQL", "nobody", "junk", "nowhere")])


async def test_without_redis_calls_are_served_and_limits_go_on_in_the_process(house: House) -> None:
    limited = await house.office.caller(rate_limit=3)
    async with house.without_redis():
        await in_one_minute(5)

        answers = await limited.in_turn(UNITE, 5)

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0", "0"]
    assert {answer.headers["ratelimit-limit"] for answer in answers} == {"3"}
    assert await house.recorded(answers)


async def test_without_redis_no_link_to_a_document_is_given(house: House, known: Registered) -> None:
    async with house.without_redis():
        refused = await known.ask(CERTIFICATE)
        (file,) = await Caller(known.url, "").in_turn("/proxy/files/00000000-0000-4000-8000-000000000000", 1)
    served = await known.ask(CERTIFICATE)

    assert refused_with(refused) == refused_with(file) == (502, "00502")
    assert "document_url" not in refused.text
    assert served.status_code == 200


async def test_a_redis_that_hangs_is_soon_left_alone(house: House, known: Registered) -> None:
    async with house.with_redis_stopped():
        began = time.monotonic()
        answers = await known.in_turn(UNITE, 10)
        lasted = time.monotonic() - began

    assert {answer.status_code for answer in answers} == {200}
    assert lasted < 5.0


async def test_a_ban_imposed_without_redis_holds_when_it_is_back_and_after_it_was_emptied(house: House) -> None:
    address = "127.0.4.1"
    hurried = await house.office.caller(rate_limit=1, source=address)
    async with house.without_redis():
        await in_one_minute(8)
        answers = await hurried.in_turn(UNITE, 31)
        assert bytes_from(house.gateway.port, PAGE, address) == b""
    assert bytes_from(house.gateway.port, PAGE, address) == b""

    house.valkey.command("FLUSHALL")

    assert bytes_from(house.gateway.port, PAGE, address) == b""
    assert [answer.status_code for answer in answers] == [200] + [429] * 30
    began = time.monotonic()
    while not house.valkey.command("EXISTS", keys.ban(address).decode()):
        assert time.monotonic() - began < 5.0
        await asyncio.sleep(0.05)
    assert await house.office.pool.fetchval("SELECT count(*) FROM bans WHERE ip_block = $1", address) == 1


async def test_a_revocation_while_redis_is_away_holds_soon_and_when_it_is_back(house: House, known: Registered) -> None:
    async with house.with_redis_stopped():
        await house.office.revoke(known)
        statuses = await until_refused(known)
    after = [await known.ask(UNITE) for _ in range(5)]

    assert statuses <= {200}
    assert {refused_with(answer) for answer in after} == {(401, "00105")}


async def until_refused(caller: Registered, seconds: float = 5.0) -> set[int]:
    """The statuses of the calls before the first refused one."""
    statuses: set[int] = set()
    until = time.monotonic() + seconds
    while (answer := await caller.ask(UNITE)).status_code != 401:
        assert time.monotonic() < until
        statuses.add(answer.status_code)
    return statuses


async def test_without_postgresql_known_tokens_work_unknown_ones_wait_and_no_record_is_lost(
    house: House, known: Registered
) -> None:
    operator = await house.office.operator()
    assert (await operator.ask("/admin/bans")).status_code == 200

    async with house.without_postgres():
        unseen = await house.office.caller()
        served = [await known.ask(UNITE, object=f"away {number}") for number in range(20)]
        refused = [await unseen.ask(UNITE), await unseen.ask("/privileges"), await operator.ask("/admin/tokens")]
        junk = await Caller(known.url, "junk").ask(UNITE)
    accepted = await unseen.ask(UNITE)

    assert {answer.status_code for answer in served} == {200}
    assert [refused_with(answer) for answer in refused] == [UNKNOWN] * 3
    assert refused_with(junk) == (401, "00101")
    assert accepted.status_code == 200
    assert await house.recorded([*served, *refused, junk, accepted])


async def test_a_postgresql_that_hangs_keeps_nobody_waiting_who_is_known(house: House, known: Registered) -> None:
    house.wire.hold()
    try:
        unseen, nobody = await house.office.caller(), Caller(known.url, "")
        began = time.monotonic()
        waiting = asyncio.gather(
            unseen.ask(UNITE), nobody.ask("/readyz"), nobody.ask("/ping/urssaf/attestation_sociale")
        )
        served = await known.in_turn(UNITE, 20)
        served_after = time.monotonic() - began
        refused, ready, ping = await waiting
        refused_after = time.monotonic() - began
    finally:
        house.wire.release()
    await house.is_ready(database="ok")

    assert {answer.status_code for answer in served} == {200}
    assert served_after < 2.5
    assert refused_with(refused) == UNKNOWN
    assert refused_after < 6.0
    assert (ready.status_code, ready.json()["database"]) == (200, "degraded")
    assert (ping.status_code, ping.json()["status"]) == (200, "unknown")
    assert await house.recorded([*served, refused])


async def test_with_both_away_known_tokens_still_work(house: House, known: Registered) -> None:
    async with house.without_redis(), house.without_postgres():
        unseen = await house.office.caller()
        served, refused = await known.ask(UNITE), await unseen.ask(UNITE)

    assert served.status_code == 200
    assert refused_with(refused) == UNKNOWN
    assert (await unseen.ask(UNITE)).status_code == 200
    assert await house.recorded([served, refused])


async def test_nothing_of_all_that_was_a_defect(house: House, known: Registered) -> None:
    log = house.gateway.log.read_text()

    assert "defect" not in log
    assert "Traceback" not in log
