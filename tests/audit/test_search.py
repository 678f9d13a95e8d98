"""Search by each key, newest first."""

from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import orjson
import pytest
import pytest_asyncio

from audit.record import Record
from audit.search import Query, search
from gateway.database import Pool
from tests.audit.builders import NOW, a_record, a_trail

OTHER = UUID("0195a000-0000-7000-8000-0000000000ff")


@pytest_asyncio.fixture
async def records(tmp_path: Path, pool: Pool) -> list[Record]:
    """Five records over three months, oldest first."""
    made = [
        a_record(at=NOW - 60 * 86400, request_id="first"),
        a_record(at=NOW - 10, siren=None, siret="99988877100023", request_id="of a SIRET"),
        a_record(at=NOW - 1, siren="111222333", jti=str(OTHER), habilitation=str(OTHER), request_id="of another"),
        a_record(at=NOW - 0.5, siren=None, rna="W999000001", request_id="of an association"),
        a_record(at=NOW, status=0, outcome="banned", jti=None, habilitation=None, siren=None, request_id="banned"),
    ]
    trail = await a_trail(tmp_path, pool)
    for one in made:
        await trail.append(one)
    assert await trail.flush(10)
    await trail.close()
    return made


async def found(pool: Pool, query: Query) -> list[str]:
    return [row["request_id"] async for row in search(pool, query)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), ["banned", "of an association", "of another", "of a SIRET", "first"]),
        (Query(siren="999888771"), ["of a SIRET", "first"]),
        (Query(siret="99988877100023"), ["of a SIRET"]),
        (Query(rna="W999000001"), ["of an association"]),
        (Query(jti=str(OTHER)), ["of another"]),
        (Query(habilitation=OTHER), ["of another"]),
        (Query(request_id="banned"), ["banned"]),
        (Query(since=datetime.fromtimestamp(NOW - 1, UTC)), ["banned", "of an association", "of another"]),
        (Query(until=datetime.fromtimestamp(NOW - 1, UTC)), ["of a SIRET", "first"]),
        (Query(siren="999888771", since=datetime.fromtimestamp(NOW - 86400, UTC)), ["of a SIRET"]),
        (Query(siren="999888771", jti=str(OTHER)), []),
        (Query(request_id="' OR 1=1 --"), []),
        (Query(limit=2), ["banned", "of an association"]),
        (Query(limit=None), ["banned", "of an association", "of another", "of a SIRET", "first"]),
    ],
    ids=str,
)
@pytest.mark.usefixtures("records")
async def test_finds_what_is_asked_newest_first(pool: Pool, query: Query, expected: list[str]) -> None:
    assert await found(pool, query) == expected


@pytest.mark.usefixtures("records")
async def test_a_row_can_be_written_as_json(pool: Pool) -> None:
    rows = [orjson.loads(orjson.dumps(row)) async for row in search(pool, Query(request_id="of a SIRET"))]

    assert [(row["siren"], row["codes"], row["extra"], row["at"]) for row in rows] == [
        ("999888771", [], {}, "2026-03-02T08:59:50+00:00")
    ]


@pytest.mark.usefixtures("records")
async def test_a_search_that_is_left_early_gives_its_connection_back(pool: Pool) -> None:
    async with aclosing(search(pool, Query())) as rows:
        async for _ in rows:
            break

    assert pool.get_idle_size() == pool.get_size()
