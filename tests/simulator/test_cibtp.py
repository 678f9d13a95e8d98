"""What the simulated CIBTP serves."""

import pytest

from providers.base.pdf import first_pages
from providers.cibtp import attestation_cotisations_v3
from providers.simulator.world import SHOWCASE
from tests.simulator.adapters import ask, ask_with_documents
from tests.simulator.conftest import Caller


async def test_a_building_company_gets_a_certificate(caller: Caller) -> None:
    answer, kept = await ask_with_documents(caller, attestation_cotisations_v3, siret=SHOWCASE.siret)

    assert answer["data"]["expires_in"] == 600
    assert f"Siret : {SHOWCASE.siret}" in first_pages(kept[0], 1)[0]


@pytest.mark.parametrize(
    ("siret", "code"),
    [
        (SHOWCASE.siret_absent, "003"),
        ("00001003300017", "003"),  # public works
        ("00007030000017", "422"),
        ("00007031800019", "000"),
    ],
)
async def test_a_refusal_has_its_status(caller: Caller, siret: str, code: str) -> None:
    assert await ask(caller, attestation_cotisations_v3, siret=siret) == code


async def test_the_login_speaks_json(caller: Caller) -> None:
    url = "/cibtp.example/apientreprise/token"

    good = await caller.client.post(url, json={"client_id": "i", "client_secret": "s"})
    bad = await caller.client.post(url, data={"client_id": "i", "client_secret": "s"})

    assert good.json().keys() == {"token_type", "expires_in", "ext_expires_in", "access_token"}
    assert (bad.status_code, "access_token" in bad.json()) == (401, False)


async def test_a_token_is_asked_for(caller: Caller) -> None:
    url = f"/cibtp.example/apientreprise/attestationmarche?siret={SHOWCASE.siret}"

    reply = await caller.client.get(url)

    assert reply.status_code == 401
