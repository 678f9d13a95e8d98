"""What the simulated URSSAF serves."""

import base64
import binascii
import io
import re

import httpx
import pypdf
import pytest

from providers.simulator.world import SHOWCASE, World
from tests.simulator.conftest import Caller


def pages_of(reply: httpx.Response) -> list[str]:
    document = base64.b64decode(reply.content, validate=True)
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(document), strict=True).pages]


def codes_of(page: str) -> list[str]:
    """What the adapter takes for a security code: a line of fifteen digits and capitals."""
    return [line for line in page.splitlines() if re.fullmatch(r"[0-9A-Z]{15}", line.strip())]


async def test_tokens_need_the_scope(caller: Caller) -> None:
    form = {"grant_type": "client_credentials", "scope": "attn.api_entreprise"}

    good = await caller.client.post("/urssaf.example/api/oauth/v1/token", data=form)
    bad = await caller.client.post("/urssaf.example/api/oauth/v1/token", data=form | {"scope": "other"})

    assert good.json()["expires_in"] == 3600
    assert bad.status_code == 404


async def test_a_certificate_is_bare_base64_that_says_json(caller: Caller) -> None:
    reply = await caller.urssaf(SHOWCASE.siren)

    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json;charset=UTF-8"
    assert b"\n" not in reply.content
    assert len(pages_of(reply)) == 2


async def test_an_employer_certificate_carries_its_code_and_its_date(caller: Caller) -> None:
    first, second = pages_of(await caller.urssaf(SHOWCASE.siren))

    assert len(codes_of(first)) == 1
    assert codes_of(first) == codes_of(second)
    assert re.findall(r"à la date du (\d\d/\d\d/\d{4})", second) == ["31/03/2026"]


async def test_a_self_employed_certificate_words_its_date_otherwise(caller: Caller) -> None:
    _, second = pages_of(await caller.urssaf("000030015"))

    assert re.findall(r"professionnelle - CFP\) (?:exigibles )?au (\d\d/\d\d/\d{4})", second) == ["31/03/2026"]
    assert "à la date du" not in second


async def test_no_other_line_looks_like_a_code(caller: Caller, world: World) -> None:
    for company in world.companies:
        if company.siren and not company.ceased and "urssaf" not in company.peculiarities:
            first = pages_of(await caller.urssaf(company.siren))[0]
            assert len(codes_of(first)) == 1, company.name


@pytest.mark.parametrize(
    ("siren", "code"),
    [
        ("000070011", "FUNC502"),
        ("000070029", "FUNC503"),
        ("000070037", "FUNC504"),
        ("000070045", "FUNC429"),
        ("000070052", "FUNC511"),
        ("000070060", "FUNC999"),
        ("000010058", "FUNC517"),  # ceased
        ("000099994", "FUNC517"),  # unknown
        ("000000000", "FUNC517"),
        ("123456789", "FUNC511"),  # no SIREN
    ],
)
async def test_a_refusal_is_an_array_of_codes(caller: Caller, siren: str, code: str) -> None:
    reply = await caller.urssaf(siren)

    assert reply.status_code == 400
    assert [refusal["code"] for refusal in reply.json()] == [code]
    assert reply.json()[0].keys() == {"code", "message", "description"}


async def test_a_certificate_may_be_broken(caller: Caller) -> None:
    unreadable, not_base64, not_pdf = [await caller.urssaf(siren) for siren in ("000070078", "000070086", "000070094")]

    assert [codes_of(page) for page in pages_of(unreadable)] == [[], []]
    with pytest.raises(binascii.Error):
        base64.b64decode(not_base64.content, validate=True)
    assert not base64.b64decode(not_pdf.content, validate=True).startswith(b"%PDF")


async def test_an_incomplete_demand_fails(caller: Caller) -> None:
    reply = await caller.urssaf(SHOWCASE.siren, typeAttestation="AUTRE")

    assert reply.json()[0]["code"] == "FUNC511"
