"""The rules of the house that no linter knows, each with an example that keeps it and one that breaks it.

A line that must break one says so: `# house: clock, because …`.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import pytest

from providers import ADAPTERS

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path.relative_to(ROOT)
    for folder in ("audit", "config", "gateway", "providers", "ratelimit")
    for path in (ROOT / folder).rglob("*.py")
)
SLUGS = frozenset(adapter.slug for adapter in ADAPTERS)

Found = Iterator[ast.expr | ast.stmt]
MARK = re.compile(r"#\s*house: (\w+), because \S")


@dataclass(frozen=True)
class HouseRule:
    """A rule: where it holds, what breaks it, and what the one who broke it should know."""

    name: str
    message: str
    holds_in: Callable[[Path], bool]
    find: Callable[[ast.Module, Path], Found]
    good: str
    bad: tuple[str, ...]
    example: Path = Path("gateway/example.py")


def http_exceptions(tree: ast.Module, path: Path) -> Found:
    for node in ast.walk(tree):
        if _name(node) == "HTTPException":
            assert isinstance(node, ast.expr | ast.stmt)
            yield node
        if isinstance(node, ast.ImportFrom) and any("HTTPException" in alias.name for alias in node.names):
            yield node


def literal_codes(tree: ast.Module, path: Path) -> Found:
    """In the gateway, any five digits; in a provider's folder, the gateway's codes and its own: there are postcodes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_code(node.value, path):
            yield node


def readings_of_the_clock(tree: ast.Module, path: Path) -> Found:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in CLOCKS:
            yield node
        if isinstance(node, ast.ImportFrom) and any(f"{node.module}.{alias.name}" in CLOCKS for alias in node.names):
            yield node


def imports_of_siblings(tree: ast.Module, path: Path) -> Found:
    others = SLUGS - {_slug(path)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        if any(name.startswith("providers.") and name.split(".")[1] in others for name in names):
            yield node


CLOCKS = frozenset(
    f"{module}{call}"
    for module in ("", "datetime.")
    for call in ("datetime.now", "datetime.utcnow", "datetime.today", "date.today")
) | {"time.time", "time.time_ns"}
TABLES = (Path("gateway/errors.py"), Path("providers/base/parameters.py"))
DIGITS = {adapter.slug: {provider.code for provider in adapter.providers} for adapter in ADAPTERS}

RULES = (
    HouseRule(
        name="http_exception",
        message="Refusals are rows of gateway/errors.py, so that each has its code, its words and its record: raise "
        "Refusal.of(Refused.…); only gateway/pages speaks the framework's language.",
        holds_in=lambda path: path.parts[:2] != ("gateway", "pages"),
        find=http_exceptions,
        good="raise Refusal.of(Refused.SCOPE)",
        bad=("raise HTTPException(403)", "raise fastapi.HTTPException(403)", "from fastapi import HTTPException"),
    ),
    HouseRule(
        name="code",
        message="A code stands once, in its table (gateway/errors.py, providers/base/parameters.py), or is made of the "
        "provider's two digits and the kind's three: name the row, or the kind.",
        holds_in=lambda path: path not in TABLES and path.parts[:2] != ("providers", "simulator"),
        find=literal_codes,
        good='raise Refusal.of(Refused.SCOPE)\npostcode = "350000"\nlog.info("00100 of them")',
        bad=('code = "00100"', 'if answer.code == "03999": pass'),
    ),
    HouseRule(
        name="clock",
        message="Time is an argument, so that a test may hand over another: take a Clock (config/clock.py).",
        holds_in=lambda path: path != Path("config/clock.py"),
        find=readings_of_the_clock,
        good="now = clock()\nat = datetime.fromtimestamp(now, PARIS)\nstart = time.monotonic()",
        bad=(
            "datetime.now(PARIS)",
            "datetime.datetime.utcnow()",
            "date.today()",
            "time.time()",
            "f(clock=time.time)",
            "from time import time",
        ),
    ),
    HouseRule(
        name="sibling",
        message="A provider that imports another changes with it, unseen: what two of them share stands in "
        "providers/base, or in a folder of its own that knows neither (providers/api_association).",
        holds_in=lambda path: _slug(path) in SLUGS,
        find=imports_of_siblings,
        good="import providers.base\nfrom providers.dgfip.adelie import ADELIE\nfrom providers import base",
        bad=("from providers.insee import sirene", "import providers.insee.sirene", "from providers import insee"),
        example=Path("providers/dgfip/example.py"),
    ),
)


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _slug(path: Path) -> str:
    return path.parts[1] if path.parts[0] == "providers" and len(path.parts) > 2 else ""


def _is_code(text: str, path: Path) -> bool:
    if re.fullmatch(r"\d{5}", text, re.ASCII) is None:
        return False
    own = DIGITS.get(_slug(path), set()) if path.name != "simulated.py" else set()
    return path.parts[0] != "providers" or text.startswith("00") or text[:2] in own


def broken(rule: HouseRule, source: str, path: Path) -> list[str]:
    """The lines of a file that break a rule, but for those that say why they must."""
    lines = source.splitlines()
    found = []
    for node in rule.find(ast.parse(source), path):
        text = lines[node.lineno - 1]
        mark = MARK.search(text)
        if mark is None or mark[1] != rule.name:
            found.append(f"{path}:{node.lineno}: {text.strip()}")
    return found


every_rule = pytest.mark.parametrize("rule", RULES, ids=attrgetter("name"))


@every_rule
def test_the_house_keeps_its_rules(rule: HouseRule) -> None:
    found = [
        line
        for path in FILES
        if rule.holds_in(path)
        for line in broken(rule, (ROOT / path).read_text(encoding="utf-8"), path)
    ]

    assert not found, "\n".join([rule.message, *found])


@every_rule
def test_a_rule_lets_pass_what_keeps_it(rule: HouseRule) -> None:
    assert broken(rule, rule.good, rule.example) == []


@pytest.mark.parametrize(
    ("rule", "bad"), [(rule, bad) for rule in RULES for bad in rule.bad], ids=lambda value: getattr(value, "name", None)
)
def test_a_rule_finds_what_breaks_it(rule: HouseRule, bad: str) -> None:
    assert rule.holds_in(rule.example)
    assert broken(rule, bad, rule.example)


@every_rule
def test_a_line_may_say_why_it_breaks_a_rule(rule: HouseRule) -> None:
    excused = f"{rule.bad[0]}  # house: {rule.name}, because this is an example"
    unexplained = f"{rule.bad[0]}  # house: {rule.name}"

    assert broken(rule, excused, rule.example) == []
    assert broken(rule, unexplained, rule.example)
