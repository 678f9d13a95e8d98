"""What nobody sends in good faith: refused cleanly, recorded in one line, and the gateway serves on."""

import os
import socket
import uuid

import httpx
import pytest

from providers.simulator.world import SHOWCASE
from tests.e2e.office import Office, Registered
from tests.e2e.running import TRACE, Served, code_of, codes_of, command

QUERY = "context=a&object=b&recipient=13002526500013"
UNITE = f"/v4/insee/sirene/unites_legales/{SHOWCASE.siren}"


def exchanged(gateway: Served, request: bytes) -> bytes:
    """What comes back when the other side closes; an abrupt end loses nothing that had come."""
    received = b""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        try:
            connection.sendall(request)
            while chunk := connection.recv(65536):
                received += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass
    return received


def asked(caller: Registered, target: str, *headers: str, body: str = "", end: str = "\r\n") -> bytes:
    """A request with these headers among its own, over a connection to be closed."""
    lines = (f"GET {target} HTTP/1.1", "host: x", *headers, f"authorization: Bearer {caller.token}")
    return (end.join([*lines, "connection: close", "", ""]) + body).encode("latin-1")


FRAMES = {
    "length and chunks": ("content-length: 5", "transfer-encoding: chunked"),
    "two lengths": ("content-length: 5", "content-length: 6"),
    "the same length twice": ("content-length: 5", "content-length: 5"),
    "a negative length": ("content-length: -1",),
    "an unknown coding": ("transfer-encoding: xchunked",),
    "a coding after chunks": ("transfer-encoding: chunked, identity",),
    "a space before the colon": ("transfer-encoding : chunked",),
    "a folded header": ("x: a\r\n b",),
    "a CR in a value": ("x: a\rb",),
    "a LF in a value": ("x: a\nb",),
    "a NUL in a value": ("x: a\0b",),
    "a space in a name": ("x y: a",),
}


@pytest.mark.parametrize("headers", FRAMES.values(), ids=FRAMES)
async def test_a_frame_that_two_servers_might_read_differently_is_refused_and_the_connection_ends(
    caller: Registered, gateway: Served, headers: tuple[str, ...]
) -> None:
    answer = exchanged(gateway, asked(caller, f"{UNITE}?{QUERY}", *headers, body="0\r\n\r\n" * 2))

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"connection: close" in answer


TARGETS = ("CONNECT evil:443", "GET http://evil.example", "GET /v3/\xff", "GET /v3/a b", f"GET {UNITE}?{QUERY}\xff")
JUNK = {
    "lines that end in LF": b"GET / HTTP/1.1\nhost: x\n\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": b"GET / HTTP/9.9\r\nhost: x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03" + os.urandom(200),
    "nonsense": b"\xff" + os.urandom(4096),
    **{target: f"{target} HTTP/1.1\r\nhost: x\r\n\r\n".encode("latin-1") for target in TARGETS},
}


@pytest.mark.parametrize("request_", JUNK.values(), ids=JUNK)
async def test_what_is_no_http_request_is_refused_and_the_connection_ends(gateway: Served, request_: bytes) -> None:
    assert exchanged(gateway, request_).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("size", [300_000, 30_000_000])
async def test_a_head_without_end_is_not_read_to_its_end(caller: Registered, gateway: Served, size: int) -> None:
    answer = exchanged(gateway, asked(caller, f"{UNITE}?{QUERY}", "x: " + "a" * size))

    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


async def test_many_small_requests_in_one_piece_are_all_answered(caller: Registered, gateway: Served) -> None:
    many = b"GET /v3/nowhere HTTP/1.1\r\nhost: %b\r\n\r\n" % (b"x" * 250) * 600

    answer = exchanged(gateway, many + asked(caller, f"{UNITE}?{QUERY}"))

    assert answer.count(b"HTTP/1.1 404 Not Found\r\n") == 600
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 1


async def test_a_body_that_nobody_asked_for_is_not_taken_for_a_request(caller: Registered, gateway: Served) -> None:
    inner = "GET /v3/smuggled HTTP/1.1\r\nhost: x\r\n\r\n"

    for frame, body in (
        (f"content-length: {len(inner)}", inner),
        ("transfer-encoding: chunked", f"{len(inner):x}\r\n{inner}\r\n0\r\n\r\n"),
    ):
        answer = exchanged(gateway, asked(caller, f"{UNITE}?{QUERY}", frame, body=body))

        assert answer.count(b"HTTP/1.1") == 1, frame
        assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_target_that_names_a_host_is_the_path_it_holds_and_changes_no_link(
    caller: Registered, gateway: Served
) -> None:
    answer = exchanged(gateway, asked(caller, f"http://evil.example{UNITE}?{QUERY}"))

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"evil.example" not in answer
    assert gateway.url.encode() in answer


@pytest.mark.parametrize(
    "target",
    [
        "//v3/insee",
        "/v3/%2e%2e/admin/bans",
        "/v3/../admin/bans",
        "/v3//ping",
        "/V3/ping",
        "/v3/ping%00",
        "/%76%33",
        "*",
    ],
)
async def test_a_path_in_disguise_leads_nowhere(caller: Registered, gateway: Served, target: str) -> None:
    assert exchanged(gateway, asked(caller, target)).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("target", ["/%61dmin/bans", "/admin/%2e%2e/admin/bans", "/admin%2Fbans", "/admin/"])
async def test_administration_in_disguise_is_still_for_operators(
    caller: Registered, gateway: Served, target: str
) -> None:
    assert exchanged(gateway, asked(caller, target)).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    "text", ["0000%2F10017", "%30%30%30010017%0A", "000010017%00", "٠٠٠٠١٠٠١٧", "000010017 ", "1e9", "'--", "$" * 3000]
)
async def test_a_siren_in_disguise_is_none(caller: Registered, text: str) -> None:
    answer = await caller.ask(f"/v4/insee/sirene/unites_legales/{text}")

    assert (answer.status_code, code_of(answer)) == (422, "00301")


async def test_ten_thousand_parameters_are_none(caller: Registered, gateway: Served) -> None:
    short, long = "&".join("a" * 10_000), "&".join(f"parameter{i}=1" for i in range(10_000))

    crowded = exchanged(gateway, asked(caller, f"{UNITE}?{QUERY}&{short}"))
    overlong = exchanged(gateway, asked(caller, f"{UNITE}?{QUERY}&{long}"))

    assert crowded.startswith(b"HTTP/1.1 422 ")
    assert overlong.startswith(b"HTTP/1.1 400 ")


async def test_texts_that_would_act_on_a_terminal_or_a_log_are_kept_as_one_escaped_line(
    caller: Registered, gateway: Served, office: Office
) -> None:
    nasty = "a\r\nb\0c\x1b[31md\u202ee\x9bf\u2028"
    answer = await caller.ask(UNITE, object=nasty, context=nasty, headers={"x-request-id": str(uuid.uuid4())})

    record = await office.record_of(answer)
    printed = command(gateway.environ, "audit", "search", "--request-id", record["request_id"], "--json")

    assert answer.status_code == 200
    assert record["object"] == record["context"] == nasty.replace("\0", "\N{REPLACEMENT CHARACTER}")
    assert printed.isprintable()
    assert r"a\r\nb" in printed
    assert r"c\u001b[31md\u202ee\u009bf\u2028" in printed
    assert all(line.isprintable() for line in gateway.log.read_text().splitlines())


async def test_an_overlong_object_is_kept_in_part(caller: Registered, office: Office, gateway: Served) -> None:
    answer = await caller.ask(UNITE, object="o" * 40_000)
    refused = exchanged(gateway, asked(caller, f"{UNITE}?{QUERY}{'o' * 100_000}"))

    record = await office.record_of(answer)
    assert answer.status_code == 200
    assert record["object"] == "o" * 255
    assert refused.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("verb", ["HEAD", "GET"])
async def test_a_text_page_a_refusal_and_a_failure_answer_head_without_a_body(caller: Registered, verb: str) -> None:
    async with caller.client() as client:
        answers = [
            await client.request(verb, path, params=TRACE | {"object": verb}, headers=caller.authorization)
            for path in (UNITE, "/v3/nowhere", "/v4/insee/sirene/unites_legales/1", "/privileges", "/admin/bans")
        ]

    assert [answer.status_code for answer in answers] == [200, 404, 422, 200, 403]
    assert all((answer.content == b"") == (verb == "HEAD") for answer in answers)
    assert all(int(answer.headers["content-length"]) > 0 for answer in answers)


async def test_parameters_given_twice_count_once(caller: Registered, office: Office) -> None:
    async with caller.client() as client:
        answer = await client.get(f"{UNITE}?{QUERY}&object=&object=last", headers=caller.authorization)
        emptied = await client.get(f"{UNITE}?{QUERY}&object=", headers=caller.authorization)

    assert (await office.record_of(answer))["object"] == "last"
    assert codes_of(emptied) == ["00202"]


async def test_two_tokens_are_none(caller: Registered, gateway: Served) -> None:
    async with caller.client() as client:
        answers = [
            await client.get(UNITE, params=TRACE, headers=[*caller.authorization.items()] * 2),
            await client.get(UNITE, params=TRACE, headers=[("x-api-key", caller.token)] * 2),
            await client.get(f"{UNITE}?{QUERY}&token={caller.token}&token={caller.token}"),
        ]

    assert [(answer.status_code, code_of(answer)) for answer in answers] == [(401, "00101")] * 3


async def test_no_page_of_another_origin_may_read_an_answer(caller: Registered) -> None:
    answer = await caller.ask(UNITE, headers={"origin": "https://evil.example"})

    assert not {name for name in answer.headers if name.startswith("access-control")}


async def test_after_all_that_nothing_was_a_defect_and_the_gateway_serves_on(
    caller: Registered, gateway: Served, office: Office
) -> None:
    for verb in ("TRACE", "PROPFIND", "GET"):
        async with httpx.AsyncClient(base_url=gateway.url) as client:
            answer = await client.request(verb, "/v3/\N{PILE OF POO}", headers={"accept": "nonsense", "cookie": "a=b"})
        assert answer.status_code == 404

    log = gateway.log.read_text()
    assert "Traceback" not in log
    assert "defect" not in log
    assert (await caller.ask(UNITE)).status_code == 200
    assert await office.pool.fetchval("SELECT count(*) FROM audit_records WHERE status = 500") == 0
