"""The order of checks and their codes, row by row, on a running gateway (behaviours §2)."""

import asyncio
import uuid

import httpx
import jwt
import pytest

from providers.simulator.identifiers import siren_of
from providers.simulator.world import SHOWCASE
from tests.e2e.conftest import Desk
from tests.e2e.running import Caller, Served, code_of, codes_of, command
from tests.e2e.simulated import TWINS_MEET, providers

UNITE = f"/v4/insee/sirene/unites_legales/{SHOWCASE.siren}"
SETTINGS = {
    "OCTROI_RATELIMIT__IP_PER_MINUTE": "100000",
    "OCTROI_RATELIMIT__GROUPS__JSON_RESOURCES_ENTREPRISE": "100000",
}


def jti_of(caller: Caller) -> str:
    return str(jwt.decode(caller.token, options={"verify_signature": False})["jti"])


async def test_a_known_company_is_answered_in_the_official_envelope(caller: Caller) -> None:
    answer = await caller.ask(UNITE)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.api+json"
    assert set(answer.json()) == {"data", "links", "meta"}
    assert answer.json()["data"]["siren"] == SHOWCASE.siren


async def test_a_revoked_token_is_refused_at_its_next_call_even_where_it_is_expired_too(desk: Desk) -> None:
    caller = desk.caller()
    assert (await caller.ask(UNITE)).status_code == 200

    command(desk.environ, "token", "revoke", jti_of(caller))

    answer = await caller.ask(UNITE)
    assert (answer.status_code, code_of(answer)) == (401, "00105")
    assert answer.headers["content-type"] == "application/json"
    assert not [name for name in answer.headers if name.startswith("ratelimit")]


async def test_a_planned_revocation_holds_from_its_moment_only(desk: Desk) -> None:
    caller = desk.caller()

    command(desk.environ, "token", "revoke", jti_of(caller), "--at", "2099-01-01")

    assert (await caller.ask(UNITE)).status_code == 200


async def test_a_revoked_token_is_told_so_on_an_unknown_page_too(desk: Desk) -> None:
    caller = desk.caller()
    command(desk.environ, "token", "revoke", jti_of(caller))

    answer = await caller.ask("/v3/nowhere")

    assert code_of(answer) == "00105"


async def test_an_address_outside_the_list_is_refused(desk: Desk) -> None:
    caller = desk.caller("all", "--allowed-ip", "10.0.0.0/8")

    answer = await caller.ask(UNITE)

    assert (answer.status_code, code_of(answer)) == (403, "00107")
    assert answer.json()["errors"][0]["source"] == {"header": "X-Forwarded-For"}


async def test_a_change_of_the_address_list_holds_at_the_next_call(desk: Desk) -> None:
    habilitation = desk.habilitation("all", "--allowed-ip", "10.0.0.0/8")
    caller = Caller(desk.url, desk.token(habilitation))
    assert (await caller.ask(UNITE)).status_code == 403

    command(desk.environ, "habilitation", "update", habilitation, "--allowed-ip", "127.0.0.0/8")

    assert (await caller.ask(UNITE)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/v3", "/v3/nowhere", "//v3/insee", "/v3/insee/sirene/unites_legales", "/x/../v3"]
)
async def test_an_unknown_page_is_a_text(caller: Caller, path: str) -> None:
    answer = await caller.ask(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("verb", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_verbs_fall_on_the_text_page(caller: Caller, verb: str) -> None:
    async with caller.client() as client:
        answer = await client.request(verb, UNITE, headers=caller.authorization)

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/plain")


async def test_version_2_is_gone(caller: Caller) -> None:
    answer = await caller.ask("/v2/entreprises/000010017")

    assert answer.status_code == 410
    assert "15/11/2023" in answer.text


@pytest.mark.parametrize("resource", ["actes", "brevets", "marques", "modeles"])
async def test_the_former_pages_of_inpi_are_gone_without_a_token(gateway: Served, resource: str) -> None:
    answer = await Caller(gateway.url, "").ask(f"/v3/inpi/unites_legales/000010017/{resource}")

    assert answer.status_code == 410


@pytest.mark.parametrize("token", ["", "junk", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
async def test_no_token_or_an_unreadable_one_is_refused(gateway: Served, token: str) -> None:
    answer = await Caller(gateway.url, token).ask(UNITE)

    assert (answer.status_code, code_of(answer)) == (401, "00101")


async def test_the_bearer_prefix_is_exact(caller: Caller, gateway: Served) -> None:
    anonymous = Caller(gateway.url, "")
    for value in (f"FuBearer {caller.token}", f"bearer {caller.token}", f"Bearer  {caller.token}"):
        answer = await anonymous.ask(UNITE, headers={"authorization": value})

        assert code_of(answer) == "00101", value


async def test_a_token_is_taken_from_each_of_its_three_places(caller: Caller, gateway: Served) -> None:
    anonymous = Caller(gateway.url, "")

    answers = [
        await anonymous.ask(UNITE, headers={"authorization": f"Bearer {caller.token}"}),
        await anonymous.ask(UNITE, headers={"x-api-key": caller.token}),
        await anonymous.ask(UNITE, token=caller.token),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200]


async def test_junk_in_the_first_place_does_not_send_us_looking_in_another(caller: Caller, gateway: Served) -> None:
    answer = await Caller(gateway.url, "junk").ask(UNITE, token=caller.token)

    assert code_of(answer) == "00101"


async def test_an_expired_token_is_refused_after_it_was_counted(desk: Desk) -> None:
    caller = Caller(desk.url, desk.token(desk.habilitation(), "--expires-at", "2025-01-01"))

    answer = await caller.ask(UNITE)

    assert (answer.status_code, code_of(answer)) == (401, "00103")
    assert "ratelimit-limit" in answer.headers


async def test_a_scope_that_is_missing_is_refused(desk: Desk) -> None:
    answer = await desk.caller("exercices").ask(UNITE)

    assert (answer.status_code, code_of(answer)) == (403, "00100")


async def test_scopes_are_those_of_the_registry_whatever_the_token_says(desk: Desk) -> None:
    habilitation = desk.habilitation("exercices")
    caller = Caller(desk.url, desk.token(habilitation))
    assert (await caller.ask(UNITE)).status_code == 403

    command(desk.environ, "habilitation", "update", habilitation, "--scopes", "entreprises")

    assert (await caller.ask(UNITE)).status_code == 200


async def test_an_identical_call_under_way_is_a_conflict_and_a_later_one_is_not(
    caller: Caller, simulator: Served
) -> None:
    async with providers(simulator, latency=TWINS_MEET):
        both = await asyncio.gather(
            caller.ask(UNITE, object="twin", headers={"cache-control": "no-cache"}), _later(caller)
        )
    again = await caller.ask(UNITE, object="twin", headers={"cache-control": "no-cache"})

    assert sorted(answer.status_code for answer in both) == [200, 409]
    assert code_of(next(answer for answer in both if answer.status_code == 409)) == "00015"
    assert again.status_code == 200


async def _later(caller: Caller) -> httpx.Response:
    await asyncio.sleep(0.15)
    return await caller.ask(UNITE, object="twin", headers={"cache-control": "no-cache"})


async def test_missing_trace_parameters_are_reported_together_in_their_order(caller: Caller) -> None:
    answer = await caller.ask(UNITE, context=None, object=" ", recipient=None)

    assert answer.status_code == 422
    assert codes_of(answer) == ["00201", "00203", "00202"]
    assert answer.headers["content-type"] == "application/json"


async def test_a_refusal_leaves_nothing_that_would_make_the_next_call_a_conflict(caller: Caller) -> None:
    answers = [await caller.ask(UNITE, recipient="123") for _ in range(3)]

    assert [code_of(answer) for answer in answers] == ["00210"] * 3


async def test_a_version_that_does_not_exist_is_told_after_the_trace(caller: Caller) -> None:
    path = f"/v4/insee/sirene/etablissements/{SHOWCASE.siret}/adresse"

    untraced, unknown = await caller.ask(path, context=""), await caller.ask(path)

    assert codes_of(untraced) == ["00201"]
    assert (unknown.status_code, code_of(unknown)) == (404, "00402")
    assert unknown.headers["content-type"] == "application/vnd.api+json"
    assert unknown.headers["x-response-cached"] == "false"


async def test_a_recipient_equal_to_the_called_company_is_accepted(caller: Caller) -> None:
    answer = await caller.ask(f"/v4/insee/sirene/etablissements/{SHOWCASE.siret}", recipient=SHOWCASE.siret)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v4/insee/sirene/unites_legales/123456789", "00301"),
        ("/v4/insee/sirene/unites_legales/%20", "00401"),
        ("/v4/insee/sirene/unites_legales/000010017%00", "00301"),
        ("/v4/insee/sirene/unites_legales/000 010 017", "00301"),
        ("/v4/insee/sirene/etablissements/00001001700011", "00302"),
        (f"/v3/dgfip/unites_legales/{SHOWCASE.siren}/liasses_fiscales/98", "00307"),
        (f"/v3/dgfip/unites_legales/{SHOWCASE.siren}/liasses_fiscales/2005", "00315"),
    ],
)
async def test_an_identifier_that_cannot_be_read_has_its_code(caller: Caller, path: str, code: str) -> None:
    answer = await caller.ask(path)

    assert code_of(answer) == code
    assert answer.status_code == (400 if code == "00401" else 422)
    assert answer.headers["content-type"] == "application/vnd.api+json"


async def test_an_endpoint_that_accumulates_reports_every_wrong_parameter(caller: Caller) -> None:
    answer = await caller.ask("/v3/dgfip/unites_legales/123456789/liasses_fiscales/2005")

    assert codes_of(answer) == ["00301", "00315"]


async def test_la_poste_s_establishments_need_not_satisfy_luhn(caller: Caller) -> None:
    answer = await caller.ask("/v4/insee/sirene/etablissements/35600000000001")

    assert code_of(answer) == "01003"


@pytest.mark.parametrize("header", ["accept", "content-type"])
async def test_a_header_that_is_no_media_type_is_malformed(caller: Caller, header: str) -> None:
    answer = await caller.ask(UNITE, headers={header: "nonsense"})

    assert (answer.status_code, code_of(answer)) == (400, "00401")


async def test_an_unknown_company_is_not_found(caller: Caller) -> None:
    answer = await caller.ask("/v4/insee/sirene/unites_legales/000000000")

    assert (answer.status_code, code_of(answer)) == (404, "01003")
    assert answer.json()["errors"][0]["meta"] == {"provider": "INSEE"}


async def test_privileges_list_the_scopes_without_a_trace(caller: Caller, gateway: Served) -> None:
    async with caller.client() as client:
        answers = [await client.get(path, headers=caller.authorization) for path in ("/privileges", "/v2/privileges")]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert "entreprises" in answers[0].json()["data"]["privileges"]


async def test_a_request_id_is_echoed_where_it_is_a_uuid_and_made_where_it_is_not(caller: Caller) -> None:
    mine = str(uuid.uuid4())

    echoed = await caller.ask(UNITE, headers={"x-request-id": mine})
    made = await caller.ask(UNITE, headers={"x-request-id": "mine"})

    assert echoed.headers["x-request-id"] == mine
    assert uuid.UUID(made.headers["x-request-id"])
    assert made.status_code == 200


async def test_head_answers_as_get_without_a_body(caller: Caller) -> None:
    async with caller.client() as client:
        answer = await client.head(
            UNITE, params={"context": "a", "object": "b", "recipient": "13002526500013"}, headers=caller.authorization
        )

    assert answer.status_code == 200
    assert answer.content == b""
    assert int(answer.headers["content-length"]) > 100


async def test_unknown_parameters_are_ignored_and_share_the_kept_answer(caller: Caller) -> None:
    path = f"/v4/insee/sirene/unites_legales/{siren_of('00200001')}"
    await caller.ask(path)

    answer = await caller.ask(path, non_diffusables="true", user_id="x")

    assert answer.headers["x-response-cached"] == "true"
