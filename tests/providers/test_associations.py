"""What is peculiar to the service on associations, for the two providers that speak through it."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.settings import ProviderSettings, UpstreamSettings
from providers import ENDPOINTS, djepva, rna
from providers.base import Endpoint, Reply, Unreadable, Upstream
from providers.base.marks import unpacked
from providers.djepva.associations import associations_open_data_v4, associations_v4
from providers.rna.associations import associations_v3
from providers.rna.documents import documents_v3
from tests.providers.golden import NOW, MemoryDocuments, MemoryVault, play
from tests.providers.test_tables import a_call

CASES = Path(__file__).parent
PEOPLE_AND_PAPERS = ("representants_legaux", "documents_dac", "documents_rna", "reseaux_affiliation")
OF_PEOPLE = ("Camille", "AILLEURS", "camille@association.example", "FR7600000000000000000000000")


def a_case(name: str) -> Any:
    return json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))


def recorded(name: str) -> str:
    text: str = a_case(name)["exchanges"][0]["response"]["body"]["text"]
    return text


async def ask(endpoint: Endpoint, body: str, **settings: Any) -> Any:
    """The answer to a call about an association, of which the service says this."""

    def service(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=body)

    told = ProviderSettings.model_validate({"api_key": "known", **settings})
    async with httpx.MockTransport(service) as transport:
        upstream = Upstream(
            transport, UpstreamSettings(), {endpoint.provider.slug: told}, MemoryVault(), MemoryDocuments(), lambda: NOW
        )
        call = a_call().asking(siren_or_rna="W999000006", siret_or_rna="W999000006")
        return (await upstream.fetch(endpoint, call)).model_dump(mode="json")


def mark(text: str) -> dict[str, str]:
    kind, packed = text.split(":")
    assert kind == "octroi-remote"
    found = unpacked(packed.encode())
    assert found
    return found


@pytest.mark.parametrize("name", ["rna/v3_association_by_rna", "rna/v3_documents_several", "djepva/v4_whole_by_rna"])
async def test_a_fixed_key_lets_us_in(name: str) -> None:
    _, _, playback = await play(a_case(name), ENDPOINTS)

    (asked,) = playback.asked
    assert asked.headers["x-gravitee-api-key"] == "known"
    assert dict(asked.url.params) == {"proxy_only": "true"}


@pytest.mark.parametrize("base_url", [None, "https://api.association.example", "https://proxy.example/associations/"])
async def test_an_address_seen_from_inside_is_told_as_seen_from_outside(base_url: str | None) -> None:
    outside = (base_url or "https://mi.example").rstrip("/") + "/apim/api-asso/documents"

    found = await ask(associations_v4, recorded("djepva/v4_whole_by_rna"), base_url=base_url)

    assert found["data"]["agrements"][0]["url"] == f"{outside}/9"
    assert found["data"]["agrements"][1]["url"] == "https://elsewhere.example/9"
    assert mark(found["data"]["etablissements"][1]["documents_dac"][0]["url"])["url"] == f"{outside}/u4"


async def test_documents_stay_at_the_provider_under_a_name_that_tells_nothing_but_their_kind() -> None:
    whole = await ask(associations_v4, recorded("djepva/v4_whole_by_rna"))
    papers = await ask(documents_v3, recorded("rna/v3_documents_several"))

    assert mark(whole["data"]["etablissements"][0]["documents_dac"][0]["url"]) == {
        "provider": "djepva",
        "url": "https://associations.gouv.fr/api/documents/u1",
        "name": "document.docx",
    }
    assert mark(whole["data"]["documents_rna"][0]["url"])["name"] == "document.pdf"
    assert [mark(item["data"]["url"])["provider"] for item in papers["data"][:2]] == ["rna", "rna"]
    assert papers["data"][2]["data"]["url"] is None


def test_answers_with_documents_say_that_they_hold_marks() -> None:
    marked = {
        endpoint.operation_id for endpoint in (*rna.ADAPTER.endpoints, *djepva.ADAPTER.endpoints) if endpoint.marks
    }

    assert marked == {documents_v3.operation_id, associations_v4.operation_id}


async def test_open_data_hold_no_natural_person_and_no_document() -> None:
    found = await ask(associations_open_data_v4, recorded("djepva/v4_whole_by_rna"))

    told = json.dumps(found, ensure_ascii=False)
    assert not [name for name in (*PEOPLE_AND_PAPERS, *OF_PEOPLE) if name in told]


async def test_bank_details_are_never_told() -> None:
    found = await ask(associations_v4, recorded("djepva/v4_whole_by_rna"))

    told = json.dumps(found)
    assert OF_PEOPLE[-1] not in told
    assert "RIB" not in told


@pytest.mark.parametrize("text", ["soon", "", "99999999999999999999", "-1e9"])
async def test_a_moment_that_cannot_be_read_is_null(text: str) -> None:
    body = recorded("djepva/v4_whole_by_rna").replace("1604185200", text)

    found = await ask(associations_v4, body)

    assert found["data"]["documents_rna"][0]["date_depot"] is None


async def test_of_a_repeated_element_the_first_one_counts() -> None:
    body = recorded("rna/v3_association_by_rna").replace("<sigle>", "<nom>AUTRE NOM</nom><sigle>")

    found = await ask(associations_v3, body)

    assert found["data"]["titre"] == "LES AMIS DE L'EXEMPLE"


def test_xml_of_something_else_is_not_read_as_an_association() -> None:
    with pytest.raises(Unreadable):
        associations_v3.read(Reply(200, {}, b"<html/>"))


def test_both_forms_of_an_association_draw_on_the_shared_allowance_and_the_documents_on_theirs() -> None:
    assert {associations_v3.quota.name, associations_v4.quota.name} == {"json_resources_entreprise"}
    assert documents_v3.quota.name == "low_latency_documents"
    assert not associations_v3.scopes & associations_v4.scopes
