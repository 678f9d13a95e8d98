"""Administration over HTTP: who may, what each route tells, and that what is done holds at once."""

from typing import Any

import httpx
import pytest

from providers.simulator.world import SHOWCASE
from tests.e2e.office import Office, Registered
from tests.e2e.running import RECIPIENT, Caller, Served, code_of, codes_of

UNITE = f"/v4/insee/sirene/unites_legales/{SHOWCASE.siren}"
NOBODY = "00000000-0000-4000-8000-000000000000"
READ = (
    "/admin/bans",
    "/admin/bans/192.0.2.1",
    "/admin/ips/192.0.2.1",
    f"/admin/quotas/{NOBODY}",
    "/admin/tokens",
    f"/admin/tokens/{NOBODY}",
    "/admin/habilitations",
    "/admin/providers",
    "/admin/audit",
    "/metrics",
)
WRITTEN = ("/admin/habilitations", "/admin/tokens", f"/admin/tokens/{NOBODY}/revocation")
NEW = {"siret": RECIPIENT, "intitule": "Marchés", "scopes": ["entreprises"]}


async def read(operator: Caller, path: str, **parameters: str) -> httpx.Response:
    async with operator.client() as client:
        return await client.get(path, params=parameters, headers=operator.authorization)


async def post(operator: Caller, path: str, body: Any = None, **more: Any) -> httpx.Response:
    async with operator.client() as client:
        return await client.post(path, json=body, headers=operator.authorization, **more)


@pytest.mark.parametrize("path", READ)
async def test_a_page_is_for_operators(office: Office, caller: Registered, gateway: Served, path: str) -> None:
    answers = [await read(who, path) for who in (Caller(gateway.url, ""), caller)]

    assert [(answer.status_code, code_of(answer)) for answer in answers] == [(401, "00101"), (403, "00100")]
    assert {answer.headers["content-type"] for answer in answers} == {"application/json"}


@pytest.mark.parametrize("path", WRITTEN)
async def test_an_act_is_for_operators_who_may_write(
    office: Office, caller: Registered, gateway: Served, path: str
) -> None:
    reader = await office.operator("admin:read")

    answers = [await post(who, path, NEW) for who in (Caller(gateway.url, ""), caller, reader)]

    assert [answer.status_code for answer in answers] == [401, 403, 403]


async def test_who_may_only_write_may_not_read(office: Office) -> None:
    assert code_of(await read(await office.operator("admin:write"), "/admin/bans")) == "00100"


async def test_an_operator_s_token_is_not_taken_from_the_address(operator: Registered, gateway: Served) -> None:
    answer = await read(Caller(gateway.url, ""), "/admin/bans", token=operator.token)

    assert (answer.status_code, code_of(answer)) == (401, "00101")


async def test_an_operator_s_token_opens_no_data(operator: Registered) -> None:
    answer = await operator.ask(UNITE)

    assert (answer.status_code, code_of(answer)) == (403, "00100")


async def test_a_revoked_operator_is_refused_at_once(office: Office, operator: Registered) -> None:
    dismissed = await office.operator()
    assert (await read(dismissed, "/admin/bans")).status_code == 200

    await post(operator, f"/admin/tokens/{dismissed.jti}/revocation", {"reason": "left"})

    assert code_of(await read(dismissed, "/admin/bans")) == "00105"


async def test_a_token_issued_here_works_at_once_and_is_refused_at_once_when_revoked(
    operator: Registered, gateway: Served
) -> None:
    created = (await post(operator, "/admin/habilitations", NEW)).json()["data"]
    issued = await post(operator, "/admin/tokens", {"habilitation": created["id"]})
    client = Caller(gateway.url, issued.json()["data"]["token"])
    before = await client.ask(UNITE)
    shown = (await read(operator, f"/admin/tokens/{issued.json()['data']['jti']}")).json()["data"]

    revoked = await post(operator, f"/admin/tokens/{shown['jti']}/revocation")

    after = await client.ask(UNITE)
    assert issued.status_code == 201
    assert before.status_code == 200
    assert (shown["habilitation_id"], shown["scopes"]) == (created["id"], ["entreprises"])
    assert "token" not in shown
    assert revoked.json()["data"]["revoked_at"] is not None
    assert (after.status_code, code_of(after)) == (401, "00105")


async def test_a_planned_revocation_is_shown_and_does_not_hold_yet(office: Office, operator: Registered) -> None:
    client = await office.caller()

    answer = await post(operator, f"/admin/tokens/{client.jti}/revocation", {"at": "2099-01-01T00:00:00+01:00"})

    assert answer.json()["data"]["revoked_at"].startswith("2098-12-31T23:00:00")
    assert (await client.ask(UNITE)).status_code == 200


async def test_each_act_and_each_look_is_in_the_audit_trail_with_who_and_what(
    office: Office, operator: Registered
) -> None:
    created = await post(operator, "/admin/habilitations", NEW)
    issued = await post(operator, "/admin/tokens", {"habilitation": created.json()["data"]["id"]})
    looked = await read(operator, "/admin/tokens", limit="1")
    refused = await post(operator, "/admin/tokens", {"habilitation": NOBODY})

    records = [await office.record_of(answer) for answer in (created, issued, looked, refused)]

    assert {record["jti"] for record in records} == {operator.jti}
    assert [(record["method"], record["path"], record["status"]) for record in records] == [
        ("POST", "/admin/habilitations", 201),
        ("POST", "/admin/tokens", 201),
        ("GET", "/admin/tokens", 200),
        ("POST", "/admin/tokens", 404),
    ]
    assert [record["codes"] for record in records] == [[], [], [], ["00404"]]
    assert records[0]["extra"] == {"habilitation_created": created.json()["data"]["id"]}
    assert records[1]["extra"] == {"token_issued": issued.json()["data"]["jti"]}


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/admin/habilitations", {}, ["siret", "intitule", "scopes"]),
        ("/admin/habilitations", NEW | {"siret": "123"}, ["siret"]),
        ("/admin/habilitations", NEW | {"scopes": ["entreprise"]}, ["scopes"]),
        ("/admin/habilitations", NEW | {"scopes": ["admin:read"]}, ["scopes"]),
        ("/admin/habilitations", NEW | {"allowed_ips": ["here"]}, ["allowed_ips"]),
        ("/admin/habilitations", NEW | {"rate_limit_per_minute": 0}, ["rate_limit_per_minute"]),
        ("/admin/habilitations", NEW | {"id": NOBODY}, ["id"]),
        ("/admin/habilitations", NEW | {"intitule": " ", "siret": ""}, ["siret", "intitule"]),
        ("/admin/habilitations", NEW | {"intitule": "a\0b"}, ["intitule"]),
        ("/admin/habilitations", [], ["body"]),
        ("/admin/tokens", {"habilitation": "x"}, ["habilitation"]),
        ("/admin/tokens", {"habilitation": NOBODY, "expires_at": "2020-01-01T00:00:00Z"}, ["expires_at"]),
        ("/admin/tokens", {"habilitation": NOBODY, "expires_at": "2099-01-01T00:00:00Z"}, ["expires_at"]),
        ("/admin/tokens", {"habilitation": NOBODY, "expires_at": "2026-12-31T00:00:00"}, ["expires_at"]),
        (f"/admin/tokens/{NOBODY}/revocation", {"at": "soon"}, ["at"]),
        (f"/admin/tokens/{NOBODY}/revocation", {"at": "2027-01-01T00:00:00"}, ["at"]),
        (f"/admin/tokens/{NOBODY}/revocation", {"reason": "x" * 501}, ["reason"]),
    ],
)
async def test_a_wrong_value_is_named(operator: Registered, path: str, body: Any, named: list[str]) -> None:
    answer = await post(operator, path, body)

    assert answer.status_code == 422
    assert set(codes_of(answer)) == {"00400"}
    assert [error["source"]["parameter"] for error in answer.json()["errors"]] == named


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 422, "00400"),
        (b"\x00", 422, "00400"),
        (b'{"siret": 1e999}', 422, "00400"),
        (b"\xed\xa0\x80", 422, "00400"),
        (b"[" * 100_000, 400, "00401"),
    ],
    ids=["cut", "nul", "infinite", "surrogate", "deep"],
)
async def test_a_body_that_is_no_json_is_refused_cleanly(
    operator: Registered, body: bytes, status: int, code: str
) -> None:
    async with operator.client() as client:
        answer = await client.post(
            "/admin/habilitations",
            content=body,
            headers={**operator.authorization, "content-type": "application/json"},
        )

    assert answer.status_code == status
    assert set(codes_of(answer)) == {code}


@pytest.mark.parametrize(
    ("path", "parameters", "named"),
    [
        ("/admin/tokens", {"limit": "0"}, "limit"),
        ("/admin/tokens", {"habilitation": "x"}, "habilitation"),
        ("/admin/audit", {"from": "yesterday"}, "from"),
        ("/admin/audit", {"limit": "1001"}, "limit"),
        ("/admin/audit", {"siren": "\0"}, "siren"),
        ("/admin/habilitations", {"siret": "\0"}, "siret"),
        ("/admin/quotas/x", {}, "jti"),
    ],
)
async def test_a_wrong_parameter_is_named(
    operator: Registered, path: str, parameters: dict[str, str], named: str
) -> None:
    answer = await read(operator, path, **parameters)

    assert answer.status_code == 422
    assert codes_of(answer) == ["00400"]
    assert answer.json()["errors"][0]["source"] == {"parameter": named}


@pytest.mark.parametrize(
    "path",
    [
        f"/admin/tokens/{NOBODY}",
        "/admin/tokens/x",
        "/admin/tokens/%00",
        f"/admin/quotas/{NOBODY}",
        "/admin/bans/192.0.2.1",
        "/admin/bans/x",
    ],
)
async def test_what_is_not_there_is_not_found(operator: Registered, path: str) -> None:
    answer = await read(operator, path)

    assert (answer.status_code, code_of(answer)) == (404, "00404")


async def test_nothing_can_be_deleted_or_put(operator: Registered) -> None:
    async with operator.client() as client:
        answers = [
            await client.request(verb, path, headers=operator.authorization)
            for path in (*READ[:-1], *WRITTEN)
            for verb in ("DELETE", "PUT", "PATCH")
        ]

    assert {answer.status_code for answer in answers} == {404}


async def test_lists_continue_where_their_page_ends(office: Office, operator: Registered) -> None:
    issued = [(await office.caller()).jti for _ in range(3)]

    first = (await read(operator, "/admin/tokens", limit="2")).json()
    async with operator.client() as client:
        second = (await client.get(first["links"]["next"], headers=operator.authorization)).json()

    assert [row["jti"] for row in first["data"] + second["data"]][:3] == issued[::-1]
    assert first["meta"] == {"count": 2}


async def test_habilitations_are_found_by_siret(operator: Registered) -> None:
    found = (await read(operator, "/admin/habilitations", siret=RECIPIENT)).json()["data"]
    none = (await read(operator, "/admin/habilitations", siret="00000000000000")).json()

    assert {row["siret"] for row in found} == {RECIPIENT}
    assert none == {"data": [], "links": {}, "meta": {"count": 0}}


async def test_a_quota_tells_what_is_used_and_uses_nothing(office: Office, operator: Registered) -> None:
    client = await office.caller("entreprises", rate_limit=60)
    told = await client.ask(UNITE)

    rows = [(await read(operator, f"/admin/quotas/{client.jti}")).json()["data"] for _ in range(2)][1]

    quotas = {row["group"]: row for row in rows}
    assert set(quotas) == {"custom", "json_resources_entreprise"}
    assert set(quotas["custom"]) == {"group", "limit", "used", "remaining", "reset"}
    if int(told.headers["ratelimit-reset"]) == quotas["custom"]["reset"]:  # else the minute ended between the two
        assert (quotas["custom"]["limit"], quotas["custom"]["used"], quotas["custom"]["remaining"]) == (60, 1, 59)


async def test_an_address_is_shown_with_what_it_did_and_its_ban(office: Office, operator: Registered) -> None:
    flooding = await office.caller(source="127.0.3.1", rate_limit=1)
    await flooding.in_turn(UNITE, 11)

    address = (await read(operator, "/admin/ips/127.0.3.1")).json()["data"]
    ban = (await read(operator, "/admin/bans/127.0.3.1")).json()["data"]
    bans = (await read(operator, "/admin/bans")).json()["data"]

    assert set(ban) == {"ip", "reason", "banned_at", "until", "seconds_left"}
    assert (ban["ip"], ban["reason"]) == ("127.0.3.1", "refusals")
    assert 43190 <= ban["seconds_left"] <= 43200
    assert "127.0.3.1" in {row["ip"] for row in bans}
    assert address["ban"]["until"] == ban["until"]
    assert address["refusals_limit"] == 10


async def test_providers_are_shown_with_their_operations_and_pings(operator: Registered) -> None:
    providers = {row["slug"]: row for row in (await read(operator, "/admin/providers")).json()["data"]}

    assert providers["insee"]["breaker"] == "closed"
    assert "api_entreprise_v4_insee_unites_legales" in providers["insee"]["operations"]
    assert providers["insee"]["pings"][0].endswith("/ping/insee/sirene")


async def test_the_audit_trail_is_searched(office: Office, caller: Registered, operator: Registered) -> None:
    answer = await caller.ask(UNITE, object="searched for")
    await office.record_of(answer)

    found = (await read(operator, "/admin/audit", token=caller.jti, siren=SHOWCASE.siren, limit="1000")).json()["data"]

    record = next(row for row in found if row["request_id"] == answer.headers["x-request-id"])
    assert record["object"] == "searched for"
    assert {row["jti"] for row in found} == {caller.jti}


async def test_metrics_are_for_operators_here_and_for_whoever_reaches_their_own_port(
    office: Office, metrics_port: int
) -> None:
    here = await read(await office.operator("admin:read"), "/metrics")
    async with httpx.AsyncClient() as client:
        there = await client.get(f"http://127.0.0.1:{metrics_port}/metrics")

    for answer in (here, there):
        assert answer.status_code == 200
        assert "octroi_requests_total{" in answer.text
