"""The command line beside a running gateway: what it tells, and that each command explains itself."""

import asyncio
import json
from collections.abc import Iterator

import typer
from typer.testing import CliRunner

from gateway.cli.application import application
from tests.e2e.office import Registered
from tests.e2e.running import Served, command


async def told(gateway: Served, *words: str, given: str = "") -> list[dict[str, object]]:
    """What a command prints for a machine."""
    printed = await asyncio.to_thread(command, gateway.environ, *words, given=given)
    return [json.loads(line) for line in printed.splitlines()]


async def test_a_token_is_inspected_and_the_whole_looked_over(gateway: Served, caller: Registered) -> None:
    inspected, findings = await asyncio.gather(
        told(gateway, "token", "inspect", given=f"{caller.token}\n"), told(gateway, "doctor", "--json")
    )

    assert (inspected[0]["jti"], inspected[0]["habilitation_id"]) == (caller.jti, caller.habilitation)
    assert inspected[0]["revoked_at"] is None
    looked_over = {finding["what"] for finding in findings}
    assert looked_over >= {"settings", "disk", "documents", "postgresql", "redis", "insee"}
    assert [finding for finding in findings if not finding["ok"]] == []


def test_every_command_explains_itself() -> None:
    runner = CliRunner()

    explained = {words: runner.invoke(application, [*words, "--help"]) for words in commands()}

    assert {("serve",), ("demo",), ("token", "inspect"), ("audit", "search"), ("config", "check")} <= set(explained)
    for words, result in explained.items():
        assert result.exit_code == 0, words
        assert f"Usage: root {' '.join(words)}".strip() in result.output, words
        assert len(result.output.split("\n")) > 4, words
    assert not [words for words in explained if "jwt" in " ".join(words).lower()]


def commands(group: object = None, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command, its groups included."""
    group = group or typer.main.get_command(application)
    yield words
    for name, inner in getattr(group, "commands", {}).items():
        yield from commands(inner, (*words, name))
