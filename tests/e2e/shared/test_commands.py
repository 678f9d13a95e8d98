"""The command line beside a running gateway: what it tells, and that each command explains itself."""

import asyncio
import json
from collections.abc import Iterator

import typer
from typer.testing import CliRunner

from gateway.cli import application
from tests.e2e.office import Office, Registered
from tests.e2e.running import RECIPIENT, Served, command, refused_command


async def told(gateway: Served, *words: str, given: str = "") -> list[dict[str, object]]:
    """What a command prints for a machine."""
    printed = await asyncio.to_thread(command, gateway.environ, *words, given=given)
    return [json.loads(line) for line in printed.splitlines()]


async def test_an_operator_sees_the_whole_from_the_command_line(
    gateway: Served, office: Office, caller: Registered
) -> None:
    await caller.ask("/privileges")

    inspected, findings, providers, quotas, shown, refused = await asyncio.gather(
        told(gateway, "token", "inspect", given=f"{caller.token}\n"),
        told(gateway, "doctor", "--json"),
        told(gateway, "config", "check", "--json"),
        told(gateway, "quotas", caller.jti, "--json"),
        told(gateway, "habilitation", "show", caller.habilitation, "--json"),
        asyncio.to_thread(refused_command, gateway.environ, "token", "inspect", given="eyJhbGciOiJub25lIn0.e30."),
    )

    assert inspected[0]["jti"] == caller.jti
    assert inspected[0]["revoked_at"] is None
    assert {finding["what"] for finding in findings} >= {"settings", "disk", "postgresql", "redis", "insee"}
    assert all(finding["ok"] for finding in findings)
    assert {"provider": "insee", "ready": True, "missing": []} in providers
    assert "json_resources_entreprise" in {quota["group"] for quota in quotas}
    assert (shown[0]["id"], shown[0]["siret"]) == (caller.habilitation, RECIPIENT)
    assert refused.startswith("This is not a token of ours: ")
    assert "Traceback" not in refused


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
