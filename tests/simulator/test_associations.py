"""What the simulated service on associations serves: the XML that the service really writes."""

import io
import json

import httpx
import pypdf
import pytest
from lxml import etree

from providers.simulator.world import SHOWCASE, World
from tests.simulator.conftest import WIRE, Caller

KEY = {"x-gravitee-api-key": "known"}


async def structure(caller: Caller, identifier: str) -> etree._Element:
    url = f"/mi.example/apim/api-asso-partenaires/api/structure/{identifier}"
    reply = await caller.client.get(url, params={"proxy_only": "true"}, headers=KEY)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/xml"
    return etree.fromstring(reply.content)


def paths(element: etree._Element, above: str = "") -> set[str]:
    """Where elements and attributes stand, whatever they hold."""
    here = f"{above}/{element.tag}"
    found = {here, *(f"{here}/@{name}" for name in element.attrib)}
    for child in element.iterchildren(tag=etree.Element):
        found |= paths(child, here)
    return found


async def test_a_key_is_needed(caller: Caller) -> None:
    reply = await caller.client.get(f"/mi.example/apim/api-asso-partenaires/api/structure/{SHOWCASE.rna}")

    assert reply.status_code == 401


async def test_an_association_is_found_by_all_its_numbers(caller: Caller, world: World) -> None:
    company = world.find(SHOWCASE.rna)
    assert company

    found = [await structure(caller, number) for number in (SHOWCASE.rna, company.siren, company.siege.siret)]

    assert {root.findtext("identite/id_rna") for root in found} == {SHOWCASE.rna}
    assert {root.findtext("identite/id_siret_siege") for root in found} == {company.siege.siret}


async def test_whatever_is_no_association_says_so_in_its_own_way(caller: Caller) -> None:
    company, nobody = await structure(caller, SHOWCASE.siren), await structure(caller, SHOWCASE.siret_absent)

    assert company.findtext("identite/id_forme_juridique") == "5710"
    assert company.find("identite/id_rna") is None
    assert "with statusCode: 404" in (nobody.findtext("erreur/proxy_correspondance") or "")


async def test_only_what_the_service_really_writes_is_written(caller: Caller) -> None:
    if not WIRE.is_dir():
        pytest.skip("the recorded exchanges are not beside the project")
    real: set[str] = set()
    for file in [*(WIRE / "djepva").glob("*.json"), *(WIRE / "rna").glob("*.json")]:
        for exchange in json.loads(file.read_text(encoding="utf-8"))["exchanges"]:
            text = (exchange["response"].get("body") or {}).get("text", "")
            if text.startswith("<asso>"):
                real |= paths(etree.fromstring(text))

    ours = paths(await structure(caller, SHOWCASE.rna)) | paths(await structure(caller, "W000020032"))

    # These are documented, and in no recording that we have.
    assert ours - real == {
        "/asso/composition_reseau/membre/adresse/code_insee",
        "/asso/reseaux_affiliation/reseau_affiliation/telephone",
        "/asso/representants_legaux/representant_legal/publication_internet",
    }


@pytest.mark.parametrize("number", [SHOWCASE.rna, "W000020049"])
async def test_links_to_documents_lead_to_pdfs(caller: Caller, number: str) -> None:
    root = await structure(caller, number)

    urls = [element.text or "" for element in root.iterfind("documents/document_rna/url")]
    urls += [
        (element.text or "").replace("http://localhost:8181/services", "https://mi.example/apim/api-asso")
        for element in root.iterfind("documents/document_dac/url")
    ]
    replies = [await caller.client.get(url.replace("https://", "/")) for url in urls]

    assert len(replies) >= 4
    assert all(number in first_page(reply) for reply in replies)


def first_page(reply: httpx.Response) -> str:
    return pypdf.PdfReader(io.BytesIO(reply.content), strict=True).pages[0].extract_text()


@pytest.mark.parametrize("number", ["nothing", "57" * 16, "ff" * 16, "0" * 32])
async def test_no_document_is_made_for_nobody(caller: Caller, number: str) -> None:
    reply = await caller.client.get(f"/mi.example/apim/api-asso/api/documents/PJ/{number}")

    assert reply.status_code == 404
