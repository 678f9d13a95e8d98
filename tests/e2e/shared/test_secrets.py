"""No token is found anywhere once it was used: neither in files nor in logs, nor in PostgreSQL, nor in Redis.

Two files of the data directory are secrets by design, and hold no token: `jwt.secret` signs them, `cache.key` seals.
(`octroi demo` writes its own tokens to `demo.json`, which this gateway does not have.)
"""

from collections.abc import Iterator
from pathlib import Path

import pytest_asyncio
import redis

from gateway.database import Pool
from providers.simulator.identifiers import siren_of
from tests.e2e.office import Office, Registered, everything
from tests.e2e.running import RECIPIENT, TRACE, Served
from tests.e2e.simulated import providers

UNITE = "/v4/insee/sirene/unites_legales/"
FORGED = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJmb3JnZWQifQ.c2lnbmF0dXJlLW9mLW5vYm9keQ"
BY_DESIGN = {"jwt.secret", "cache.key"}


@pytest_asyncio.fixture(scope="module")
async def session(office: Office, operator: Registered, gateway: Served, simulator: Served) -> list[str]:
    """All that a caller may do with tokens, wisely or not; gives the texts that must not be found."""
    caller, revoked = await office.caller(), await office.caller("entreprises")
    siren = siren_of("00240001")
    failing = siren_of("00240002")
    async with caller.client() as client:
        for token in (caller.token, FORGED):
            for place in ({"authorization": f"Bearer {token}"}, {"x-api-key": token}):
                await client.get(UNITE + siren, params=TRACE, headers=place)
                await client.get("/v3/nowhere", headers=place)
                await client.get("/admin/bans", headers=place)
                await client.get("/proxy/files/x", headers=place)
            await client.get(UNITE + siren, params=TRACE | {"token": token})
            await client.get(f"{UNITE}{siren}?token={token}")
            await client.get(f"/v3/nowhere?token={token}")
            await client.get(f"/ping/insee/sirene?token={token}")
            await client.get(f"/admin/audit?token={token}", headers=operator.authorization)
            misplaced = TRACE | {"context": token, "object": f"see {token}", "Token": token}
            await client.get(UNITE + siren, params=misplaced, headers=caller.authorization | {"user-agent": token})
            await client.get(f"{UNITE}{token}", params=TRACE, headers=caller.authorization)
            await client.get(f"/admin/tokens/{token}", headers=operator.authorization)
            await client.get(f"/{token}", headers={"x-request-id": token, "referer": f"https://x/?token={token}"})
            await client.post("/admin/tokens", json={"habilitation": token}, headers=operator.authorization)
        async with providers(simulator, faults={failing: "garbage"}):
            await client.get(UNITE + failing, params=TRACE | {"token": caller.token})
        for path, body in (
            (f"/admin/tokens/{revoked.jti}/revocation", {"reason": f"{revoked.token} was published"}),
            ("/admin/habilitations", {"siret": RECIPIENT, "intitule": revoked.token, "scopes": []}),
            ("/admin/habilitations", {"siret": RECIPIENT, "intitule": "x", "scopes": [revoked.token]}),
        ):
            refused = await client.post(path, json=body, headers=operator.authorization)
            assert refused.status_code == 422
        certificate = f"/v4/dgfip/unites_legales/{siren}/attestation_fiscale"
        last = await client.get(certificate, params=TRACE, headers={"x-api-key": caller.token})
    await office.record_of(last)
    tokens = [caller.token, revoked.token, operator.token, FORGED]
    return [part for token in tokens for part in token.split(".")[1:]] + ["eyJ"]


def files_of(gateway: Served) -> Iterator[tuple[str, bytes]]:
    """Every file of the gateway, its log among them."""
    folder = Path(gateway.environ["OCTROI_DATA_DIR"])
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


async def test_no_file_and_no_line_of_the_log_holds_a_token(session: list[str], gateway: Served) -> None:
    found = {(name, text) for name, content in files_of(gateway) for text in session if text.encode() in content}

    names = {name for name, _ in files_of(gateway)}
    assert names >= BY_DESIGN | {"serve.log"}
    assert found == set()


async def test_secret_files_are_readable_by_the_gateway_alone(gateway: Served) -> None:
    folder = Path(gateway.environ["OCTROI_DATA_DIR"])

    assert {name: (folder / name).stat().st_mode & 0o777 for name in BY_DESIGN} == dict.fromkeys(BY_DESIGN, 0o600)
    assert (folder / "spool").stat().st_mode & 0o077 == 0


async def test_no_row_of_postgresql_holds_a_token(session: list[str], office: Office) -> None:
    tables = await tables_of(office.pool)

    found = {
        (table, text)
        for table in tables
        for text in session
        if await office.pool.fetchval(f'SELECT count(*) FROM "{table}" AS kept WHERE strpos(kept::text, $1) > 0', text)
    }

    assert {"tokens", "habilitations", "audit_records"} <= set(tables)
    assert found == set()


async def test_no_key_and_no_value_of_redis_holds_a_token(session: list[str], stored: redis.Redis) -> None:
    kept = list(everything(stored))

    found = {(key, text) for key, value in kept for text in session if text.encode() in key + value}
    assert len(kept) > 5
    assert found == set()


async def test_what_was_struck_out_leaves_the_rest_of_the_text(session: list[str], office: Office) -> None:
    rows = await office.records(since=None, siren=siren_of("00240001"))

    assert "see [token]" in {row["object"] for row in rows}


async def tables_of(pool: Pool) -> list[str]:
    rows = await pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return [row["tablename"] for row in rows]
