"""Every recorded case of every provider, ours and the shared ones, through its endpoint."""

import json
from pathlib import Path
from typing import Any

import pytest

from providers import ENDPOINTS
from tests.providers.golden import SHARED, cases, compare, play

OURS = [case for folder in sorted(Path(__file__).parent.glob("*/")) for case in cases(folder)]
THEIRS = [case for slug in sorted({e.provider.slug for e in ENDPOINTS}) for case in cases(SHARED / slug)]


def label(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


@pytest.mark.parametrize("path", OURS, ids=label)
async def test_our_recorded_case_gives_its_answer(path: Path) -> None:
    await check(read(path))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared golden cases are not beside this checkout")
@pytest.mark.parametrize("path", THEIRS, ids=label)
async def test_shared_recorded_case_gives_its_answer(path: Path) -> None:
    await check(read(path))


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())  # type: ignore[no-any-return]


async def check(case: dict[str, Any]) -> None:
    status, body, _ = await play(case, ENDPOINTS)

    found = compare(case, status, body)
    if found and "disputed" in case:
        pytest.skip(f"disputed: {'; '.join(found[:2])}")
    assert not found
