"""The link to a single server: what is asked together travels together, and what goes wrong ends soon."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ratelimit.link import AGAIN, UNHEARD, CommandRefused, Link, Question, RedisUnavailable, error_word
from ratelimit.scripts import ALL, LOOK_AT_IP
from ratelimit.url import WrongRedisUrl
from tests.ratelimit.servers import Relay, Valkey, eventually, free_port, self_signed

TIMEOUT = 0.2
KEYS = (b"octroi:{ip:192.0.2.1}:ban", b"octroi:{ip:192.0.2.1}:minute")
ARGUMENTS = (1_000_000, 60, 1)


@pytest_asyncio.fixture
async def own(server: Valkey) -> AsyncIterator[Link]:
    """A link to the server that this test maltreats."""
    opened = await Link.open(server.url, TIMEOUT)
    yield opened
    await opened.close()


def look(link: Link) -> asyncio.Future[object]:
    return link.call(LOOK_AT_IP, KEYS, ARGUMENTS)


async def outcome(call: asyncio.Future[object]) -> str:
    try:
        await call
    except RedisUnavailable:
        return "unavailable"
    return "answered"


def stat(server: Valkey, name: str) -> int:
    with server.client() as client:
        return int(client.info()[name])


class TestAskingTogether:
    async def test_replies_keep_the_order_of_the_questions_and_an_error_keeps_its_place(self, any_link: Link) -> None:
        questions: list[Question] = [(b"{%d}" % n, (b"SET", b"{%d}" % n, n)) for n in range(4)]
        questions[2] = b"{2}", (b"SET", b"{2}")

        replies = await any_link.together(*questions)

        assert replies == [b"OK", b"OK", AGAIN, b"OK"]

    async def test_what_nobody_waits_for_is_done_in_its_order_and_displaces_no_reply(self, any_link: Link) -> None:
        any_link.tell((b"{t}", (b"SET", b"{t}", 1)), (b"{t}", (b"INCR", b"{t}")), (b"{t}", (b"NONSENSE",)))
        any_link.tell((b"{t}", (b"INCR", b"{t}")))

        assert await any_link.together((b"{t}", (b"GET", b"{t}")), (b"{t}", (b"ECHO", b"x"))) == [b"3", b"x"]

    async def test_a_server_that_is_away_is_heard_of_at_once(self, any_link: Link) -> None:
        await any_link.close()

        any_link.tell((b"{t}", (b"SET", b"{t}", 1)))
        replies = await any_link.together((b"{t}", (b"GET", b"{t}")), (b"{u}", (b"GET", b"{u}")))

        assert replies == [UNHEARD] * 2

    async def test_a_server_that_is_silent_is_heard_of_in_time(self, server: Valkey, own: Link) -> None:
        server.freeze()
        try:
            replies = await asyncio.wait_for(own.together((b"t", (b"GET", b"t")), (b"t", (b"GET", b"t"))), 5)
        finally:
            server.thaw()

        assert replies == [UNHEARD] * 2


class TestAsking:
    async def test_replies_come_to_whom_they_belong(self, own: Link) -> None:
        calls = [own.send(b"k", b"ECHO", f"{n}") for n in range(500)]

        replies = await asyncio.gather(*calls)

        assert replies == [b"%d" % n for n in range(500)]

    async def test_what_is_asked_in_one_turn_arrives_in_one_read(self, server: Valkey, own: Link) -> None:
        with server.client() as observer:
            before = observer.info()["total_reads_processed"]

            await asyncio.gather(*(own.send(b"k", b"PING") for _ in range(100)))

            assert observer.info()["total_reads_processed"] - before == 2  # ours, and the observer's own

    async def test_a_script_the_server_does_not_know_is_sent_again_whole(self, own: Link) -> None:
        await own.send(b"k", b"SCRIPT", b"FLUSH")

        replies = await asyncio.gather(*(look(own) for _ in range(10)))
        again = await look(own)

        assert [reply[1] for reply in replies] == list(range(1, 11))  # type: ignore[index]
        assert again[1] == 11  # type: ignore[index]
        assert own.tally.scripts_resent == 10

    async def test_a_script_flushed_in_between_counts_each_call_once(self, own: Link) -> None:
        await look(own)
        calls = [look(own), own.send(b"k", b"SCRIPT", b"FLUSH"), look(own), look(own)]

        replies = await asyncio.gather(*calls)

        assert sorted(reply[1] for reply in (replies[0], replies[2], replies[3])) == [2, 3, 4]  # type: ignore[index]

    async def test_a_caller_that_gives_up_disturbs_nobody(self, own: Link) -> None:
        given_up = own.send(b"k", b"ECHO", b"one")
        kept = own.send(b"k", b"ECHO", b"two")

        given_up.cancel()

        assert await kept == b"two"

    async def test_an_error_of_ours_is_no_outage(self, own: Link) -> None:
        with pytest.raises(CommandRefused, match="unknown command"):
            await own.send(b"k", b"NONSENSE")

        assert own.available
        assert await own.send(b"k", b"PING") == b"PONG"

    @pytest.mark.parametrize("script", ALL, ids=lambda script: script.name)
    async def test_the_digest_is_that_of_the_text(self, own: Link, script: object) -> None:
        digest = await own.send(b"k", b"SCRIPT", b"LOAD", script.text)  # type: ignore[attr-defined]

        assert digest == script.sha  # type: ignore[attr-defined]

    async def test_a_large_reply_in_many_pieces_is_read_whole(self, own: Link) -> None:
        await own.send(b"k", b"SET", b"k", b"x" * 3_000_000)

        replies = await asyncio.gather(own.send(b"k", b"GET", b"k"), own.send(b"k", b"PING"))

        assert (len(replies[0]), replies[1]) == (3_000_000, b"PONG")  # type: ignore[arg-type]

    async def test_the_official_client_serves_what_is_not_hot(self, own: Link) -> None:
        await own.send(b"k", b"SET", b"k", b"v")

        assert await own.client.get("k") == b"v"


class TestReaching:
    async def test_a_unix_socket_will_do(self, server: Valkey) -> None:
        link = await Link.open(f"unix://{server.path}?db=2", TIMEOUT)

        assert await link.send(b"k", b"SET", b"k", b"v") == b"OK"
        assert await link.client.get("k") == b"v"

        await link.close()
        assert server.command("GET", "k") is None  # it is in database 2

    async def test_user_password_and_database_are_told(self, server: Valkey) -> None:
        server.command("ACL", "SETUSER", "octroi", "on", ">s3cret", "~*", "+@all")
        server.command("CONFIG", "SET", "requirepass", "other")

        link = await Link.open(f"redis://octroi:s3cret@127.0.0.1:{server.port}/1", TIMEOUT)

        assert await link.send(b"k", b"ACL", b"WHOAMI") == b"octroi"
        await link.close()

    async def test_a_user_with_few_rights_is_enough(self, server: Valkey) -> None:
        rights = ("+evalsha", "+eval", "+get", "+set", "+hincrby", "+expireat", "+time", "+select")
        server.command("ACL", "SETUSER", "octroi", "on", ">s3cret", "~octroi:*", *rights)

        link = await Link.open(f"redis://octroi:s3cret@127.0.0.1:{server.port}/0", TIMEOUT)

        assert (await look(link))[1] == 1  # type: ignore[index]
        await link.close()

    async def test_a_wrong_password_leaves_it_unavailable_and_is_never_logged(
        self, server: Valkey, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)

        link = await Link.open(f"redis://:hunter2@127.0.0.1:{server.port}/0", TIMEOUT)

        assert not link.available
        assert await outcome(look(link)) == "unavailable"
        await link.close()
        said = capsys.readouterr()
        assert "hunter2" not in said.out + said.err + caplog.text

    async def test_a_url_that_is_no_url_is_refused_at_once(self) -> None:
        with pytest.raises(WrongRedisUrl):
            await Link.open("http://localhost", TIMEOUT)

    async def test_a_server_behind_tls_is_verified(self, server: Valkey, tmp_path: Path) -> None:
        context, certificate = self_signed(tmp_path)
        relay = await Relay("127.0.0.1", server.port, context).open()
        url = f"rediss://127.0.0.1:{relay.port}/0"

        trusting = await Link.open(f"{url}?ssl_ca_certs={certificate}", TIMEOUT)
        wary = await Link.open(url, TIMEOUT)

        assert await trusting.send(b"k", b"SET", b"k", b"v") == b"OK"
        assert await trusting.client.get("k") == b"v"
        assert not wary.available
        await trusting.close()
        await wary.close()
        await relay.cut()

    async def test_it_opens_without_a_server_and_finds_it_when_it_comes(self, tmp_path: Path) -> None:
        port = free_port()
        link = await Link.open(f"redis://127.0.0.1:{port}/0", TIMEOUT)
        assert await outcome(look(link)) == "unavailable"
        with pytest.raises(RedisUnavailable):
            _ = link.client

        server = Valkey(tmp_path, port=port).start()
        await eventually(lambda: link.available, 3.0)

        assert await outcome(look(link)) == "answered"
        await link.close()
        server.kill()


class TestFailing:
    async def test_while_nobody_listens_calls_fail_at_once(self, server: Valkey, own: Link) -> None:
        server.kill()
        await eventually(lambda: not own.available)
        began = time.perf_counter()

        outcomes = [await outcome(look(own)) for _ in range(100)]

        assert set(outcomes) == {"unavailable"}
        assert time.perf_counter() - began < 0.15  # one alone would have waited 0.2
        assert own.tally.refused_at_once == 100

    async def test_calls_under_way_fail_with_the_connection(self, server: Valkey, own: Link) -> None:
        server.freeze()
        calls = [look(own) for _ in range(50)]
        await asyncio.sleep(0)  # they are written

        server.kill()
        outcomes = await asyncio.gather(*(outcome(call) for call in calls))

        assert set(outcomes) == {"unavailable"}

    async def test_after_a_restart_it_is_back_within_two_seconds(self, server: Valkey, own: Link) -> None:
        server.kill()
        await eventually(lambda: not own.available)

        server.start()
        took = await eventually(lambda: own.available, 3.0)

        assert took < 2.0
        assert await outcome(look(own)) == "answered"

    async def test_a_call_waits_no_longer_than_its_timeout_and_a_quarter(self, server: Valkey, own: Link) -> None:
        server.freeze()
        began = time.perf_counter()

        result = await outcome(look(own))

        assert result == "unavailable"
        assert TIMEOUT * 0.95 <= time.perf_counter() - began <= TIMEOUT * 1.25 + 0.1
        server.thaw()

    async def test_a_server_that_hangs_is_left_alone_after_five_calls_then_found_again(
        self, server: Valkey, own: Link
    ) -> None:
        server.freeze()
        for _ in range(4):
            await outcome(look(own))
        assert own.available
        await outcome(look(own))

        assert not own.available
        began = time.perf_counter()
        outcomes = [await outcome(look(own)) for _ in range(1000)]
        assert set(outcomes) == {"unavailable"}
        assert time.perf_counter() - began < 0.5  # one alone would have waited 0.2
        assert own.tally.timeouts == 5
        server.thaw()
        await eventually(lambda: own.available, 3.0)
        assert await outcome(look(own)) == "answered"

    async def test_a_server_that_stays_hung_is_tried_again_and_again_without_piling_up(
        self, server: Valkey, own: Link
    ) -> None:
        server.freeze()
        await asyncio.gather(*(outcome(look(own)) for _ in range(10)))
        tasks = len(asyncio.all_tasks())
        until = time.monotonic() + 3.0

        while time.monotonic() < until:
            await outcome(look(own))
            await asyncio.sleep(0.005)

        assert len(asyncio.all_tasks()) <= tasks + 3
        assert own.tally.timeouts == 10
        server.thaw()

    async def test_replies_that_come_late_are_dropped_and_the_next_ones_matched(
        self, server: Valkey, own: Link
    ) -> None:
        server.freeze()
        late = own.send(b"k", b"ECHO", b"late")
        assert await outcome(late) == "unavailable"

        server.thaw()

        assert await own.send(b"k", b"ECHO", b"next") == b"next"
        assert own.available

    async def test_a_slow_server_costs_its_callers_time_but_no_failure(self, server: Valkey) -> None:
        link = await Link.open(server.url, 2.0)
        server.command("CLIENT", "PAUSE", 200, "ALL")

        outcomes = await asyncio.gather(*(outcome(look(link)) for _ in range(50)))

        assert set(outcomes) == {"answered"}
        assert link.available
        await link.close()

    async def test_a_full_server_is_an_outage_and_comes_back_when_there_is_room(
        self, server: Valkey, own: Link
    ) -> None:
        server.command("CONFIG", "SET", "maxmemory", "1")

        outcomes = [await outcome(look(own)) for _ in range(6)]

        assert set(outcomes) == {"unavailable"}
        assert own.tally.outages == 5
        server.command("CONFIG", "SET", "maxmemory", "0")
        await eventually(lambda: own.available, 3.0)
        assert await outcome(look(own)) == "answered"

    async def test_a_replica_is_not_asked_until_it_is_a_primary_again(self, server: Valkey, own: Link) -> None:
        server.command("REPLICAOF", "127.0.0.1", free_port())

        assert await outcome(look(own)) == "unavailable"
        await asyncio.sleep(0.3)
        assert not own.available

        server.command("REPLICAOF", "NO", "ONE")
        await eventually(lambda: own.available, 3.0)
        assert await outcome(look(own)) == "answered"

    async def test_a_failure_nobody_waits_for_is_not_reported_as_a_defect(self, server: Valkey, own: Link) -> None:
        defects: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: defects.append(context))
        server.kill()
        await eventually(lambda: not own.available)

        for _ in range(10):
            look(own)
        await asyncio.sleep(0)

        asyncio.get_running_loop().set_exception_handler(None)
        assert defects == []

    async def test_after_closing_nothing_is_left_to_run(self, server: Valkey) -> None:
        before = asyncio.all_tasks()
        link = await Link.open(server.url, TIMEOUT)
        pending = look(link)

        await link.close()

        assert pending.done()
        assert await outcome(look(link)) == "unavailable"
        assert asyncio.all_tasks() == before
        await eventually(lambda: stat(server, "connected_clients") == 1)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("READONLY You can't write against a read only replica.", "READONLY"),
        ("ERR Error running script (call to f_ab): @user_script:1: @user_script: 1: -READONLY You can't", "READONLY"),
        ("ERR unknown command", "ERR"),
    ],
)
def test_the_word_of_an_error_is_found_where_old_servers_hide_it(text: str, word: str) -> None:
    assert error_word(text) == word


async def test_a_peer_that_does_not_speak_the_protocol_is_dropped() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    link = await Link.open(f"redis://127.0.0.1:{port}/0", TIMEOUT)

    assert not link.available
    await link.close()
    server.close()
