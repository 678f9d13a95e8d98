"""Tools for assistants, on a running gateway, by the official client (behaviours §10)."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import pytest_asyncio
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from config.clock import system_clock
from config.settings import JwtSettings
from gateway.cli.common import all_scopes, signed
from gateway.registry.rules import Terms, from_epoch
from gateway.registry.store import Store
from gateway.tokens import Keys
from providers import ENDPOINTS
from providers.simulator.faults import BY_NAME
from providers.simulator.world import SHOWCASE
from tests.e2e.office import Office, open_office
from tests.e2e.running import RECIPIENT, Caller, Served, code_of, in_one_minute

SETTINGS = {"OCTROI_RATELIMIT__GROUPS__MCP": "40"}
DOCUMENTED = {
    "insee.unite_legale": {"siren"},
    "insee.unite_legale_diffusable": {"siren"},
    "insee.etablissement": {"siret"},
    "urssaf.attestations_sociales": {"siren"},
    "infogreffe.extraits_rcs": {"siren"},
    "infogreffe.mandataires_sociaux": {"siren"},
    "qualibat.certifications_batiment": {"siret"},
    "dgfip.attestation_fiscale": {"siren"},
    "dgfip.chiffres_affaires": {"siret"},
    "dgfip.liasses_fiscales": {"siren", "year"},
    "dgfip.liens_capitalistiques": {"siren", "year"},
    "inpi.rne.beneficiaires_effectifs": {"siren"},
}
PATTERNS = {"siren": r"^\d{9}$", "siret": r"^\d{14}$", "year": r"^\d{4}$"}
GUIDES = {
    "insee_unite_legale",
    "urssaf_attestations_sociales",
    "insee_unite_legale_diffusable",
    "infogreffe_extraits_rcs",
    "qualibat_certifications_batiment",
}
INITIALISE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "essai", "version": "1"},
}


@dataclass
class Assistant(Caller):
    """A client of the tools, by the official SDK or by hand."""

    jti: str = ""

    @asynccontextmanager
    async def connected(self, mode: str = "auto") -> AsyncIterator[Client]:
        async with httpx2.AsyncClient(headers=self.authorization, timeout=30) as http:
            transport = streamable_http_client(f"{self.url}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:
                yield client

    async def post(self, method: str, *, source: str = "", **params: Any) -> httpx.Response:
        """One request, written by hand."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return await self.send(json.dumps(body), source)

    async def call(self, tool: str, /, **arguments: str) -> httpx.Response:
        return await self.post("tools/call", name=tool, arguments=arguments)

    async def send(self, body: str, source: str = "") -> httpx.Response:
        told = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        caller = Caller(self.url, self.token, source or self.source)
        async with caller.client() as client:
            return await client.post("/mcp", content=body, headers={**self.authorization, **told})


@pytest_asyncio.fixture(scope="module")
async def office(gateway: Served) -> AsyncIterator[Office]:
    async with open_office(gateway) as opened:
        yield opened


class Bureau:
    """Issues tokens for assistants."""

    def __init__(self, gateway: Served, office: Office) -> None:
        self.url = gateway.url
        self.store = Store(office.pool, system_clock)
        self._keys = Keys.load(JwtSettings(), Path(gateway.environ["OCTROI_DATA_DIR"]), system_clock)

    async def assistant(
        self,
        *scopes: str,
        mcp: bool = True,
        allowed_ips: tuple[str, ...] = (),
        rate_limit: int | None = None,
        is_expired: bool = False,
    ) -> Assistant:
        terms = Terms(RECIPIENT, "Essai", scopes or tuple(all_scopes()), (), allowed_ips, rate_limit)
        habilitation = await self.store.create_habilitation(terms)
        until = from_epoch(system_clock()) - timedelta(hours=1) if is_expired else None
        token, _ = await self.store.issue_token(habilitation.id, expires_at=until, mcp=mcp, may_be_past=True)
        return Assistant(self.url, signed(self._keys, token), jti=token.jti)


@pytest.fixture(scope="module")
def bureau(gateway: Served, office: Office) -> Bureau:
    return Bureau(gateway, office)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_official_client_lists_the_twelve_tools_and_calls_one(bureau: Bureau, mode: str) -> None:
    assistant = await bureau.assistant()

    async with assistant.connected(mode) as client:
        tools = (await client.list_tools()).tools
        result = await client.call_tool("insee.unite_legale", {"siren": SHOWCASE.siren})

    assert {tool.name: set(tool.input_schema["properties"]) for tool in tools} == DOCUMENTED
    for tool in tools:
        assert tool.input_schema["required"] == list(tool.input_schema["properties"])
        assert {name: told["pattern"] for name, told in tool.input_schema["properties"].items()}.items() <= (
            PATTERNS.items()
        )
    [content] = result.content
    data = json.loads(content.text)
    assert not result.is_error
    assert data["siren"] == SHOWCASE.siren
    assert "data" not in data


@pytest.mark.parametrize(("tool", "names"), DOCUMENTED.items())
async def test_each_tool_answers_with_the_data_of_its_endpoint(bureau: Bureau, tool: str, names: set[str]) -> None:
    known = {"siren": SHOWCASE.siren, "siret": SHOWCASE.siret, "year": "2023"}
    assistant = await bureau.assistant()

    answer = await assistant.call(tool, **{name: known[name] for name in names})

    [content] = answer.json()["result"]["content"]
    assert content["type"] == "text"
    data = json.loads(content["text"])
    assert not answer.json()["result"]["isError"], data
    endpoint = next(one for one in ENDPOINTS if one.mcp is not None and one.mcp.name == tool)
    official = (await assistant.ask(endpoint.path.format_map(known))).json()["data"]
    listed = [item["data"] for item in official] if isinstance(official, list) else official
    assert without_links(data) == without_links(listed)


async def test_a_document_is_behind_a_link_that_is_drawn_for_the_call(bureau: Bureau) -> None:
    assistant = await bureau.assistant()

    answer = await assistant.call("dgfip.attestation_fiscale", siren=SHOWCASE.siren)

    url = json.loads(answer.json()["result"]["content"][0]["text"])["document_url"]
    async with assistant.client() as client:
        document = await client.get(url)
    assert document.content.startswith(b"%PDF")


async def test_tools_are_listed_and_open_by_the_scopes_of_the_token(bureau: Bureau, office: Office) -> None:
    assistant = await bureau.assistant("entreprises")

    listed = await assistant.post("tools/list")
    refused = await assistant.call("dgfip.liasses_fiscales", siren=SHOWCASE.siren, year="2023")

    names = {tool["name"] for tool in listed.json()["result"]["tools"]}
    assert names == {"insee.unite_legale", "insee.unite_legale_diffusable", "infogreffe.mandataires_sociaux"}
    assert (refused.status_code, refused.json()) == (401, {"error": "not_authorized"})
    record = await office.record_of(refused)
    assert (record["status"], record["codes"], record["outcome"]) == (401, ["00100"], "refused")
    assert record["operation_id"] == "api_entreprise_v3_dgfip_liasses_fiscales"
    assert record["siren"] == SHOWCASE.siren


async def test_a_call_is_recorded_as_a_call_of_its_endpoint_with_what_became_of_it(
    bureau: Bureau, office: Office
) -> None:
    assistant = await bureau.assistant()

    granted = await assistant.call("insee.etablissement", siret=SHOWCASE.siret)
    failed = await assistant.call("insee.unite_legale", siren=BY_NAME["http_500"].siren)

    record = await office.record_of(granted)
    assert record["operation_id"] == "api_entreprise_v4_insee_etablissements"
    assert (record["jti"], record["provider"], record["extra"]) == (
        assistant.jti,
        "insee",
        {"mcp": "insee.etablissement"},
    )
    assert (record["siret"], record["siren"]) == (SHOWCASE.siret, SHOWCASE.siren)
    assert (record["method"], record["path"], record["status"], record["outcome"]) == ("POST", "/mcp", 200, "granted")
    record = await office.record_of(failed)
    [error] = json.loads(failed.json()["result"]["content"][0]["text"])["errors"]
    assert failed.json()["result"]["isError"]
    assert (record["status"], record["codes"], record["outcome"]) == (502, [error["code"]], "failed")


async def test_arguments_that_cannot_be_read_are_told_all_together_in_the_usual_words(bureau: Bureau) -> None:
    assistant = await bureau.assistant()

    answer = await assistant.call("dgfip.liasses_fiscales", siren="123456789")

    result = answer.json()["result"]
    errors = json.loads(result["content"][0]["text"])["errors"]
    assert result["isError"]
    assert [error["code"] for error in errors] == ["00301", "00307"]


async def test_calls_are_counted_and_the_one_too_many_is_refused_as_elsewhere(bureau: Bureau) -> None:
    assistant = await bureau.assistant()
    await in_one_minute(15)

    answers = [await assistant.post("tools/list") for _ in range(41)]

    assert [int(answer.headers["ratelimit-remaining"]) for answer in answers] == [*range(39, -1, -1), 0]
    assert {answer.headers["ratelimit-limit"] for answer in answers} == {"40"}
    assert [answer.status_code for answer in answers[-2:]] == [200, 429]
    assert code_of(answers[-1]) == "00429"
    assert int(answers[-1].headers["retry-after"]) >= 1


async def test_the_limit_of_a_habilitation_holds_here_too(bureau: Bureau) -> None:
    assistant = await bureau.assistant(rate_limit=2)
    await in_one_minute(5)

    answers = [await assistant.post("tools/list") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["ratelimit-limit"] == "2"


async def test_only_a_living_token_with_the_flag_gets_in(bureau: Bureau, office: Office) -> None:
    bearer = await bureau.assistant(mcp=False)
    expired = await bureau.assistant(is_expired=True)
    stranger = Assistant(bureau.url, "junk")
    nobody = Assistant(bureau.url, "")
    operator = Assistant(bureau.url, (await office.operator()).token)

    answers = [await one.post("tools/list") for one in (bearer, stranger, nobody, operator, expired)]

    assert {answer.status_code for answer in answers} == {401}
    assert [answer.json() for answer in answers] == [{"error": "not_authorized"}] * 4 + [{"error": "token_expired"}]
    assert {answer.headers["content-type"] for answer in answers} == {"application/json"}


async def test_revocation_and_the_list_of_addresses_hold_at_once(bureau: Bureau) -> None:
    assistant = await bureau.assistant(allowed_ips=("127.0.0.1",))
    assert (await assistant.post("tools/list")).status_code == 200

    elsewhere = await assistant.post("tools/list", source="127.0.3.1")
    await bureau.store.revoke_token(assistant.jti)

    assert (elsewhere.status_code, code_of(elsewhere)) == (403, "00107")
    revoked = await assistant.post("tools/list")
    assert (revoked.status_code, code_of(revoked)) == (401, "00105")


async def test_a_notification_is_accepted_without_a_word(bureau: Bureau) -> None:
    assistant = await bureau.assistant()

    answer = await assistant.send('{"jsonrpc": "2.0", "method": "notifications/initialized"}')

    assert (answer.status_code, answer.content) == (202, b"")


async def test_a_handshake_tells_who_we_are(bureau: Bureau) -> None:
    assistant = await bureau.assistant()

    answer = (await assistant.post("initialize", **INITIALISE)).json()["result"]

    assert answer["protocolVersion"] == "2025-06-18"
    assert answer["serverInfo"]["title"] == "Octroi"
    assert set(answer["capabilities"]) == {"tools", "resources"}


async def test_five_guides_are_listed_and_can_be_read(bureau: Bureau) -> None:
    assistant = await bureau.assistant("entreprises")

    async with assistant.connected() as client:
        resources = (await client.list_resources()).resources
        pages = {one.uri: (await client.read_resource(one.uri)).contents[0] for one in resources}

    assert set(pages) == {f"tool://api-entreprise/{name}/documentation" for name in GUIDES}
    for page in pages.values():
        assert page.mime_type == "text/markdown"
        assert "## Arguments" in page.text
        assert "`document_url`" in page.text or "`siren`" in page.text


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 400, -32700),
        ("[]", 400, -32602),
        ('{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "insee.tout"}}', 200, -32602),
        ('{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": 1}}', 200, -32602),
        ('{"jsonrpc": "2.0", "id": 1, "method": "nothing/such"}', 200, -32601),
    ],
)
async def test_what_is_not_understood_is_answered_in_the_words_of_the_protocol(
    bureau: Bureau, body: str, status: int, code: int
) -> None:
    assistant = await bureau.assistant()

    answer = await assistant.send(body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_too_long_a_body_is_not_read_to_its_end(bureau: Bureau) -> None:
    assistant = await bureau.assistant()

    assert (await assistant.send(" " * 70_000)).status_code == 413


async def test_there_is_no_stream_to_open(bureau: Bureau) -> None:
    assistant = await bureau.assistant()

    async with assistant.client() as client:
        opened = await client.get("/mcp", headers={**assistant.authorization, "accept": "text/event-stream"})
        stranger = await client.get("/mcp")

    assert (opened.status_code, opened.headers["allow"]) == (405, "POST")
    assert (stranger.status_code, stranger.json()) == (401, {"error": "not_authorized"})


async def test_an_unknown_guide_is_not_found(bureau: Bureau) -> None:
    assistant = await bureau.assistant()

    async with assistant.connected() as client:
        with pytest.raises(MCPError, match="Aucune documentation"):
            await client.read_resource("tool://api-entreprise/rien/documentation")


def without_links(data: Any) -> Any:
    """Links are drawn anew for each answer."""
    if isinstance(data, dict):
        return {name: without_links(inner) for name, inner in data.items() if name != "document_url"}
    return [without_links(inner) for inner in data] if isinstance(data, list) else data
