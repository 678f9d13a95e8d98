"""What software written for the official service relies on, a test for each line of the list, on a running gateway."""

import asyncio
import math
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import pytest
import pytest_asyncio

from gateway.errors import Refused, provider_code
from providers import ENDPOINTS
from providers.base import Endpoint, Failure, Kind, ProviderFailed
from providers.base.parameters import Format, Formats
from providers.simulator.faults import BY_NAME
from providers.simulator.identifiers import siren_of
from providers.simulator.world import SHOWCASE
from tests.e2e.office import Office, Registered, open_office
from tests.e2e.running import Served, code_of, in_one_minute, start_gateway
from tests.e2e.simulated import TWINS_MEET, providers

PUBLIC = "https://octroi.example"
SETTINGS = {
    "OCTROI_PUBLIC_URL": PUBLIC,
    "OCTROI_UPSTREAM__MAINTENANCE": "true",
    "OCTROI_PROVIDERS__DGFIP__MAINTENANCE": "[]",
    "OCTROI_PROVIDERS__MSA__MAINTENANCE": "[]",
    "OCTROI_PROVIDERS__BANQUE_DE_FRANCE__MAINTENANCE": "[]",
    "OCTROI_PROVIDERS__CNETP__MAINTENANCE": '[{"start": "00:00", "end": "23:59:59"}]',
    "OCTROI_RATELIMIT__IP_PER_MINUTE": "100000",
    "OCTROI_RATELIMIT__GROUPS__JSON_RESOURCES_ENTREPRISE": "100000",
    "OCTROI_RATELIMIT__GROUPS__HIGH_LATENCY_DOCUMENTS": "1000",
}
UNITE = f"/v4/insee/sirene/unites_legales/{SHOWCASE.siren}"
ETABLISSEMENT = f"/v3/insee/sirene/etablissements/{SHOWCASE.siret}"
DOCUMENTS = {
    "v3": f"/v3/dgfip/unites_legales/{SHOWCASE.siren}/attestation_fiscale",
    "v4": f"/v4/dgfip/unites_legales/{SHOWCASE.siren}/attestation_fiscale",
}
CNETP = f"/v3/cnetp/unites_legales/{SHOWCASE.siren}/attestation_cotisations_conges_payes_chomage_intemperies"
PING_OF_CNETP = "/ping/cnetp/attestation_cotisations_conges_payes_chomage_intemperies"
NO_CACHE = {"cache-control": "no-cache"}
QUOTA = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
SHOWN = {
    "siren": SHOWCASE.siren,
    "siret": SHOWCASE.siret,
    "siret_or_rna": SHOWCASE.rna,
    "siren_or_rna": SHOWCASE.rna,
    "siren_or_siret_or_rna": SHOWCASE.rna,
    "siret_or_eori": SHOWCASE.siret,
    "year": "2024",
    "month": "01",
}


@pytest_asyncio.fixture(scope="module")
async def office(gateway: Served) -> AsyncIterator[Office]:
    async with open_office(gateway) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module")
async def caller(office: Office) -> Registered:
    return await office.caller()


def unite(name: str) -> str:
    """The company that brings a fault."""
    return f"/v4/insee/sirene/unites_legales/{BY_NAME[name].siren}"


@pytest_asyncio.fixture(scope="module")
async def refusals(office: Office, caller: Registered, simulator: Served) -> dict[str, httpx.Response]:
    """One answer of each kind that is not the data asked for."""
    limited, elsewhere = await office.caller(rate_limit=1), await office.caller(allowed_ips=("10.0.0.0/8",))
    await in_one_minute(8)
    await limited.ask(UNITE)
    async with providers(simulator, latency=TWINS_MEET):
        twins = await asyncio.gather(*(caller.ask(UNITE, object="twin", headers=NO_CACHE) for _ in range(2)))
    return {
        "400": await caller.ask(UNITE, headers={"accept": "nonsense"}),
        "401": await Registered(office.url, "none").ask(UNITE),
        "403 address": await elsewhere.ask(UNITE),
        "403 right": await (await office.caller("exercices")).ask(UNITE),
        "404": await caller.ask(f"/v4/insee/sirene/unites_legales/{SHOWCASE.siret_absent[:9]}"),
        "404 version": await caller.ask(f"/v4/insee/sirene/etablissements/{SHOWCASE.siret}/adresse"),
        "409": next(twin for twin in twins if twin.status_code == 409),
        "422 trace": await caller.ask(UNITE, context=""),
        "422 siren": await caller.ask("/v4/insee/sirene/unites_legales/123456789"),
        "429": await limited.ask(UNITE),
        "502": await caller.ask(unite("http_500")),
        "502 urssaf": await caller.ask(f"/v4/urssaf/unites_legales/{siren_of('00007002')}/attestation_vigilance"),
        "503": await caller.ask(CNETP),
        "504": await caller.ask(unite("http_504")),
    }


async def test_01_the_addresses_in_use_answer(caller: Registered) -> None:
    paths = [UNITE, ETABLISSEMENT, "/privileges", "/v2/privileges", "/pings", "/ping/insee/sirene"]
    paths += ["/v3/openapi.yaml", "/v3/openapi-entreprise.yaml"]

    answers = {path: await caller.ask(path) for path in paths}

    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(paths, 200)


async def test_02_parameters_that_are_unknown_are_ignored_and_stay_out_of_the_cache_key(caller: Registered) -> None:
    path = f"/v4/insee/sirene/unites_legales/{siren_of('00210201')}"
    first = await caller.ask(path, non_diffusables="true", user_id="1")

    second = await caller.ask(path)

    assert (first.status_code, second.status_code) == (200, 200)
    assert second.headers["x-response-cached"] == "true"


async def test_03_a_token_may_be_given_in_three_places_the_last_of_which_may_be_closed(
    caller: Registered, gateway: Served, stricter: Served
) -> None:
    anonymous = Registered(gateway.url, "")

    answers = [
        await anonymous.ask(UNITE, headers={"authorization": f"Bearer {caller.token}"}),
        await anonymous.ask(UNITE, headers={"x-api-key": caller.token}),
        await anonymous.ask(UNITE, token=caller.token),
    ]
    closed = await Registered(stricter.url, "").ask(UNITE, token=caller.token)

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert code_of(closed) == "00101"
    assert "tokens_admitted_in_addresses" in gateway.log.read_text()
    assert "tokens_admitted_in_addresses" not in stricter.log.read_text()


async def test_04_a_token_can_be_read_by_its_holder(caller: Registered) -> None:
    claims = jwt.decode(caller.token, options={"verify_signature": False})

    assert isinstance(claims["scopes"], list)
    assert "entreprises" in claims["scopes"]
    assert isinstance(claims["exp"], int)
    assert claims["jti"] == claims["uid"] == str(uuid.UUID(claims["jti"]))


async def test_05_every_refusal_and_failure_is_json_with_a_code_a_title_and_a_detail(
    refusals: dict[str, httpx.Response],
) -> None:
    assert {kind: answer.status_code for kind, answer in refusals.items()} == {kind: int(kind[:3]) for kind in refusals}
    for answer in refusals.values():
        errors = answer.json()["errors"]
        assert errors
        for error in errors:
            assert all(isinstance(error[name], str) and error[name] for name in ("code", "title", "detail"))
            assert error["meta"].get("provider_errors", ["told"])


async def test_06_the_three_headers_of_a_limit_come_together_and_are_integers(
    caller: Registered, refusals: dict[str, httpx.Response]
) -> None:
    answers = [*refusals.values(), await caller.ask(UNITE), await caller.ask("/v3/nowhere")]

    told = [[answer.headers[name] for name in QUOTA if name in answer.headers] for answer in answers]

    assert {len(values) for values in told} == {0, 3}
    for values in filter(None, told):
        assert all(value.isdecimal() for value in values)
        assert abs(int(values[2]) - time.time()) < 300
        assert int(values[2]) % 60 == 0
    assert {name for answer in answers for name in answer.headers if name.startswith("ratelimit")} == set(QUOTA)


async def test_07_the_wait_is_a_whole_number_of_seconds_and_at_least_one(refusals: dict[str, httpx.Response]) -> None:
    waits = [answer.headers["retry-after"] for answer in refusals.values() if "retry-after" in answer.headers]

    assert "retry-after" in refusals["429"].headers
    assert all(wait.isdecimal() and 1 <= int(wait) <= 86400 for wait in waits)


async def test_08_a_404_is_an_absence_and_what_is_no_absence_says_so(refusals: dict[str, httpx.Response]) -> None:
    assert code_of(refusals["404"]) == "01003"
    for kind in ("409", "429"):
        assert "ne dit rien de l'existence" in refusals[kind].json()["errors"][0]["detail"]


KEPT_CODES = {
    **{"01000": 502, "01001": 502, "01002": 504, "02002": 504, "03002": 504, "03020": 503, "28002": 504},
    **{"29002": 504, "31002": 504, "34002": 504, "00015": 409, "00100": 403, "00101": 401, "00103": 401},
    **{"00105": 401, "00107": 403, "00201": 422, "00202": 422, "00203": 422, "00210": 422, "00402": 404},
    **{"00429": 429, "04501": 502, "04502": 502, "04503": 502, "34008": 502, "08020": 503},
}


def test_09_the_codes_that_clients_know_are_given_with_their_status() -> None:
    known = {refused.value.code: refused.value.status for refused in Refused}
    known |= {rule.code: 422 for rule in vars(Formats).values() if isinstance(rule, Format)}
    for endpoint in ENDPOINTS:
        for kind in kinds(endpoint):
            known[provider_code(ProviderFailed(kind, {}), endpoint.provider.code)] = kind.status

    assert {code: known.get(code) for code in KEPT_CODES} == KEPT_CODES


def kinds(endpoint: Endpoint) -> Iterator[Kind]:
    """What may befall any call, and what the endpoint's rules tell."""
    yield from (Failure.INTERNAL, Failure.UNAVAILABLE, Failure.TIMEOUT, Failure.MAINTENANCE)
    yield from (rule.kind for rule in endpoint.failures)


async def test_10_a_ping_answers_within_a_second_without_a_token_in_words_that_clients_know(
    gateway: Served, simulator: Served
) -> None:
    async with Registered(gateway.url, "").client() as client:
        async with providers(simulator, faults={"ademe": "slow"}):
            slow = await client.get("/ping/ademe/certification_rge")
        plain, detailed = await client.get(PING_OF_CNETP), await client.get(f"{PING_OF_CNETP}?detail=true")
        well = [await client.get("/ping/insee/sirene") for _ in range(2)][1]

    # A provider that is slow is waited for for 0.7 s, to which a busy machine may add; it would take ten.
    for answer, seconds in ((slow, 2), (plain, 1), (detailed, 1), (well, 1)):
        assert answer.elapsed.total_seconds() < seconds
        told = answer.json()
        assert all(datetime.fromisoformat(told[name]) for name in ("last_update", "last_ok_status"))
    words = [answer.json()["status"] for answer in (slow, plain, detailed, well)]
    assert words == ["unknown", "unknown", "maintenance", "ok"]
    assert detailed.json()["until"]


@pytest_asyncio.fixture(scope="module")
async def answers(caller: Registered) -> dict[str, dict[str, Any]]:
    """What each operation answers about the company of demonstrations; CNETP is in maintenance here."""
    paths = {e.operation_id: re.sub(r"\{(\w+)\}", lambda f: SHOWN[f[1]], e.path) for e in ENDPOINTS}
    told = {name: await caller.ask(path) for name, path in paths.items() if path != CNETP}
    assert {name: answer.status_code for name, answer in told.items()} == dict.fromkeys(told, 200)
    return {name: answer.json() for name, answer in told.items()}


async def test_11_the_envelope_is_always_whole_in_a_list_for_each_item_too(answers: dict[str, dict[str, Any]]) -> None:
    for name, told in answers.items():
        assert set(told) == {"data", "links", "meta"}, name
        if isinstance(told["data"], list):
            assert told["data"], name
            assert {frozenset(item) for item in told["data"]} == {frozenset({"data", "links", "meta"})}, name


async def test_12_dates_are_seconds_where_they_were_and_nothing_that_is_null_is_left_out(
    answers: dict[str, dict[str, Any]],
) -> None:
    unite_legale, etablissement = (
        answers[f"api_entreprise_v3_insee_{name}"] for name in ("unites_legales", "etablissements")
    )

    assert isinstance(unite_legale["data"]["date_creation"], int)
    assert isinstance(unite_legale["meta"]["date_derniere_mise_a_jour"], int)
    assert isinstance(etablissement["data"]["date_creation"], int)
    assert unite_legale["data"]["date_cessation"] is None
    assert etablissement["data"]["date_fermeture"] is None
    assert unite_legale["data"]["personne_physique_attributs"]["nom_naissance"] is None


@pytest.mark.parametrize("version", ["v3", "v4"])
async def test_13_a_document_is_behind_a_bare_link_to_a_pdf_that_tells_its_life(
    caller: Registered, version: str
) -> None:
    data = (await caller.ask(DOCUMENTS[version])).json()["data"]
    url = urlsplit(data["document_url"])

    async with Registered(caller.url, "").client() as client:
        document = await client.get(url.path)

    assert f"{url.scheme}://{url.netloc}" == PUBLIC
    assert url.path.endswith(".pdf")
    assert data["expires_in" if version == "v3" else "document_url_expires_in"] == 86400
    assert (document.status_code, document.headers["content-type"]) == (200, "application/pdf")
    assert document.content.startswith(b"%PDF")


@pytest.fixture(scope="module")
def stricter(gateway: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway beside the first, over the same stores, whose operator closed what may be closed."""
    own = {"OCTROI_QUERY_TOKEN": "false", "OCTROI_DISTINCT_RECIPIENT": "true"}
    folder = tmp_path_factory.mktemp("stricter")
    shutil.copytree(
        gateway.environ["OCTROI_DATA_DIR"], folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("spool*", "*.log")
    )
    served = start_gateway(folder, {**gateway.environ, **own, "OCTROI_DATA_DIR": str(folder)})
    yield served
    served.stop()


async def test_14_who_asks_about_itself_is_served_unless_the_operator_minds(
    caller: Registered, stricter: Served
) -> None:
    minding = Registered(stricter.url, caller.token)

    served = [await caller.ask(path, recipient=SHOWCASE.siret) for path in (UNITE, ETABLISSEMENT)]
    refused = [await minding.ask(path, recipient=SHOWCASE.siret) for path in (UNITE, ETABLISSEMENT)]
    another = await minding.ask(UNITE)

    assert [answer.status_code for answer in served] == [200, 200]
    assert [(answer.status_code, code_of(answer)) for answer in refused] == [(422, "00211")] * 2
    assert another.status_code == 200


async def test_15_answers_come_within_the_patience_of_clients(caller: Registered, office: Office) -> None:
    json_seconds = sorted(answer.elapsed.total_seconds() for answer in await caller.in_turn(UNITE, 200))
    document = await caller.ask(DOCUMENTS["v4"])
    slow = await caller.ask(f"/v4/urssaf/unites_legales/{BY_NAME['slow'].siren}/attestation_vigilance")

    assert json_seconds[math.ceil(0.99 * len(json_seconds)) - 1] < 5
    assert document.elapsed.total_seconds() < 12
    assert (slow.status_code, code_of(slow)) == (504, "04002")
    assert 9.5 < slow.elapsed.total_seconds() < 11.5


@pytest.mark.parametrize(
    "given", ["", "mine", "5c1f0d6e", "é" * 40, "x" * 4000, "{0b7e4a52-3c55-4d0f-9f0e-6f2f6c1d9a10}"]
)
async def test_16_a_request_has_an_identifier_whatever_the_caller_sent(caller: Registered, given: str) -> None:
    mine = str(uuid.uuid4())

    made = await caller.ask(UNITE, headers={"x-request-id": given.encode()})  # type: ignore[dict-item]
    echoed = await caller.ask(UNITE, headers={"x-request-id": mine})

    assert made.status_code == 200
    assert uuid.UUID(made.headers["x-request-id"])
    assert made.headers["x-request-id"] != given
    assert echoed.headers["x-request-id"] == mine


async def test_17_the_cache_can_be_passed_by_and_says_what_it_did(caller: Registered) -> None:
    path = f"/v4/insee/sirene/unites_legales/{siren_of('00210217')}"

    miss, hit, fresh = [await caller.ask(path, headers=headers) for headers in ({}, {}, NO_CACHE)]

    told = [
        (answer.headers["x-response-cached"], answer.headers["x-cache-expires-in"]) for answer in (miss, hit, fresh)
    ]
    assert [cached for cached, _ in told] == ["false", "true", "false"]
    assert (told[0][1], told[2][1]) == ("", "")
    assert 0 < int(told[1][1]) <= 3600


async def test_18_content_types_are_those_of_the_official_service(
    caller: Registered, refusals: dict[str, httpx.Response]
) -> None:
    granted = await caller.ask(UNITE)

    of_gateway = ("401", "403 address", "403 right", "409", "422 trace", "429")
    of_data = ("404", "404 version", "422 siren", "502", "503", "504")
    assert granted.headers["content-type"] == "application/vnd.api+json"
    assert {refusals[kind].headers["content-type"] for kind in of_gateway} == {"application/json"}
    assert {refusals[kind].headers["content-type"] for kind in of_data} == {"application/vnd.api+json"}


async def test_19_head_works_and_no_other_verb_reaches_a_provider(caller: Registered, simulator: Served) -> None:
    siren = siren_of("00210219")
    path = f"/v4/insee/sirene/unites_legales/{siren}?context=a&object=b&recipient={SHOWCASE.recipient}"
    async with caller.client() as client:
        others = [
            await client.request(verb, path, headers=caller.authorization)
            for verb in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")
        ]
        asked = (await client.get(f"{simulator.url}/_simulator")).json()["calls"]["paths"]
        head = await client.head(path, headers=caller.authorization)

    assert {other.status_code for other in others} == {404}
    assert not [called for called in asked if siren in called]
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == "application/vnd.api+json"


GENERATOR = Path(sys.executable).with_name("openapi-generator-cli")
LANGUAGES = {
    "python": "octroi/api/*.py",
    "typescript-fetch": "apis/*.ts",
    "java": "src/main/java/**/api/*Api.java",
    "php": "lib/Api/*Api.php",
}


@pytest.mark.slow
@pytest.mark.skipif(
    not GENERATOR.exists() or shutil.which("java") is None, reason="the generator of clients needs Java"
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_20_a_client_is_generated_in_four_languages(gateway: Served, tmp_path: Path, language: str) -> None:
    document = tmp_path / "openapi.yaml"
    document.write_bytes(httpx.get(f"{gateway.url}/v3/openapi.yaml").content)
    out = tmp_path / "client"

    done = subprocess.run(
        [GENERATOR, "generate", "-g", language, "-i", document, "-o", out, "--package-name", "octroi"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    written = "".join(path.read_text() for path in out.glob(LANGUAGES[language]))
    words = {re.sub("_", "", endpoint.operation_id).lower() for endpoint in ENDPOINTS}
    assert {word for word in words if word not in re.sub("_", "", written).lower()} == set()
    if language == "python":
        subprocess.run([sys.executable, "-m", "compileall", "-q", out / "octroi"], check=True)
