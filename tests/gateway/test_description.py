"""The OpenAPI document: valid, whole, as official as can be, and true to what is really answered."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from pydantic import create_model
from pydantic.json_schema import SkipJsonSchema

from gateway.description import as_yaml, describe, to_the_letter
from gateway.errors import Refusal, Refused, provider_failure, render
from providers import ENDPOINTS
from providers.base import Call, Collection, Contract, Empty, Endpoint, Failure, Kind, ProviderFailed, Single
from providers.base.failures import COMMON_KINDS
from providers.base.upstream import NETWORK
from providers.dgfip.chiffres_affaires import chiffres_affaires_v3
from tests.providers.golden import SHARED, cases, play

BASE = "https://octroi.example"
MEASURE = SHARED.parent / "tools" / "contract.py"
OFFICIAL = SHARED.parent / "contract" / "openapi-entreprise.yaml"
STATUSES = {"200", "401", "403", "404", "409", "422", "429", "502", "504"}
RECORDED = [case for folder in sorted((Path(__file__).parents[1] / "providers").glob("*/")) for case in cases(folder)]
RECORDED += [case for slug in sorted({e.provider.slug for e in ENDPOINTS}) for case in cases(SHARED / slug)]

every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=attrgetter("operation_id"))


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return described(*ENDPOINTS)


def described(*endpoints: Endpoint) -> dict[str, Any]:
    return describe(endpoints, base=BASE, version="1.2.3")


def nodes(node: Any, at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of a document, with its pointer."""
    if isinstance(node, dict):
        yield at, node
        for key, value in node.items():
            yield from nodes(value, f"{at}/{str(key).replace('~', '~0').replace('/', '~1')}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from nodes(value, f"{at}/{index}")


def models(model: type) -> Iterator[type]:
    yield model
    for child in model.__subclasses__():
        yield from models(child)


def resolve(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        node = found
    return node


def operation(document: dict[str, Any], endpoint: Endpoint) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][endpoint.path]["get"]
    return found


def answer(document: dict[str, Any], endpoint: Endpoint, status: int) -> dict[str, Any]:
    return resolve(document, operation(document, endpoint)["responses"][str(status)])


def examples(document: dict[str, Any], response: dict[str, Any], media_type: str) -> list[Any]:
    told = response["content"][media_type].get("examples", {})
    return [resolve(document, example)["value"] for example in told.values()]


def codes(document: dict[str, Any], endpoint: Endpoint, status: int, media_type: str) -> set[str]:
    values = examples(document, answer(document, endpoint, status), media_type)
    return {error["code"] for value in values for error in value["errors"]}


def schema(document: dict[str, Any], name: str) -> Draft202012Validator:
    components = {"schemas": document["components"]["schemas"]}
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": components})


VENDOR, JSON = "application/vnd.api+json", "application/json"


class TestTheDocument:
    def test_is_valid_openapi(self, document: dict[str, Any]) -> None:
        validate(document)

    def test_is_the_same_read_from_json_and_from_yaml(self, document: dict[str, Any]) -> None:
        from_json = json.loads(orjson.dumps(document))
        from_yaml = yaml.safe_load(as_yaml(document))

        assert from_json == document
        assert from_yaml == document

    def test_as_yaml_quotes_the_codes_that_yaml_1_2_would_read_as_numbers(self) -> None:
        written = as_yaml({"codes": ["00429", "00101", "1e3"], "count": 429})

        assert written == b"codes:\n- '00429'\n- '00101'\n- '1e3'\ncount: 429\n"

    def test_does_not_depend_on_the_order_of_endpoints(self, document: dict[str, Any]) -> None:
        other = described(*reversed(ENDPOINTS))

        assert orjson.dumps(other) == orjson.dumps(document)

    def test_refers_to_all_its_components_and_to_nothing_else(self, document: dict[str, Any]) -> None:
        referred = {node["$ref"] for _, node in nodes(document) if isinstance(node.get("$ref"), str)}
        present = {
            f"#/components/{kind}/{name}"
            for kind, components in document["components"].items()
            for name in components
            if kind != "securitySchemes"
        }

        assert referred == present

    def test_names_schemas_as_a_class_may_be_named_in_any_language(self, document: dict[str, Any]) -> None:
        names = list(document["components"]["schemas"])

        assert all(re.fullmatch(r"[A-Z][A-Za-z0-9]*", name) for name in names)
        assert len({name.lower() for name in names}) == len(names)

    def test_names_every_operation_differently(self, document: dict[str, Any]) -> None:
        names = [item["get"]["operationId"] for item in document["paths"].values()]

        assert len(set(names)) == len(names)

    def test_says_nothing_of_the_code(self, document: dict[str, Any]) -> None:
        schemas = document["components"]["schemas"]
        docstrings = {model.__doc__ for model in models(Contract)}

        texts = {str(node.get("description")) for _, node in nodes(schemas)}

        assert not docstrings & texts
        # A title would become a name in generated clients; a property called so is no title.
        assert not [at for at, node in nodes(schemas) if isinstance(node.get("title"), str) and "/examples" not in at]

    def test_names_a_tag_for_every_operation(self, document: dict[str, Any]) -> None:
        used = {tag for item in document["paths"].values() for tag in item["get"]["tags"]}

        assert used == {tag["name"] for tag in document["tags"]}

    def test_refuses_two_endpoints_at_one_path(self) -> None:
        with pytest.raises(ValueError, match="two endpoints at"):
            described(chiffres_affaires_v3, chiffres_affaires_v3.but(operation_id="other"))

    def test_refuses_two_operations_of_one_name(self) -> None:
        with pytest.raises(ValueError, match="two schemas named DgfipChiffresAffairesV3"):
            described(chiffres_affaires_v3, chiffres_affaires_v3.but(path="/v3/elsewhere/{siret}"))


@every_endpoint
class TestEveryOperation:
    def test_bears_its_official_name(self, document: dict[str, Any], endpoint: Endpoint) -> None:
        told = operation(document, endpoint)

        assert told["operationId"] == endpoint.operation_id
        assert told["responses"]["200"]["x-operationId"] == endpoint.operation_id

    def test_tells_every_status(self, document: dict[str, Any], endpoint: Endpoint) -> None:
        statuses = set(operation(document, endpoint)["responses"])

        assert statuses >= STATUSES | {"400", "500", "503"}
        assert "451" in statuses or not endpoint.legal_block

    def test_tells_its_parameters_and_those_of_the_trace(self, document: dict[str, Any], endpoint: Endpoint) -> None:
        told = [resolve(document, parameter) for parameter in operation(document, endpoint)["parameters"]]

        required = {(parameter["in"], parameter["name"]) for parameter in told if parameter.get("required")}
        in_path = {("path", name) for name in re.findall(r"\{(\w+)\}", endpoint.path)}
        assert required >= in_path | {("query", name) for name in ("context", "object", "recipient")}
        assert {parameter["name"] for parameter in told} >= {p.name for p in endpoint.all_parameters}
        assert ("Cache-Control" in {parameter["name"] for parameter in told}) == (endpoint.cache is not None)

    def test_tells_who_may_call_it(self, document: dict[str, Any], endpoint: Endpoint) -> None:
        told = operation(document, endpoint)

        assert told["security"] == [{"jwt_bearer_token": []}]
        assert all(f"`{scope}`" in told["description"] for scope in endpoint.scopes)
        assert f"{endpoint.quota.limit} appels par minute" in told["description"]
        assert endpoint.cache is None or endpoint.cache.says in told["description"]

    def test_is_deprecated_if_declared_so_and_names_its_successor(
        self, document: dict[str, Any], endpoint: Endpoint
    ) -> None:
        told = operation(document, endpoint)
        newer = endpoint.path.replace("/v3/", "/v4/")

        assert told.get("deprecated", False) == endpoint.deprecated
        if endpoint.deprecated and newer in document["paths"]:
            assert f"utilisez `{newer}`" in told["description"]

    def test_declares_the_media_types_it_sends_and_the_official_one(
        self, document: dict[str, Any], endpoint: Endpoint
    ) -> None:
        of_gateway = {status: list(answer(document, endpoint, status)["content"]) for status in (401, 403, 409, 429)}
        of_data = {status: list(answer(document, endpoint, status)["content"]) for status in (200, 404, 422, 502, 504)}

        assert set(map(tuple, of_gateway.values())) == {(JSON,)}
        assert set(map(tuple, of_data.values())) == {(VENDOR, JSON)}

    def test_shows_every_error_as_it_is_rendered(self, document: dict[str, Any], endpoint: Endpoint) -> None:
        known = renderings(endpoint)

        shown = [
            (int(status), value)
            for status in operation(document, endpoint)["responses"]
            if status != "200"
            for media_type in answer(document, endpoint, int(status))["content"]
            for value in examples(document, answer(document, endpoint, int(status)), media_type)
        ]

        assert shown
        for status, value in shown:
            assert all((status, render([error])) in known for error in value["errors"])
            assert schema(document, "Error").is_valid(value)

    def test_shows_each_refusal_under_the_media_type_it_is_sent_with(
        self, document: dict[str, Any], endpoint: Endpoint
    ) -> None:
        formats = {parameter.format.code for parameter in endpoint.all_parameters}

        assert codes(document, endpoint, 422, JSON) == {"00201", "00202", "00203", "00210"}
        assert codes(document, endpoint, 422, VENDOR) >= formats
        assert codes(document, endpoint, 401, JSON) == {"00101", "00103", "00105"}
        assert codes(document, endpoint, 503, JSON) == {"00020"}
        assert codes(document, endpoint, 503, VENDOR) == {endpoint.provider.code + "020"}
        assert endpoint.provider.code + "003" in codes(document, endpoint, 404, VENDOR)
        assert endpoint.provider.code + "002" in codes(document, endpoint, 504, VENDOR)

    def test_is_shown_as_a_command_line(self, document: dict[str, Any], endpoint: Endpoint) -> None:
        source = operation(document, endpoint)["x-codeSamples"][0]["source"]

        assert f'"{BASE}/{endpoint.version}/' in source
        assert "recipient=" in source
        assert "{" not in source


def renderings(endpoint: Endpoint) -> set[tuple[int, bytes]]:
    """Status and body of every error that the catalogue knows for an endpoint, asked from the renderer one by one."""
    known = {(refused.value.status, Refusal.of(refused).body()) for refused in Refused}
    for parameter in endpoint.all_parameters:
        for source in (parameter.name, parameter.format.source):
            refusal = Refusal.of_formats([(parameter.format, source or "")])
            known.add((refusal.status, refusal.body()))
    rules: list[Kind] = [rule.kind for rule in (*endpoint.failures, *endpoint.common)]
    for kind in (*COMMON_KINDS, NETWORK, *rules):
        for meta in ({}, {"retry_in": 1800}) if kind is Failure.MAINTENANCE else ({},):
            failed = ProviderFailed(kind, dict(meta))
            status, _, body = provider_failure(failed, endpoint.provider.code, endpoint.provider.name)
            known.add((status, body))
    return known


def test_privileges_are_told_as_in_the_contract(document: dict[str, Any]) -> None:
    told = document["paths"]["/privileges"]["get"]

    assert set(told["responses"]) >= {"200", "401", "403", "409", "422", "429"}
    assert "parameters" not in told
    assert "schema" not in told["responses"]["200"]["content"][JSON]


def test_pings_need_no_token(document: dict[str, Any]) -> None:
    pings = [document["paths"][path]["get"] for path in ("/ping/{provider}/{source}", "/pings")]

    assert [ping["security"] for ping in pings] == [[], []]


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}-{path.stem}")
async def test_a_recorded_call_is_answered_as_described(document: dict[str, Any], path: Path) -> None:
    case = json.loads(path.read_text())  # noqa: ASYNC240  nothing else runs
    endpoint = found_at(case["request"]["path"])

    status, body, _ = await play(case, ENDPOINTS)

    assert str(status) in operation(document, endpoint)["responses"]
    if status == 200:
        name = answer(document, endpoint, 200)["content"][VENDOR]["schema"]["$ref"].rpartition("/")[2]
        assert [error.message for error in schema(document, name).iter_errors(body)] == []


def found_at(path: str) -> Endpoint:
    bare = path.partition("?")[0]
    patterns = {re.sub(r"\{\w+\}", "[^/]+", endpoint.path): endpoint for endpoint in ENDPOINTS}
    literal_first = sorted(patterns, key=lambda pattern: pattern.count("[^/]+"))
    return patterns[next(pattern for pattern in literal_first if re.fullmatch(pattern, bare))]


@pytest.mark.skipif(not MEASURE.is_file(), reason="the official contract and its measure are not beside this checkout")
def test_to_the_letter_it_is_the_official_contract(document: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    file.write_bytes(orjson.dumps(to_the_letter(document)))

    measured = subprocess.run([sys.executable, MEASURE, file, "--details"], capture_output=True, text=True, check=False)

    assert "properties matched" in measured.stdout, measured.stderr
    paths = {endpoint.path for endpoint in ENDPOINTS} | {"/privileges"}
    assert not [
        line
        for line in measured.stdout.splitlines()
        if line.startswith("FAIL") and line.split()[2].rstrip(":") in paths
    ]


# Schemas of answers made for the purpose.


class Adresse(Contract):
    """An address."""

    ville: str


OtherAdresse = create_model("Adresse", __base__=Contract, __module__="elsewhere.places", pays=(str, ...))


class CompteV3(Contract):
    """A meta whose content the contract does not tell."""

    count: SkipJsonSchema[int]


class Chose(Contract):
    """A thing at two places."""

    ici: Adresse
    ailleurs: OtherAdresse | None  # type: ignore[valid-type]


Choses = Collection[Chose, Empty, CompteV3]


def normalise(sent: Any, call: Call) -> Choses:
    raise NotImplementedError


def test_tells_apart_two_classes_of_one_name() -> None:
    made = described(chiffres_affaires_v3.but(normalise=normalise))["components"]["schemas"]

    names = {name.removeprefix("DgfipChiffresAffairesV3") for name in made if name.startswith("Dgfip")}
    assert names == {"", "Item", "Chose", "TestDescriptionAdresse", "PlacesAdresse"}


def test_leaves_open_an_object_of_which_the_contract_tells_nothing() -> None:
    made = described(chiffres_affaires_v3.but(normalise=normalise))

    told = made["components"]["schemas"]["DgfipChiffresAffairesV3"]["properties"]
    assert told["meta"] == {"type": "object"}
    assert told["links"] == {"type": "object"}


def test_drops_a_version_that_the_operation_tells_already() -> None:
    class ChoseV3(Contract):
        """A thing."""

        nom: str | None

    chose = create_answer(ChoseV3)

    made = described(chose)["components"]["schemas"]

    assert made["DgfipChiffresAffairesV3Chose"]["properties"] == {"nom": {"type": ["string", "null"]}}


def create_answer(model: type[Contract]) -> Endpoint:
    def normalise(sent: Any, call: Call) -> Any:
        raise NotImplementedError

    normalise.__annotations__["return"] = Single[model, Empty, Empty]  # type: ignore[valid-type]
    return chiffres_affaires_v3.but(normalise=normalise)
