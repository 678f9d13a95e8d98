"""Every kind of answer leaves its record: who asked what about whom, why, and what came of it."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import redis

from providers.simulator.identifiers import siren_of
from providers.simulator.world import SHOWCASE
from ratelimit import keys
from ratelimit.ban import Ban
from tests.e2e.office import Office, Registered, uuid_of
from tests.e2e.running import RECIPIENT, Caller, Served, command, in_one_minute
from tests.e2e.simulated import TWINS_MEET, providers

UNITE = f"/v4/insee/sirene/unites_legales/{SHOWCASE.siren}"
ETABLISSEMENT = f"/v4/insee/sirene/etablissements/{SHOWCASE.siret}"


async def test_data_given_is_recorded_with_the_purpose_and_the_person_responsible(
    office: Office, caller: Registered
) -> None:
    answer = await caller.ask(ETABLISSEMENT, context="Marchés publics", object="n° 7", headers={"user-agent": "Outil"})

    record = await office.record_of(answer)
    assert record["status"] == 200
    assert record["codes"] == []
    assert record["outcome"] == "granted"
    assert record["operation_id"] == "api_entreprise_v4_insee_etablissements"
    assert (record["provider"], record["api_version"]) == ("insee", "v4")
    assert (record["context"], record["object"], record["recipient"]) == ("Marchés publics", "n° 7", RECIPIENT)
    assert (record["jti"], record["habilitation"], record["holder_siret"]) == (
        caller.jti,
        caller.habilitation,
        RECIPIENT,
    )
    assert (record["siren"], record["siret"]) == (SHOWCASE.siren, SHOWCASE.siret)
    assert (record["method"], record["path"]) == ("GET", ETABLISSEMENT)
    assert (record["client_ip"], record["user_agent"]) == ("127.0.0.1", "Outil")
    assert abs((datetime.now(UTC) - record["at"]).total_seconds()) < 60


async def test_an_answer_from_the_cache_is_recorded_like_any_other(office: Office, caller: Registered) -> None:
    await caller.ask(UNITE)

    record = await office.record_of(await caller.ask(UNITE))

    assert (record["cached"], record["outcome"]) == (True, "granted")


async def test_each_refusal_is_recorded_with_its_codes_and_whose_it_was(
    office: Office, caller: Registered, gateway: Served
) -> None:
    narrow = await office.caller("exercices")
    expired = await office.caller(is_expired=True)
    elsewhere = await office.caller(allowed_ips=("10.0.0.0/8",))
    revoked = await office.caller()
    await office.revoke(revoked)
    stranger = Caller(gateway.url, "")

    answers = [
        (stranger, await stranger.ask(UNITE), 401, ["00101"]),
        (expired, await expired.ask(UNITE), 401, ["00103"]),
        (revoked, await revoked.ask(UNITE), 401, ["00105"]),
        (narrow, await narrow.ask(UNITE), 403, ["00100"]),
        (elsewhere, await elsewhere.ask(UNITE), 403, ["00107"]),
        (caller, await caller.ask(UNITE, headers={"accept": "nonsense"}), 400, ["00401"]),
        (caller, await caller.ask(UNITE, context="", object=""), 422, ["00201", "00202"]),
        (caller, await caller.ask(UNITE, recipient="123"), 422, ["00210"]),
        (caller, await caller.ask(UNITE[:-1] + "0"), 422, ["00301"]),
        (caller, await caller.ask(UNITE.replace("v4", "v9")), 404, ["00402"]),
        (caller, await caller.ask("/v3/nowhere"), 404, []),
        (caller, await caller.ask("/v2/entreprises/1"), 410, []),
        (caller, await caller.ask("/v4/insee/sirene/unites_legales/000000000"), 404, ["01003"]),
    ]

    for who, answer, status, codes in answers:
        record = await office.record_of(answer)
        assert (answer.status_code, record["status"], record["codes"]) == (status, status, codes)
        assert record["outcome"] == "refused"
        if isinstance(who, Registered):
            assert (record["jti"], record["habilitation"]) == (who.jti, who.habilitation), codes


async def test_a_429_a_conflict_and_a_provider_s_failure_are_recorded(
    office: Office, caller: Registered, simulator: Served
) -> None:
    hurried = await office.caller(rate_limit=1, source="127.0.3.4")
    siren = siren_of("00230001")
    path = f"/v4/insee/sirene/unites_legales/{siren}"
    await in_one_minute(3)
    over = [await hurried.ask(UNITE) for _ in range(2)][1]
    async with providers(simulator, latency=TWINS_MEET, faults={siren: "http_502"}):
        answers = await asyncio.gather(caller.ask(path), caller.ask(path))

    failed, conflict = sorted(answers, key=lambda answer: answer.status_code, reverse=True)
    records = [await office.record_of(answer) for answer in (over, failed, conflict)]
    assert [(record["status"], record["codes"], record["outcome"]) for record in records] == [
        (429, ["00429"], "refused"),
        (502, ["01001"], "failed"),
        (409, ["00015"], "refused"),
    ]
    assert [record["siren"] for record in records] == [SHOWCASE.siren, siren, siren]
    assert {record["object"] for record in records} == {"test"}


async def test_a_banned_client_gets_no_byte_and_a_record(office: Office, gateway: Served, stored: redis.Redis) -> None:
    address, now = "127.0.3.5", time.time()
    stored.set(keys.ban(address), Ban(address, "ceiling", now, now + 3600).stored(), px=3_600_000)
    banned = await office.caller(source=address)

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await banned.ask(UNITE)

    (record,) = await office.records(jti=banned.jti)
    assert (record["status"], record["outcome"], record["codes"]) == (0, "banned", [])
    assert (record["client_ip"], record["siren"]) == (address, SHOWCASE.siren)


async def test_a_search_shows_what_all_its_conditions_hold_for_and_nothing_else(
    office: Office, caller: Registered, gateway: Served
) -> None:
    other = await office.caller()
    answer, _ = await caller.ask(ETABLISSEMENT), await other.ask(ETABLISSEMENT)
    record = await office.record_of(answer)
    asked = ("--siren", SHOWCASE.siren, "--siret", SHOWCASE.siret, "--token", caller.jti)
    asked += ("--habilitation", caller.habilitation, "--request-id", record["request_id"])
    moment = record["at"]

    found = command(
        gateway.environ, "audit", "search", *asked, "--json", "--limit", "5",
        "--from", moment.isoformat(), "--to", (moment + timedelta(seconds=1)).isoformat(),
    )  # fmt: skip

    assert json.loads(found)["request_id"] == record["request_id"]
    for one in ({"siren": SHOWCASE.siren}, {"siret": SHOWCASE.siret}, {"habilitation": uuid_of(caller.habilitation)}):
        assert record["id"] in {row["id"] for row in await office.records(**one)}
    assert {row["jti"] for row in await office.records(jti=other.jti)} == {other.jti}
    assert await office.records(0, siren=SHOWCASE.siren, siret="0" * 14) == []
    assert await office.records(0, request_id=record["request_id"], until=moment) == []
