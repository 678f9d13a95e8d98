"""The cache of answers on a running gateway of two workers (behaviours §6.1)."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio
import redis

from providers.simulator.identifiers import siren_of
from tests.e2e.office import Office, Registered, everything, open_office
from tests.e2e.running import TRACE, Served, code_of
from tests.e2e.simulated import TWINS_MEET, calls_about, providers

WORKERS = 2
SETTINGS = {
    "OCTROI_RATELIMIT__IP_PER_MINUTE": "100000",
    "OCTROI_RATELIMIT__GROUPS__JSON_RESOURCES_ENTREPRISE": "100000",
    # What a worker holds opened is confirmed by its head alone: here every look must read what Redis has.
    "OCTROI_CACHE__LOCAL_BYTES": "0",
}
HOUR = 3600
NO_CACHE = {"cache-control": "no-cache"}


def unite(first_eight: str) -> str:
    return f"/v4/insee/sirene/unites_legales/{siren_of(first_eight)}"


def told_of_cache(answer: httpx.Response) -> tuple[str, str, str]:
    return tuple(answer.headers[name] for name in ("x-response-cached", "x-cache-expires-in", "cache-status"))  # type: ignore[return-value]


@pytest_asyncio.fixture(scope="module")
async def office(gateway: Served) -> AsyncIterator[Office]:
    async with open_office(gateway) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module")
async def caller(office: Office) -> Registered:
    return await office.caller()


@pytest.fixture
def stored(module_redis: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(module_redis) as client:
        yield client


async def test_a_thousand_callers_of_a_cold_answer_make_one_call_and_are_told_the_same(
    office: Office, simulator: Served
) -> None:
    siren = siren_of("00210001")
    crowd = [await office.caller() for _ in range(10)]

    async with providers(simulator, latency=0.5):
        answers = [
            answer
            for some in await asyncio.gather(
                *(one.many(f"/v4/insee/sirene/unites_legales/{siren}", 100) for one in crowd)
            )
            for answer in some
        ]
        calls = await calls_about(simulator, siren)

    assert [answer.status_code for answer in answers] == [200] * 1000
    assert len({answer.content for answer in answers}) == 1
    assert calls == 1


async def test_the_headers_tell_a_miss_from_a_hit_and_how_long_the_answer_still_lives(caller: Registered) -> None:
    miss, hit = [await caller.ask(unite("00210002")) for _ in range(2)]

    assert told_of_cache(miss) == ("false", "", "Octroi; fwd=uri-miss; stored")
    cached, left, status = told_of_cache(hit)
    assert cached == "true"
    assert HOUR - 10 <= int(left) <= HOUR
    assert status == f"Octroi; hit; ttl={left}"
    assert hit.content == miss.content


async def test_a_caller_who_wants_no_cache_neither_reads_nor_fills_it(caller: Registered, simulator: Served) -> None:
    cold, warm = siren_of("00210003"), siren_of("00210004")
    base = "/v4/insee/sirene/unites_legales/"
    await caller.ask(base + warm)

    async with providers(simulator):
        fresh = [await caller.ask(base + siren, headers=NO_CACHE) for siren in (warm, cold)]
        calls = [await calls_about(simulator, siren) for siren in (warm, cold)]
        after = await caller.ask(base + cold)

    assert [told_of_cache(answer) for answer in fresh] == [("false", "", "Octroi; fwd=request")] * 2
    assert calls == [1, 1]
    assert after.headers["x-response-cached"] == "false"


async def test_rights_are_judged_before_a_kept_answer_is_given(office: Office, caller: Registered) -> None:
    await caller.ask(unite("00210005"))

    answer = await (await office.caller("exercices")).ask(unite("00210005"))

    assert (answer.status_code, code_of(answer)) == (403, "00100")


async def test_an_entry_that_was_tampered_with_is_a_miss(caller: Registered, stored: redis.Redis) -> None:
    before = set(stored.keys(b"octroi:{c:*}"))
    first = await caller.ask(unite("00210006"))
    (key,) = set(stored.keys(b"octroi:{c:*}")) - before
    sealed = stored.get(key)

    for damaged in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:20], b"", b"not ours at all"):
        stored.set(key, damaged, ex=HOUR)
        answer = await caller.ask(unite("00210006"))

        assert (answer.status_code, answer.headers["x-response-cached"]) == (200, "false"), damaged
        assert answer.content == first.content


async def test_an_entry_moved_to_another_company_is_not_believed(caller: Registered, stored: redis.Redis) -> None:
    keys = []
    for first_eight in ("00210007", "00210008"):
        before = set(stored.keys(b"octroi:{c:*}"))
        await caller.ask(unite(first_eight))
        keys += set(stored.keys(b"octroi:{c:*}")) - before
    stored.set(keys[1], stored.get(keys[0]), ex=HOUR)

    answer = await caller.ask(unite("00210008"))

    assert answer.json()["data"]["siren"] == siren_of("00210008")
    assert answer.headers["x-response-cached"] == "false"


async def test_a_failure_is_shared_with_those_who_wait_and_with_nobody_later(
    caller: Registered, simulator: Served
) -> None:
    siren = siren_of("00210009")
    path = f"/v4/insee/sirene/unites_legales/{siren}"

    async with providers(simulator, latency=TWINS_MEET, faults={siren: "http_500"}):
        failed = await caller.many(path, 40)
        calls = await calls_about(simulator, siren)
        again = await caller.ask(path)
        calls_later = await calls_about(simulator, siren)
    mended = await caller.ask(path)

    assert {(answer.status_code, code_of(answer)) for answer in failed} == {(502, "01000")}
    assert calls == 1
    assert again.status_code == 502
    assert calls_later == 2
    assert told_of_cache(again) == ("false", "", "Octroi; fwd=uri-miss")
    assert mended.status_code == 200


async def test_a_caller_who_leaves_does_not_take_the_answer_from_the_others(
    caller: Registered, simulator: Served
) -> None:
    siren = siren_of("00210010")
    path = f"/v4/insee/sirene/unites_legales/{siren}"

    async with providers(simulator, latency=0.6):
        async with caller.client() as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.get(path, params=TRACE, headers=caller.authorization, timeout=0.2)
        answer = await caller.ask(path, object="the one who stays")
        calls = await calls_about(simulator, siren)

    assert answer.status_code == 200
    assert calls == 1


async def test_the_same_company_asked_in_disguise_is_one_entry(caller: Registered) -> None:
    path = unite("00210011")
    await caller.ask(path)

    disguised = await caller.ask(path.replace("unites_legales", "unites%5Flegales"))

    assert disguised.headers["x-response-cached"] == "true"


async def test_nothing_in_redis_can_be_read(caller: Registered, stored: redis.Redis) -> None:
    answer = await caller.ask(unite("00210012"))
    name = answer.json()["data"]["personne_morale_attributs"]["raison_sociale"].encode()
    await caller.ask(unite("00210012"), object="for my eyes only", token=caller.token)

    kept = b"\n".join(b"%b=%b" % (key, value) for key, value in everything(stored))

    assert len(name) > 3
    assert name in answer.content
    for secret in (name, siren_of("00210012").encode(), b"for my eyes only", b"eyJ", b"raison_sociale"):
        assert secret not in kept, secret
