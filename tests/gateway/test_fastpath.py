"""Calls that come again take the fast path, and nobody can tell; whatever has changed meanwhile holds at once."""

import asyncio
import gc
import itertools
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httptools
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from audit.search import Query, search
from audit.spool import SpoolUnavailable
from gateway.asked import Answer, Asked
from gateway.cache import Kept, Name
from gateway.fastpath import Form, what_is_meant
from gateway.pipeline import Heard, Pipeline
from providers.simulator.identifiers import siren_of
from tests.e2e.running import in_one_minute
from tests.gateway.raw import (
    KEPT,
    KEPT_REFUSAL,
    UNITE,
    Both,
    both_served,
    conversation,
    digest_of,
    fill,
    in_head_order,
    keep,
    request_text,
)
from tests.ratelimit.servers import eventually

OURS = ("audit.", "gateway.", "providers.", "ratelimit.")
PLAIN = ["Accept: application/json", "User-Agent: somebody"]
UNASKED = itertools.count(70_000)
"""Numbers of companies that no test has asked about."""


class LongWay:
    """Counts the calls that the pipeline answers."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.calls = 0
        self._answer = pipeline.answer

    async def __call__(self, asked: Asked, heard: Heard | None = None) -> Answer:
        self.calls += 1
        return await self._answer(asked, heard)


@pytest_asyncio.fixture(scope="module", params=["one Redis", pytest.param("cluster", marks=pytest.mark.slow)])
async def both(
    request: pytest.FixtureRequest, postgres_url: str, valkey_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Both]:
    """One gateway behind ours and uvicorn's own protocol: what passes on one server must pass on a cluster."""
    url = request.getfixturevalue("cluster").url if request.param == "cluster" else valkey_url
    async with both_served(postgres_url, url, tmp_path_factory.mktemp("both")) as served:
        yield served


@pytest_asyncio.fixture
async def token(both: Both) -> str:
    """One of its own for each test, of which the worker knows already, and which is announced no more."""
    token = await both.another_token()
    await conversation(both.direct, [asking(token)])
    return token


@pytest_asyncio.fixture
async def long_way(both: Both, token: str, monkeypatch: pytest.MonkeyPatch) -> LongWay:
    """None so far, once each server knows the scripts."""
    counted = LongWay(both.parts.pipeline)
    monkeypatch.setattr(both.parts.pipeline, "answer", counted)
    for _ in range(50):
        counted.calls = 0
        await conversation(both.direct, [asking(token), asking(token, KEPT_REFUSAL)])
        if counted.calls == 0:
            break
        await asyncio.sleep(0.1)
    return counted


def asking(token: str | None, target: str = KEPT, headers: list[str] | None = None) -> bytes:
    return request_text("GET", target, PLAIN if headers is None else headers, token, last=False)


async def answers(both: Both, *sent: bytes, port: int | None = None) -> list[bytes]:
    """Whole answers over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port or both.direct)
    whole = []
    for piece in sent:
        writer.write(piece)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 15)
        whole.append(head + await reader.readexactly(int(header(head, "content-length"))))
    writer.close()
    return whole


def header(answer: bytes, name: str) -> str:
    found = re.search(rb"(?im)^%b: ([^\r]*)" % name.encode(), answer)
    assert found, name
    return found[1].decode()


async def records(both: Both, request_ids: list[str]) -> list[dict[str, Any]]:
    await both.parts.trail.flush(10)
    found = []
    for request_id in request_ids:
        rows = search(both.parts.pool, Query(request_id=request_id))
        found += [row async for row in rows]
    return found


class TestACallThatComesAgain:
    @pytest.mark.parametrize("target", [KEPT, KEPT_REFUSAL])
    async def test_does_not_trouble_the_pipeline(self, both: Both, token: str, long_way: LongWay, target: str) -> None:
        await conversation(both.direct, [asking(token, target)] * 5)

        assert long_way.calls == 0

    @pytest.mark.parametrize(
        "target",
        [KEPT, KEPT_REFUSAL, UNITE, "/v3/nowhere", "/v2/gone", KEPT.replace("000010025", "123"), KEPT + "&context="],
    )
    async def test_is_answered_as_the_first_time_and_as_by_the_asgi_door(
        self, both: Both, token: str, target: str
    ) -> None:
        sent = [asking(token, target)] * 4

        assert await conversation(both.direct, sent) == await conversation(both.asgi, sent)

    async def test_has_an_identifier_of_its_own(self, both: Both, token: str) -> None:
        given = await answers(both, *[asking(token)] * 3)

        assert len({header(answer, "x-request-id") for answer in given}) == 3

    async def test_keeps_the_identifier_that_it_brings(self, both: Both, token: str, long_way: LongWay) -> None:
        brought = [f"7c1f0d3e-6f0a-4c5e-9d3a-0a4a4d9c2b1{number}" for number in range(3)]

        given = await answers(both, *(asking(token, headers=[*PLAIN, f"X-Request-Id: {one}"]) for one in brought))

        assert [header(answer, "x-request-id") for answer in given] == brought
        assert long_way.calls == 0

    async def test_may_bring_headers_that_mean_nothing_here(self, both: Both, token: str, long_way: LongWay) -> None:
        sent = [asking(token, headers=[*PLAIN, f"X-Correlation-Id: {number}", "Priority:u=1"]) for number in range(5)]

        told = await conversation(both.direct, sent)

        assert long_way.calls == 0
        assert all(answer == told[0] for answer in told)

    async def test_counts_like_any_other(self, both: Both, token: str) -> None:
        given = await answers(both, *[asking(token)] * 3)

        first, *_, last = [int(header(answer, "ratelimit-remaining")) for answer in given]
        assert first - last == 2

    async def test_is_recorded_like_any_other(self, both: Both, token: str) -> None:
        await answers(both, asking(token, headers=["User-Agent: other"]))
        long, *_, short = await answers(both, *[asking(token, headers=["User-Agent: new"])] * 3)

        one, other = await records(both, [header(answer, "x-request-id") for answer in (long, short)])

        for member in ("id", "at", "request_id", "duration_ms", "sequence"):
            one.pop(member), other.pop(member)
        assert one == other
        assert one["siren"] == "000010025"
        assert one["cached"] is True

    async def test_leaves_nothing_to_the_collector_of_cycles(self, both: Both, token: str, long_way: LongWay) -> None:
        """Else calls would wait for it, some milliseconds each time."""
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            await conversation(both.direct, [asking(token)] * 20)
            gc.collect()
            left = {type(one).__qualname__ for one in gc.garbage if type(one).__module__.startswith(OURS)}
        finally:
            gc.set_debug(0)
            gc.garbage.clear()

        assert left == set()

    async def test_keeps_its_place_among_pipelined_ones(self, both: Both, token: str) -> None:
        sent = [asking(token), asking(token, UNITE), asking(token, "/privileges"), asking(token), asking(token)]

        at_once = await conversation(both.direct, sent, pause=False)

        assert at_once == await conversation(both.asgi, sent, pause=False)


class Provider:
    """Stands for what makes answers: gives what it is told to, or raises it, and counts."""

    def __init__(self, both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self.delay = 0.0
        self.failure: Exception | None = None
        self._clock = both.parts.clock
        monkeypatch.setattr(both.parts.pipeline, "_make", lambda endpoint, call: self._make)

    async def _make(self) -> Kept:
        self.calls += 1
        await asyncio.sleep(self.delay)
        if self.failure is not None:
            raise self.failure
        now = self._clock()
        return Kept(200, b'{"call":%d}' % self.calls, now, now + 60)


class TestACallWhoseAnswerIsNotKept:
    @pytest.fixture
    def provider(self, both: Both, monkeypatch: pytest.MonkeyPatch) -> Provider:
        return Provider(both, monkeypatch)

    @pytest.fixture
    def targets(self) -> Iterator[str]:
        """Companies nobody has asked about."""
        return (KEPT.replace("000010025", siren_of(f"{number:08}")) for number in UNASKED)

    async def test_has_it_fetched_without_troubling_the_pipeline(
        self, both: Both, token: str, long_way: LongWay, provider: Provider, targets: Iterator[str]
    ) -> None:
        target = next(targets)

        fetched, kept = await answers(both, *[asking(token, target)] * 2)

        assert (long_way.calls, provider.calls) == (0, 1)
        assert fetched.endswith(b'{"call":1}')
        assert [header(one, "x-response-cached") for one in (fetched, kept)] == ["false", "true"]
        assert header(fetched, "cache-status") == "Octroi; fwd=uri-miss; stored"

    async def test_is_answered_and_recorded_as_by_the_asgi_door(
        self, both: Both, token: str, provider: Provider, targets: Iterator[str]
    ) -> None:
        await answers(both, asking(token))
        here, there = asking(token, next(targets)), asking(token, next(targets))

        ours, theirs = await answers(both, here), await answers(both, there, port=both.asgi)

        one, other = await records(both, [header(answer, "x-request-id") for answer in (*ours, *theirs)])
        for member in ("id", "at", "request_id", "duration_ms", "sequence", "path", "siren"):
            one.pop(member), other.pop(member)
        assert one == other
        assert one["cached"] is False
        assert in_head_order(ours[0])[0] == in_head_order(theirs[0])[0]

    async def test_shares_it_with_those_who_ask_meanwhile(
        self, both: Both, token: str, provider: Provider, targets: Iterator[str]
    ) -> None:
        await answers(both, asking(token))
        target, provider.delay = next(targets), 0.1

        given = await asyncio.gather(
            *(answers(both, asking(token, target.replace("object=b", f"object={number}"))) for number in range(8))
        )

        assert provider.calls == 1
        assert {answer[-10:] for (answer,) in given} == {b'{"call":1}'}

    async def test_is_in_conflict_with_its_twin(
        self, both: Both, token: str, provider: Provider, targets: Iterator[str]
    ) -> None:
        await answers(both, asking(token))
        target, provider.delay = next(targets), 0.1

        given = await asyncio.gather(*(answers(both, asking(token, target)) for _ in range(2)))

        assert sorted(answer[9:12] for (answer,) in given) == [b"200", b"409"]
        assert any(b"00015" in answer for (answer,) in given)

    async def test_is_refused_as_by_the_asgi_door_where_it_cannot_be_read(self, both: Both, token: str) -> None:
        sent = [asking(token), asking(token, KEPT.replace("000010025", "000010026"))]

        told = await conversation(both.direct, sent)

        assert told == await conversation(both.asgi, sent)
        assert b"00301" in repr(told[1]).encode()

    async def test_is_told_of_a_defect_as_by_the_asgi_door(
        self, both: Both, token: str, provider: Provider, targets: Iterator[str]
    ) -> None:
        provider.failure = RuntimeError("a defect")
        sent = [asking(token), asking(token, next(targets))]

        told = await conversation(both.direct, sent)

        assert told == await conversation(both.asgi, sent)
        assert b"500" in repr(told[1]).encode()


class TestWhatHasChanged:
    async def test_a_revocation_holds_at_the_next_call(self, both: Both, token: str) -> None:
        await conversation(both.direct, [asking(token)] * 2)

        await both.revoke(token)

        (answer,) = await answers(both, asking(token))
        assert b"00105" in answer

    async def test_an_answer_that_lapsed_is_asked_for_anew(self, both: Both, token: str) -> None:
        target = KEPT.replace("000010025", "000010041")
        now = both.parts.clock()
        await keep(both.parts, target, Kept(200, b"{}", now, now + 0.7))
        before, _ = await answers(both, *[asking(token, target)] * 2)
        await asyncio.sleep(0.8)

        (after,) = await answers(both, asking(token, target))

        assert before.startswith(b"HTTP/1.1 200")
        assert after.startswith(b"HTTP/1.1 502")  # nobody answers for the provider here

    async def test_an_answer_that_another_worker_renewed_is_the_one_given(self, both: Both, token: str) -> None:
        target = KEPT.replace("000010025", "000010058")
        now, cache = both.parts.clock(), both.parts.pipeline.cache
        await keep(both.parts, target, Kept(200, b'{"old":1}', now, now + 60))
        await conversation(both.direct, [asking(token, target)] * 2)
        held = cache.held(digest_of(both.parts, target))
        assert held is not None

        cache._keep(digest_of(both.parts, target), Kept(200, b'{"new":1}', now, now + 60))
        cache._opened[digest_of(both.parts, target)] = held

        (answer,) = await answers(both, asking(token, target))
        assert answer.endswith(b'{"new":1}')

    async def test_the_quota_of_a_minute_is_met_exactly(self, both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
        token = await both.another_token()
        limiter = both.parts.limiter
        monkeypatch.setattr(limiter, "limit_of", lambda group: 4)

        given = await answers(both, *[asking(token)] * 6)

        assert [answer[9:12] for answer in given] == [b"200"] * 4 + [b"429"] * 2

    async def test_the_quota_is_met_exactly_by_calls_that_come_in_the_same_turns(
        self, both: Both, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = await both.another_token()
        monkeypatch.setattr(both.parts.limiter, "limit_of", lambda group: 100)
        await in_one_minute(5)

        first = await answers(both, *[asking(token)] * 2)
        together = await asyncio.gather(*(answers(both, *[asking(token)] * 3) for _ in range(40)))

        given = [*first, *(answer for some in together for answer in some)]
        granted = [int(header(answer, "ratelimit-remaining")) for answer in given if answer[9:12] == b"200"]
        assert sorted(granted) == list(range(100))
        assert [answer[9:12] for answer in given].count(b"429") == 22

    async def test_a_ban_leaves_no_byte(self, both: Both, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
        await conversation(both.direct, [asking(token)] * 2)
        monkeypatch.setattr(both.parts.bans, "is_banned", lambda block: object())

        reader, writer = await asyncio.open_connection("127.0.0.1", both.direct)
        writer.write(asking(token))

        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()

    async def test_without_its_record_a_call_is_refused(
        self, both: Both, token: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await conversation(both.direct, [asking(token)])
        monkeypatch.setattr(both.parts.trail, "put", lambda line, told: told(SpoolUnavailable("full")))

        (answer,) = await answers(both, asking(token))

        assert answer.startswith(b"HTTP/1.1 503")
        assert b"ratelimit-remaining: " in answer
        assert b"x-response-cached: false" in answer
        assert b"application/json" in answer

    async def test_redis_forgetting_its_scripts_is_not_noticed(self, both: Both, token: str) -> None:
        known, *_ = await answers(both, *[asking(token)] * 2)

        await both.parts.link.client.script_flush()

        (answer,) = await answers(both, asking(token))
        assert in_head_order(answer) == in_head_order(known)

    @pytest.mark.parametrize("both", ["cluster"], indirect=True)
    async def test_an_answer_that_moved_to_another_server_is_found_there(
        self, both: Both, token: str, long_way: LongWay
    ) -> None:
        link, slot = both.parts.link, Name(digest_of(both.parts, KEPT)).slot
        slots = link._slots
        assert slots is not None
        holder = slots[slot]
        slots[slot] = next(node for node in slots if node is not holder)  # what a worker knows is out of date

        answer, *later = await answers(both, *[asking(token)] * 3)

        assert {one.split(b" ")[1] for one in (answer, *later)} == {b"200"}
        assert header(answer, "cache-status").startswith("Octroi; hit")
        assert long_way.calls > 0
        await eventually(lambda: link._slots is not None and link._slots[slot] is holder)

    async def test_redis_losing_its_data_costs_a_call_to_the_provider(self, both: Both, token: str) -> None:
        before, _ = await answers(both, *[asking(token)] * 2)

        await both.parts.link.client.flushall()

        (after,) = await answers(both, asking(token))
        assert [before[9:12], after[9:12]] == [b"200", b"502"]  # nobody answers for the provider here
        await fill(both.parts)


class TestWhoIsNotTakenForAnother:
    async def test_a_call_without_a_token(self, both: Both, token: str) -> None:
        await conversation(both.direct, [asking(token)] * 2)

        (answer,) = await answers(both, asking(None))

        assert b"00101" in answer

    @pytest.mark.parametrize("name", ["token", "%74oken"])
    async def test_a_call_after_one_whose_token_stood_in_the_address(
        self, both: Both, token: str, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(both.parts.pipeline, "query_token", True)
        with_token = asking(None, f"{KEPT}&{name}={token}")

        first, again, without = await answers(both, with_token, with_token, asking(None))

        assert first[9:12] == again[9:12] == b"200"
        assert b"00101" in without

    async def test_another_token_with_other_rights(self, both: Both, token: str) -> None:
        other = await both.another_token(scopes=("attestation_fiscale_dgfip",))
        await conversation(both.direct, [asking(token)] * 2)

        given = await answers(both, asking(other), asking(other), asking(token))

        assert [answer[9:12] for answer in given] == [b"403", b"403", b"200"]

    async def test_a_call_that_wants_no_kept_answer(self, both: Both, token: str) -> None:
        await conversation(both.direct, [asking(token)] * 2)

        (answer,) = await answers(both, asking(token, headers=[*PLAIN, "Cache-Control: no-cache"]))

        assert not answer.startswith(b"HTTP/1.1 200")


NAMES = st.sampled_from(
    [
        "accept",
        "User-Agent",
        "X-Odd",
        "X-Request-Id",
        "connection",
        "Cookie",
        "authorization",
        "x y",
        "",
        "Na\x01me",
        "Expect",
    ]
)
FREE = (b"x-odd", b"cookie", b"x-request-id")
"""Those that mean nothing."""
VALUES = st.text(st.characters(max_codepoint=255), max_size=8)
LINES = st.lists(st.tuples(NAMES, st.sampled_from([":", ": ", " :", ""]), VALUES), max_size=4)


@given(LINES)
def test_what_is_read_at_a_glance_is_what_the_parser_reads(lines: list[tuple[str, str, str]]) -> None:
    text = _text(lines)

    meant, _ = what_is_meant(text)

    parsed = _parsed(b"GET / HTTP/1.1" + text)
    if meant and parsed is not None:
        glanced = [tuple(part.strip(b" \t") for part in line.split(b":", 1)) for line in meant.split(b"\r\n")[1:-2]]
        assert glanced == [(n, v) for n, v in parsed if n.lower() not in FREE]
    elif meant:  # a line that means something is what the parser refuses: no such caller was ever learned
        assert _parsed(b"GET / HTTP/1.1" + meant) is None


@given(LINES, st.data())
def test_a_form_knows_lines_that_differ_in_what_means_nothing_and_no_others(
    lines: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    first, second = (_text(lines), _text(data.draw(_of_the_same_make(lines) | LINES)))
    meant, _ = what_is_meant(first)
    if not meant:
        return

    told = Form(first).request_id(second)

    also_meant, request_id = what_is_meant(second)
    if told is not None:
        assert (also_meant, told) == (meant, request_id)
    elif also_meant == meant:
        assert _named(first) != _named(second)


def test_a_form_finds_the_identifier_of_a_request() -> None:
    form = Form(_text([("Host", ": ", "a"), ("X-Request-Id", ": ", "none"), ("Accept", ": ", "b")]))

    named = _text([("Host", ": ", "a"), ("X-Request-Id", ":", f" {REQUEST_ID.upper()} "), ("Accept", ": ", "b")])

    assert form.request_id(named) == REQUEST_ID.encode()


REQUEST_ID = "01234567-89ab-4cde-8f01-23456789abcd"


def _of_the_same_make(lines: list[tuple[str, str, str]]) -> st.SearchStrategy[list[tuple[str, str, str]]]:
    """The same lines with other values where these mean nothing."""
    return st.tuples(
        *(st.tuples(st.just(n), st.just(c), VALUES if n.lower().encode() in FREE else st.just(v)) for n, c, v in lines)
    ).map(list)


def _text(lines: Sequence[tuple[str, str, str]]) -> bytes:
    return b"\r\n" + b"".join("".join(line).encode("latin-1") + b"\r\n" for line in lines) + b"\r\n"


def _named(lines: bytes) -> list[bytes]:
    return [line.partition(b":")[0] for line in lines.split(b"\r\n")]


def _parsed(raw: bytes) -> list[tuple[bytes, bytes]] | None:
    """The headers that the server's parser reads, None where it refuses."""

    class Headers:
        def __init__(self) -> None:
            self.found: list[tuple[bytes, bytes]] = []

        def on_header(self, name: bytes, value: bytes) -> None:
            self.found.append((name, value.strip(b" \t")))

    headers = Headers()
    try:
        httptools.HttpRequestParser(headers).feed_data(raw)
    except httptools.HttpParserError:
        return None
    return headers.found
