"""The protocol's own answers beside those of the ASGI door: the same requests, byte for byte the same answers."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway.raw import KEPT, KEPT_REFUSAL, QUERY, UNITE, Both, exchange, in_head_order, request_text

TARGETS = st.sampled_from(
    [
        UNITE,
        KEPT,
        KEPT,
        KEPT_REFUSAL,
        KEPT + "&more=1",
        KEPT.replace("recipient=1", "recipient=2"),
        "/v4/insee/sirene/unites_legales/123?" + QUERY,
        "/v4/insee/sirene/unites_legales/000010017",
        "/v4/insee/sirene/etablissements/00001001700010/adresse?" + QUERY,
        "/v3/nowhere",
        "/v2/anything",
        "/privileges",
        "//v3/insee",
        "/v3/insee/%2e%2e/x?%ff=%00",
        "/v4/insee/sirene/unites_legales/0000%2F10017?" + QUERY,
        "/livez",
        "/openapi.json",
        "/admin/bans",
        "/",
    ]
)
METHODS = st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "DELETE"])
HEADERS = st.lists(
    st.sampled_from(
        [
            "Accept: application/json",
            "Accept: nonsense",
            "X-Request-Id: 7c1f0d3e-6f0a-4c5e-9d3a-0a4a4d9c2b11",
            "X-Request-Id: not a uuid",
            "Cache-Control: no-cache",
            "X-Forwarded-For: 203.0.113.9",
            "X-Odd: \xe9\xff",
            "X-Correlation-Id: 1",
            "X-Correlation-Id:2",
            "User-Agent: somebody",
            "Content-Type: json",
            "Content-Length: 0",
            "Connection: close",
            "Authorization: Bearer junk",
        ]
    ),
    max_size=3,
    unique=True,
)


REQUESTS = st.lists(st.tuples(METHODS, TARGETS, HEADERS, st.booleans()), min_size=1, max_size=4)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(asked=REQUESTS, cut=st.integers(0, 200))
async def test_pipelined_and_split_requests_are_answered_alike(
    both: Both, asked: list[tuple[str, str, list[str], bool]], cut: int
) -> None:
    last = len(asked) - 1
    raw = b"".join(
        request_text(method, target, headers, both.token if has_token else None, last=index == last)
        for index, (method, target, headers, has_token) in enumerate(asked)
    )
    pieces = [raw[:cut], raw[cut:]] if cut else [raw]

    direct, asgi = await exchange(both.direct, pieces), await exchange(both.asgi, pieces)

    assert in_head_order(direct) == in_head_order(asgi)


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /privileges HTTP/1.0\r\n\r\n",
        b"GET http://elsewhere.test/privileges HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /privileges HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"GET /privileges HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
        b"GET /privileges HTTP/1.1\nHost: x\nConnection: close\n\n",
        b"\x00\x01\x02\x03",
        b"GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab",
        b"GET /" + b"a" * 60000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
    ids=["http-1.0", "absolute-form", "two-lengths", "body", "bare-lf", "junk", "expect", "long-path"],
)
async def test_odd_requests_are_answered_alike(both: Both, raw: bytes) -> None:
    direct, asgi = await exchange(both.direct, [raw]), await exchange(both.asgi, [raw])

    assert in_head_order(direct) == in_head_order(asgi)


async def test_a_client_that_leaves_does_not_disturb_the_next(both: Both) -> None:
    for port in (both.direct, both.asgi):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_text("GET", UNITE, [], both.token, last=False)[:-2])
        writer.close()

    answer = await exchange(both.direct, [request_text("GET", "/privileges", [], both.token, last=True)])

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
