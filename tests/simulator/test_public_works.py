"""What the simulated FNTP and CNETP serve."""

import httpx
import pytest

from providers.base import Endpoint
from providers.base.pdf import first_pages
from providers.cnetp import attestation_cotisations_v3
from providers.fntp import carte_professionnelle_v3
from providers.simulator.world import SHOWCASE
from tests.simulator.adapters import ask, ask_with_documents
from tests.simulator.conftest import Caller

DOCUMENTS = [
    (carte_professionnelle_v3, SHOWCASE.siren),
    (carte_professionnelle_v3, "385407184"),
    (attestation_cotisations_v3, SHOWCASE.siren),
    (attestation_cotisations_v3, "352745749"),
]


@pytest.mark.parametrize(("endpoint", "siren"), DOCUMENTS)
async def test_a_company_of_the_trade_gets_a_document(caller: Caller, endpoint: Endpoint, siren: str) -> None:
    answer, kept = await ask_with_documents(caller, endpoint, siren=siren)

    assert answer["data"]["expires_in"] == 86400
    assert f"Siren : {siren}" in first_pages(kept[0], 1)[0]


@pytest.mark.parametrize("endpoint", [carte_professionnelle_v3, attestation_cotisations_v3])
@pytest.mark.parametrize("siren", ["000010066", "000099994", "000000000"])
async def test_others_get_none(caller: Caller, endpoint: Endpoint, siren: str) -> None:
    assert await ask(caller, endpoint, siren=siren) == "003"


async def get(caller: Caller, path: str, **query: str) -> httpx.Response:
    return await caller.client.get(path, params=query)


async def test_an_absence_is_told_by_fntp_without_a_word_and_by_cnetp_in_a_pdf_that_is_none(caller: Caller) -> None:
    card = await get(caller, "/fntp.example/rip/sgmap/000099994/cartepro", token="t")
    certificate = await get(
        caller, "/cnetp.example/webservice/doc/attestations/entreprises", id="i", jeton="j", siren="000099994"
    )

    assert (card.status_code, card.content, card.headers["content-type"]) == (404, b"", "text/plain; charset=utf-8")
    assert certificate.status_code == 404
    assert certificate.headers["content-type"] == "application/pdf;charset=ISO-8859-1"
    assert certificate.content.decode("latin-1").endswith("nulle part")


async def test_a_key_is_asked_for(caller: Caller) -> None:
    card = await get(caller, f"/fntp.example/rip/sgmap/{SHOWCASE.siren}/cartepro")
    certificate = await get(
        caller, "/cnetp.example/webservice/doc/attestations/entreprises", id="i", siren=SHOWCASE.siren
    )

    assert (card.status_code, certificate.status_code) == (403, 401)
