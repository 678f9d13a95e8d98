"""The schema: brought up to date by whoever comes, and known to be behind or not."""

import asyncio
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from alembic.script import ScriptDirectory

from gateway import database
from gateway import migrate as migrating
from gateway.database import MIGRATIONS, Pool, open_pool, schema_state
from gateway.migrate import migrate


async def test_a_new_database_is_behind_until_it_is_migrated(postgres_server: str) -> None:
    url = await new_database(postgres_server)
    pool = await open_pool(url)
    before = await schema_state(pool)

    await migrate(url)

    after = await schema_state(pool)
    assert before.current is None
    assert before.is_behind
    assert not after.is_behind
    assert after.current == after.wanted
    await pool.close()


async def test_workers_may_migrate_together(postgres_server: str) -> None:
    url = await new_database(postgres_server)

    await asyncio.gather(*(migrate(url) for _ in range(4)))

    pool = await open_pool(url)
    assert not (await schema_state(pool)).is_behind
    await pool.close()


async def test_a_schema_of_a_newer_version_is_not_behind(pool: Pool) -> None:
    await pool.execute("UPDATE alembic_version SET version_num = '9999'")

    newer = await schema_state(pool)

    assert not newer.is_behind
    assert newer.current == "9999"


async def test_a_migration_that_fails_leaves_nothing_behind(
    postgres_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = await new_database(postgres_server)
    steps = tmp_path / "migrations"
    (steps / "versions").mkdir(parents=True)
    (steps / "env.py").write_text((MIGRATIONS / "env.py").read_text())
    (steps / "versions" / "1.py").write_text(
        "from gateway.migrations import run_script\nrevision, down_revision = '1', None\n"
        "def upgrade():\n    run_script('CREATE TABLE half (); SELECT 1/0')\n"
    )
    monkeypatch.setattr(migrating, "MIGRATIONS", steps)

    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(url)

    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    await connection.close()


async def test_a_pool_opens_while_the_database_is_away(unused_tcp_port: int) -> None:
    pool = await open_pool(f"postgresql://octroi@127.0.0.1:{unused_tcp_port}/octroi")

    with pytest.raises(OSError, match="onnect"):
        await pool.fetchval("SELECT 1")
    await pool.close()


def test_the_steps_follow_one_another_without_a_fork() -> None:
    steps = list(ScriptDirectory(str(MIGRATIONS)).walk_revisions())

    assert [step.revision for step in steps] == sorted((step.revision for step in steps), reverse=True)
    assert len({step.down_revision for step in steps}) == len(steps)
    assert [step.revision for step in steps] == list(database._revisions())


async def new_database(server: str) -> str:
    name = f"new_{uuid4().hex}"
    connection = await asyncpg.connect(server)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return server.rpartition("/")[0] + "/" + name
