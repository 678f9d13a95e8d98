"""A running gateway against its own descriptions: nothing it answers is outside of what they declare.

`OCTROI_SCHEMATHESIS_EXAMPLES=200` draws that many calls for each operation, and others at each run.
"""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from config.quotas import GROUPS
from providers import ENDPOINTS
from providers.simulator.faults import FAULTS
from providers.simulator.identifiers import siret_of
from providers.simulator.world import World
from tests.e2e.office import Office, Registered, open_office
from tests.e2e.running import Served

EXAMPLES = int(os.environ.get("OCTROI_SCHEMATHESIS_EXAMPLES", "0"))
FEW = 3
DOCUMENTS = ("/openapi.json", "/v3/openapi.yaml")
SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
SETTINGS = {
    "OCTROI_RATELIMIT__IP_PER_MINUTE": "1000000",
    **{f"OCTROI_RATELIMIT__GROUPS__{group.name.upper()}": "1000000" for group in GROUPS},
}
CONFIGURATION = """
# A number that has the form of a SIREN and not its key is refused (422); so are a year to come and the like.
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "422", "451", "502", "503", "504"]
# A provider that fails is no defect of the gateway, and has a declared status.
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", "502", "503", "504"]
"""
NOT_OF_THE_CONTRACT = "unsupported_method"
"""Other verbs fall on the page of unknown addresses, a 404 where this check wants a 405 (behaviours §2)."""

PATIENCE = {"slow", "sluggish", "drip", "huge", "bomb"}
"""Faults that take seconds, or much of the machine, each time."""


def known_values() -> dict[str, list[str]]:
    """By parameter, what the simulated providers know, and what makes them fail."""
    world = World.load()
    faulty = [fault.siren for fault in FAULTS if fault.name not in PATIENCE]
    sirens = [company.siren for company in world.companies if company.siren] + faulty
    sirets = [place.siret for company in world.companies for place in company.etablissements]
    sirets += [siret_of(siren, "0001") for siren in faulty]
    rnas = [company.rna for company in world.companies if company.rna]
    return {
        "siren": sirens,
        "siret": sirets,
        "siret_or_eori": sirets,
        "siret_or_rna": sirets + rnas,
        "siren_or_rna": sirens + rnas,
        "siren_or_siret_or_rna": sirens + sirets + rnas,
        "year": ["2023", "2024", "2025"],
        "month": ["01", "12"],
    }


def configuration() -> str:
    """Half of the values are drawn from those known, the others from the declared form."""
    values = known_values()
    known = [f"dictionaries.{name}.values = {json.dumps(told)}" for name, told in values.items()]
    bound = [f'parameters."path.{name}" = {{ dictionary = "{name}", probability = 0.7 }}' for name in values]
    return "\n".join([*known, *bound, CONFIGURATION])


pytestmark = pytest.mark.slow


@pytest_asyncio.fixture(scope="module")
async def office(gateway: Served) -> AsyncIterator[Office]:
    async with open_office(gateway) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module")
async def caller(office: Office) -> Registered:
    return await office.caller()


def play(caller: Registered, document: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    (folder / "schemathesis.toml").write_text(configuration())
    drawn = [f"--max-examples={EXAMPLES}"] if EXAMPLES else [f"--max-examples={FEW}", "--generation-deterministic"]
    command = [
        SCHEMATHESIS,
        f"--config-file={folder / 'schemathesis.toml'}",
        "run",
        f"{caller.url}{document}",
        f"--header=Authorization: Bearer {caller.token}",
        "--phases=examples,coverage,fuzzing",
        f"--exclude-checks={NOT_OF_THE_CONTRACT}",
        "--warnings=off",
        "--continue-on-failure",
        "--no-color",
        *drawn,
    ]

    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def played(
    caller: Registered, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, "subprocess.CompletedProcess[str]"]:
    """Both documents played, whichever test comes first."""
    return {document: play(caller, document, tmp_path_factory.mktemp("played")) for document in DOCUMENTS}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_nothing_is_answered_but_what_is_declared(
    played: dict[str, "subprocess.CompletedProcess[str]"], document: str
) -> None:
    done = played[document]

    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]


@pytest.mark.usefixtures("played")
async def test_by_then_each_operation_has_granted_refused_and_found_nothing(office: Office) -> None:
    """Lest what was played be all of one kind. Some operations know few companies, hence most of them and not all."""
    records = await office.records()
    met = {(record["operation_id"], record["status"]) for record in records if record["operation_id"]}

    for status in (200, 404, 422):
        assert len({operation for operation, one in met if one == status}) > len(ENDPOINTS) * 0.7, status
    assert 500 not in {status for _, status in met}
