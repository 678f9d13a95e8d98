"""Quotas, their headers, and bans, on a running gateway (behaviours §5)."""

import asyncio

import httpx
import pytest

from providers.simulator.world import SHOWCASE
from tests.e2e.conftest import Desk
from tests.e2e.running import Caller, Served, bytes_from, code_of, in_one_minute, start_gateway

UNITE = f"/v4/insee/sirene/unites_legales/{SHOWCASE.siren}"
ETABLISSEMENT = f"/v3/insee/sirene/etablissements/{SHOWCASE.siret}"
SETTINGS = {
    "OCTROI_RATELIMIT__IP_PER_MINUTE": "400",
    "OCTROI_RATELIMIT__REFUSALS_BEFORE_BAN": "30",
    "OCTROI_TRUSTED_PROXIES": "127.0.0.9/32",
}


async def test_the_251st_json_call_of_a_minute_is_refused_and_the_headers_count_down(desk: Desk) -> None:
    caller = desk.caller(source="127.0.1.1")
    await in_one_minute()

    answers = await caller.many(UNITE, 251)

    allowed = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert (len(allowed), len(refused)) == (250, 1)
    assert sorted(int(answer.headers["ratelimit-remaining"]) for answer in allowed) == list(range(250))
    assert {answer.headers["ratelimit-limit"] for answer in answers} == {"250"}
    assert code_of(refused[0]) == "00429"
    reset = int(refused[0].headers["ratelimit-reset"])
    assert reset % 60 == 0
    assert 1 <= int(refused[0].headers["retry-after"]) <= 60
    assert refused[0].headers["ratelimit-remaining"] == "0"
    assert refused[0].headers["content-type"] == "application/json"


async def test_all_versions_and_endpoints_of_a_group_share_its_counter(desk: Desk) -> None:
    caller = desk.caller(source="127.0.1.2")
    await in_one_minute(5)

    first, second = await caller.ask(UNITE), await caller.ask(ETABLISSEMENT)

    assert int(first.headers["ratelimit-remaining"]) - int(second.headers["ratelimit-remaining"]) == 1


async def test_the_sixth_certificate_of_a_minute_is_refused_whatever_its_version(desk: Desk) -> None:
    caller = desk.caller(source="127.0.1.3")
    await in_one_minute(8)
    path = f"/dgfip/unites_legales/{SHOWCASE.siren}/attestation_fiscale"

    answers = [await caller.ask(f"/v{3 + index % 2}{path}") for index in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[5].headers["ratelimit-limit"] == "5"


async def test_a_custom_limit_counts_all_routes_and_shows_in_the_headers(desk: Desk) -> None:
    caller = desk.caller("all", "--rate-limit", "2", source="127.0.1.4")
    await in_one_minute(6)

    answers = [await caller.ask(UNITE), await caller.ask("/privileges"), await caller.ask(ETABLISSEMENT)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["ratelimit-limit"] == "2"


async def test_calls_refused_for_their_address_use_up_nobody_s_allowance(desk: Desk) -> None:
    habilitation = desk.habilitation("all", "--allowed-ip", "127.0.1.5")
    token = desk.token(habilitation)
    await in_one_minute(8)
    await Caller(desk.url, token, "127.0.1.6").many(UNITE, 10)

    answer = await Caller(desk.url, token, "127.0.1.5").ask(UNITE)

    assert answer.headers["ratelimit-remaining"] == "249"


async def test_an_unreadable_token_is_counted_by_itself(desk: Desk) -> None:
    await in_one_minute(5)

    first, second = [await Caller(desk.url, "junk-of-mine", "127.0.1.7").ask(UNITE) for _ in range(2)]

    assert (first.headers["ratelimit-remaining"], second.headers["ratelimit-remaining"]) == ("249", "248")


async def test_privileges_pings_and_pages_are_not_throttled(desk: Desk) -> None:
    caller = desk.caller(source="127.0.1.8")

    answers = [await caller.ask(path) for path in ("/privileges", "/pings", "/v3/ping", "/v3/nowhere")]

    assert not [name for answer in answers for name in answer.headers if name.startswith("ratelimit")]


async def test_the_request_over_the_ceiling_and_all_after_it_get_no_byte_while_others_are_served(desk: Desk) -> None:
    flood, other = desk.caller(source="127.0.2.1"), desk.caller(source="127.0.2.2")
    await in_one_minute(15)
    async with flood.client() as client:
        living = await client.get("/privileges", headers=flood.authorization)
        assert living.status_code == 200
        for _ in range(4):
            await asyncio.gather(*(client.get("/v3/nowhere") for _ in range(99)))
        served = [await client.get("/v3/nowhere") for _ in range(3)]
        assert [answer.status_code for answer in served] == [404] * 3

        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await client.get("/v3/nowhere")

    request = b"GET /privileges HTTP/1.1\r\nhost: x\r\n\r\n"
    assert bytes_from(_port(desk), request, "127.0.2.1") == b""
    assert bytes_from(_port(desk), b"GET /v3/ping HTTP/1.1\r\nhost: x\r\n\r\n", "127.0.2.1") == b""
    assert (await other.ask("/privileges")).status_code == 200


async def test_the_last_tolerated_refusal_is_answered_and_begins_the_ban(desk: Desk) -> None:
    caller = desk.caller("all", "--rate-limit", "1", source="127.0.2.3")
    await in_one_minute(10)
    assert (await caller.ask(UNITE)).status_code == 200

    answers = await caller.in_turn(UNITE, 30)

    assert [answer.status_code for answer in answers] == [429] * 30
    assert bytes_from(_port(desk), b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", "127.0.2.3") == b""


async def test_a_ban_is_twelve_hours_long_listed_and_neither_prolonged_nor_lifted_by_a_restart(
    desk: Desk, gateway: Served, tmp_path_factory: pytest.TempPathFactory
) -> None:
    caller = desk.caller("all", "--rate-limit", "1", source="127.0.2.4")
    await in_one_minute(10)
    await caller.in_turn(UNITE, 31)
    operator = desk.operator()
    ban = (await operator.ask("/admin/bans/127.0.2.4")).json()["data"]
    for _ in range(3):
        assert bytes_from(_port(desk), b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", "127.0.2.4") == b""

    again = start_gateway(
        tmp_path_factory.mktemp("again"), gateway.environ | {"OCTROI_DATA_DIR": str(gateway.log.parent)}
    )
    try:
        assert bytes_from(again.port, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", "127.0.2.4") == b""
    finally:
        again.stop()

    after = (await operator.ask("/admin/bans/127.0.2.4")).json()["data"]
    assert after["until"] == ban["until"]
    assert 43190 <= ban["seconds_left"] <= 43200
    async with operator.client() as client:
        deleted = await client.delete("/admin/bans/127.0.2.4", headers=operator.authorization)
    assert deleted.status_code in (403, 404)
    assert bytes_from(_port(desk), b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", "127.0.2.4") == b""


async def test_an_address_invented_in_a_header_is_not_believed_and_bans_nobody(desk: Desk) -> None:
    caller = desk.caller("all", "--rate-limit", "1", source="127.0.2.5")
    await in_one_minute(10)

    await caller.in_turn(UNITE, 11, {"x-forwarded-for": "198.51.100.7"})
    await caller.in_turn(UNITE, 20, {"x-forwarded-for": "198.51.100.8, 203.0.113.1"})

    assert bytes_from(_port(desk), b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", "127.0.2.5") == b""
    operator = desk.operator()
    assert (await operator.ask("/admin/bans/198.51.100.7")).status_code == 404


async def test_behind_a_trusted_proxy_the_client_it_names_last_is_banned_and_the_proxy_is_not(desk: Desk) -> None:
    proxy = desk.caller("all", "--rate-limit", "1", source="127.0.0.9")
    await in_one_minute(10)
    named = {"x-forwarded-for": "192.0.2.1, 203.0.113.77"}
    await proxy.in_turn(UNITE, 31, named)

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await proxy.ask(UNITE, headers=named)

    other = Caller(desk.url, "", "127.0.0.9")
    assert (await other.ask("/v3/nowhere", headers={"x-forwarded-for": "203.0.113.78"})).status_code == 404


def _port(desk: Desk) -> int:
    return int(desk.url.rpartition(":")[2])
