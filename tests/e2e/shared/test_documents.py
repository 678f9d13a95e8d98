"""Certificates: links of one's own to documents that no browser will run (behaviours §9)."""

import uuid
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from providers.simulator.identifiers import siren_of
from providers.simulator.world import SHOWCASE
from tests.e2e.office import Office, Registered
from tests.e2e.running import Served, code_of, in_one_minute

URSSAF = "/v4/urssaf/unites_legales/{}/attestation_vigilance"
DGFIP = "/v4/dgfip/unites_legales/{}/attestation_fiscale"
DAY = 86400
REFUSED, NOT_A_PDF = "000070011", "000070094"
"""Companies of the simulator, to which URSSAF refuses a certificate, and sends one that is no PDF."""


async def fetched(url: str, **headers: str) -> httpx.Response:
    """A bare GET, as somebody follows a link who has nothing but it."""
    async with httpx.AsyncClient() as client:
        return await client.get(url, headers=headers)


@pytest.mark.parametrize("path", [URSSAF, DGFIP], ids=["urssaf", "dgfip"])
async def test_the_link_to_a_certificate_is_followed_by_a_bare_get(
    caller: Registered, gateway: Served, path: str
) -> None:
    data = (await caller.ask(path.format(SHOWCASE.siren))).json()["data"]

    document = await fetched(data["document_url"])

    assert data["document_url"].startswith(f"{gateway.url}/proxy/files/")
    assert urlsplit(data["document_url"]).path.endswith(".pdf")
    assert data["document_url_expires_in"] == DAY
    assert document.status_code == 200
    assert document.content.startswith(b"%PDF-")
    assert document.headers["content-type"] == "application/pdf"
    assert document.headers["content-disposition"].startswith("attachment;")
    assert document.headers["x-content-type-options"] == "nosniff"
    assert document.headers["content-security-policy"].startswith("sandbox")
    assert document.headers["referrer-policy"] == "no-referrer"
    assert int(document.headers["content-length"]) == len(document.content)


async def test_version_3_names_its_members_otherwise(caller: Registered) -> None:
    answer = await caller.ask(URSSAF.replace("/v4/", "/v3/").format(SHOWCASE.siren))

    assert answer.json()["data"]["expires_in"] == DAY
    assert answer.json()["data"]["document_url"].endswith(".pdf")


async def test_an_answer_from_the_cache_has_a_link_of_its_own_to_the_same_document(
    office: Office, caller: Registered
) -> None:
    path = DGFIP.format(siren_of("00220001"))

    first, again = await caller.ask(path), await (await office.caller()).ask(path)

    assert again.headers["x-response-cached"] == "true"
    urls = [answer.json()["data"]["document_url"] for answer in (first, again)]
    assert len({url.split("/")[5] for url in urls}) == 2
    assert len({(await fetched(url)).content for url in urls}) == 1


async def test_whose_host_header_it_was_never_changes_a_link(caller: Registered, gateway: Served) -> None:
    forged = {"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "gopher"}
    answers = [
        await caller.ask(path, headers=forged)
        for path in (
            DGFIP.format(siren_of("00220002")),
            f"/v4/insee/sirene/unites_legales/{siren_of('00220002')}",
            "/pings",
        )
    ]

    assert [answer.status_code for answer in answers] == [200] * 3
    for answer in answers:
        assert "evil.example" not in answer.text
        assert gateway.url in answer.text


@pytest.mark.parametrize(
    "link",
    [
        "0b7e4a52-3c55-4d0f-9f0e-6f2f6c1d9a10",
        "0" * 36,
        "not-a-uuid",
        "0B7E4A52-3C55-4D0F-9F0E-6F2F6C1D9A10",
        "..%2F..%2Fetc%2Fpasswd",
        "0b7e4a52-3c55-4d0f-9f0e-6f2f6c1d9a10/attestation.pdf",
    ],
)
async def test_a_link_that_leads_nowhere_is_an_empty_404(gateway: Served, link: str) -> None:
    answer = await fetched(f"{gateway.url}/proxy/files/{link}")

    assert answer.status_code == 404
    if "%2F" not in link:  # which is another path
        assert answer.content == b""


async def test_head_tells_the_size_of_a_document(caller: Registered) -> None:
    url = (await caller.ask(DGFIP.format(siren_of("00220003")))).json()["data"]["document_url"]

    async with httpx.AsyncClient() as client:
        head = await client.head(url)

    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len((await fetched(url)).content)


async def test_a_refusal_to_deliver_has_no_document(caller: Registered) -> None:
    answer = await caller.ask(URSSAF.format(REFUSED))

    assert answer.json()["data"]["entity_status"]["code"] == "refus_de_delivrance"
    assert answer.json()["data"]["document_url"] is None
    assert answer.json()["data"]["document_url_expires_in"] is None


async def test_what_is_no_pdf_is_not_delivered_and_not_kept(caller: Registered, gateway: Served) -> None:
    kept = kept_documents(gateway)

    for _ in range(2):
        answer = await caller.ask(URSSAF.format(NOT_A_PDF))

        assert (answer.status_code, code_of(answer)) == (502, "04055")
        assert answer.headers["x-response-cached"] == "false"
    assert kept_documents(gateway) == kept


async def test_documents_are_sealed_on_disk_and_readable_by_the_gateway_alone(
    caller: Registered, gateway: Served
) -> None:
    await caller.ask(DGFIP.format(siren_of("00220004")))

    folder = Path(gateway.environ["OCTROI_DATA_DIR"]) / "documents"
    assert folder.stat().st_mode & 0o077 == 0
    assert not [file for file in folder.iterdir() if b"%PDF" in file.read_bytes()]


async def test_whoever_shows_a_token_with_a_link_draws_on_its_allowance(caller: Registered, gateway: Served) -> None:
    url = f"{gateway.url}/proxy/files/{uuid.uuid4()}"
    await in_one_minute(5)

    async with caller.client() as client:
        answers = [await client.get(url, headers={"authorization": "Bearer unreadable"}) for _ in range(51)]

    assert [answer.status_code for answer in answers] == [404] * 50 + [429]
    assert code_of(answers[50]) == "00429"
    assert answers[50].headers["ratelimit-limit"] == "50"
    assert int(answers[50].headers["retry-after"]) >= 1


def kept_documents(gateway: Served) -> set[str]:
    return {file.name for file in (Path(gateway.environ["OCTROI_DATA_DIR"]) / "documents").iterdir()}
