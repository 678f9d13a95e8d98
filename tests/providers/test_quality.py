"""What every adapter owes, checked from its declarations; `exemptions.toml` in its folder excuses one, with a reason.

A rule is a function of an adapter that yields what is lacking. A new provider is checked as soon as it is registered.
"""

import csv
import json
import re
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from config.clock import PARIS
from config.settings import UpstreamSettings
from gateway.description import describe
from providers import ADAPTERS, ENDPOINTS
from providers.base import (
    Adapter,
    Call,
    Collection,
    Endpoint,
    Parameter,
    ProviderFailed,
    Rule,
    Single,
    Upstream,
    serialise,
)
from providers.simulator.app import create_simulator, discover
from providers.simulator.world import SHOWCASE, World
from tests.providers.golden import SHARED, MemoryDocuments, MemoryVault, cases, find, play

ROOT = Path(__file__).parents[2]
FACTS = SHARED.parent / "facts"
NOW = datetime(2026, 4, 15, 10, 0, tzinfo=PARIS)
HEADINGS = [
    "Ce que le fournisseur donne",
    "Opérations",
    "Accès et réglages",
    "Règles d'erreur",
    "Cache",
    "Masquage",
    "Pièges et choix",
]
MAINTENANCES = {
    "banque_de_france": ("22:04", "22:08"),
    "cnetp": ("06:00", "06:30"),
    "dgfip": ("01:00", "02:00"),
    "gip_mds": ("13:00", "17:00"),
    "msa": ("03:00", "03:30"),
}
"""The announced windows (facts of the pings, §3)."""

every_adapter = pytest.mark.parametrize("adapter", ADAPTERS, ids=attrgetter("slug"))
every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=attrgetter("operation_id"))

Lacking = Iterator[str]


@lru_cache
def golden(slug: str) -> tuple[tuple[Endpoint, dict[str, Any]], ...]:
    """Our recorded cases of a provider, each with its endpoint."""
    told = [json.loads(path.read_text()) for path in cases(ROOT / "tests" / "providers" / slug)]
    return tuple((find(case["request"]["path"], ENDPOINTS)[0], case) for case in told)


def page_of(adapter: Adapter) -> str:
    page = ROOT / "docs" / "reference" / "providers" / f"{adapter.slug}.md"
    return page.read_text(encoding="utf-8") if page.is_file() else ""


def a_case_of_success_per_version(adapter: Adapter) -> Lacking:
    granted = {endpoint.operation_id for endpoint, case in golden(adapter.slug) if case["expected"]["status"] == 200}
    for endpoint in adapter.endpoints:
        if endpoint.operation_id not in granted:
            yield f"no recorded case under tests/providers/{adapter.slug} has {endpoint.operation_id} answer 200"


def a_case_of_failure_per_version(adapter: Adapter) -> Lacking:
    refused = {resource(one) for one, case in golden(adapter.slug) if case["expected"]["status"] >= 400}
    for endpoint in adapter.endpoints:
        if resource(endpoint) not in refused:
            yield f"no recorded case has {endpoint.operation_id}, or a twin of it, fail"


def resource(endpoint: Endpoint) -> str:
    """What an endpoint gives, whatever its version, and whether of all or of the diffusible or open ones."""
    return re.sub(r"(diffusibles|open_data|open-data)/", "", endpoint.path.split("/", 2)[2])


def an_order_of_rules_without_orphans(adapter: Adapter) -> Lacking:
    """The rule that catches all comes last: what stands behind one that always matches is never tried."""
    for endpoint in adapter.endpoints:
        seen: set[tuple[Any, ...]] = set()
        for rule in endpoint.failures:
            told = (rule.kind.code, rule.statuses, rule.matches)
            if told in seen:
                yield f"{endpoint.operation_id} tells {rule.kind.code} twice in the same words"
            seen.add(told)


def timeouts_that_are_told(adapter: Adapter) -> Lacking:
    page = page_of(adapter)
    for provider in adapter.providers:
        connect, read = (int(span.total_seconds()) for span in (provider.connect_timeout, provider.read_timeout))
        words = (f"{connect} et {read}", f"{connect} s pour se connecter, {read} s pour lire")
        if not any(word in page for word in words):
            yield f"the page does not tell the timeouts of {provider.base_url or provider.name}: {words[0]} s"


def a_rule_of_cache_that_is_told(adapter: Adapter) -> Lacking:
    """`cache` has no default, so that None is a choice; the page says which."""
    section = page_of(adapter).partition("## Cache")[2].partition("\n## ")[0]
    kept = [endpoint for endpoint in adapter.endpoints if endpoint.cache is not None]
    if not section.strip():
        yield "the page says nothing under « Cache »"
    if not kept and re.search(r"\b(rien|aucun|jamais|ne sont pas)\b|n'est ", section, re.IGNORECASE) is None:
        yield "nothing is kept, and the page does not say so under « Cache »"


def a_ping(adapter: Adapter) -> Lacking:
    if not adapter.pings:
        yield "no ping tells of its health"
    for ping in adapter.pings:
        if f"ping/{ping.path}" not in page_of(adapter) and f"`{ping.path}`" not in page_of(adapter):
            yield f"the page does not tell of /ping/{ping.path}"


def a_simulation(adapter: Adapter) -> Lacking:
    if adapter.slug not in discover():
        yield f"providers/{adapter.slug}/simulated.py is lacking: nobody can try it without an access"


def its_maintenance_windows(adapter: Adapter) -> Lacking:
    told = {(f"{w.start:%H:%M}", f"{w.end:%H:%M}") for p in adapter.providers for w in p.maintenance}
    wanted = {MAINTENANCES[adapter.slug]} if adapter.slug in MAINTENANCES else set()
    if told != wanted:
        yield f"its windows are {sorted(told)}, and those announced {sorted(wanted)}"
    if len({p.maintenance for p in adapter.providers}) > 1:
        yield "its connections do not close at the same hours"


def a_page_with_the_seven_headings(adapter: Adapter) -> Lacking:
    found = re.findall(r"^## (.+)$", page_of(adapter), re.MULTILINE)
    if found != HEADINGS:
        yield f"docs/reference/providers/{adapter.slug}.md has the headings {found}"


def a_french_title_on_each_field(adapter: Adapter) -> Lacking:
    for model in models(*(endpoint.answer_model for endpoint in adapter.endpoints)):
        if issubclass(model, Single | Collection):
            continue
        for name, field in model.model_fields.items():
            title = field.title or ""
            if len(title) < 3 or title == name or not title[0].isupper():
                yield f"{model.__module__}.{model.__qualname__}.{name} has the title {title!r}"
            elif re.search(r"\b(the|of|and|is|whether|number|date of)\b", title, re.IGNORECASE):
                yield f"{model.__module__}.{model.__qualname__}.{name} has an English title"


def texts_for_those_who_read_the_description(adapter: Adapter) -> Lacking:
    for endpoint in adapter.endpoints:
        for what, text in (("title", endpoint.title), ("description", endpoint.description), ("tag", endpoint.tag)):
            if not text.strip():
                yield f"{endpoint.operation_id} has no {what}"
        if not endpoint.description.endswith("."):
            yield f"the description of {endpoint.operation_id} is no sentence"


def models(*roots: Any) -> Iterator[type[BaseModel]]:
    """The models that annotations are made of, each once."""
    seen: set[Any] = set()
    waiting = list(roots)
    while waiting:
        annotation = waiting.pop()
        if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in seen:
            seen.add(annotation)
            waiting += [field.annotation for field in annotation.model_fields.values()]
            yield annotation
        waiting += get_args(annotation)


RULES: tuple[Callable[[Adapter], Lacking], ...] = (
    a_case_of_success_per_version,
    a_case_of_failure_per_version,
    an_order_of_rules_without_orphans,
    timeouts_that_are_told,
    a_rule_of_cache_that_is_told,
    a_ping,
    a_simulation,
    its_maintenance_windows,
    a_page_with_the_seven_headings,
    a_french_title_on_each_field,
    texts_for_those_who_read_the_description,
)


def exemptions(slug: str) -> dict[str, str]:
    """The rules that an adapter does not keep, each with its reason."""
    file = ROOT / "providers" / slug / "exemptions.toml"
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


@every_adapter
@pytest.mark.parametrize("rule", RULES, ids=attrgetter("__name__"))
def test_an_adapter_has(rule: Callable[[Adapter], Lacking], adapter: Adapter) -> None:
    lacking = list(rule(adapter))

    if rule.__name__ in exemptions(adapter.slug):
        assert lacking, f"the exemption from {rule.__name__} is not needed any more: take it out"
    else:
        assert not lacking, "\n".join(lacking)


@every_adapter
def test_an_exemption_names_a_rule_and_says_why(adapter: Adapter) -> None:
    told = exemptions(adapter.slug)

    assert set(told) <= {rule.__name__ for rule in RULES} | {every_rule_of_failure_is_seen_at_work.__name__}
    assert all(isinstance(reason, str) and len(reason.split()) >= 5 for reason in told.values())


class Watched:
    """A rule of failure that notes when it finds one."""

    def __init__(self, rule: Rule, seen: set[int]) -> None:
        self.kind = rule.kind
        self._rule = rule
        self._seen = seen

    def may_hold(self, status: int) -> bool:
        return self._rule.may_hold(status)

    def judge(self, reply: Any) -> ProviderFailed | None:
        failed = self._rule.judge(reply)
        if failed is not None:
            self._seen.add(id(self._rule))
        return failed


async def every_rule_of_failure_is_seen_at_work(adapter: Adapter) -> list[str]:
    """Rules that no recorded case sets off; one that several endpoints share is seen at work in any of them."""
    seen: set[int] = set()
    watched = tuple(one.but(failures=tuple(Watched(rule, seen) for rule in one.failures)) for one in adapter.endpoints)
    for endpoint, case in golden(adapter.slug):
        if endpoint in adapter.endpoints and case["expected"]["status"] >= 400:
            await play(case, watched)
    return [
        f"{endpoint.operation_id}: no recorded case sets off rule {rank}, {rule.kind.code} {rule.kind.title}"
        for endpoint in adapter.endpoints
        for rank, rule in enumerate(endpoint.failures, 1)
        if id(rule) not in seen
    ]


@every_adapter
async def test_every_rule_of_failure_of_an_adapter_is_seen_at_work(adapter: Adapter) -> None:
    lacking = await every_rule_of_failure_is_seen_at_work(adapter)

    if every_rule_of_failure_is_seen_at_work.__name__ not in exemptions(adapter.slug):
        assert not lacking, "\n".join(lacking)


@pytest.mark.skipif(not FACTS.is_dir(), reason="the facts of the contract are not beside this checkout")
def test_timeouts_are_those_of_the_official_service() -> None:
    rows = list(csv.DictReader((FACTS / "endpoints.csv").read_text(encoding="utf-8").splitlines()))
    official = {row["operation_id"]: row["timeout_open_read_s"] for row in rows}

    ours = {
        endpoint.operation_id: f"{endpoint.provider.connect_timeout.seconds}/{endpoint.provider.read_timeout.seconds}"
        for endpoint in ENDPOINTS
        if endpoint.operation_id in official
    }

    assert ours == {name: official[name] for name in ours}


# Over the simulator.

SHOWN: dict[str, str] = {
    "siren": SHOWCASE.siren,
    "siret": SHOWCASE.siret,
    "siret_or_rna": SHOWCASE.rna,
    "siren_or_rna": SHOWCASE.rna,
    "siren_or_siret_or_rna": SHOWCASE.rna,
    "siret_or_eori": SHOWCASE.siret,
    "year": "2024",
    "month": "01",
}


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    return describe(ENDPOINTS, base="https://octroi.test", version="1.0.0")


@pytest_asyncio.fixture(scope="module")
async def upstream() -> AsyncIterator[Upstream]:
    simulator = create_simulator(World.load(), clock=NOW.timestamp)
    async with httpx.ASGITransport(app=simulator) as transport:
        settings = UpstreamSettings(override="http://simulator", maintenance=False)  # type: ignore[arg-type]
        yield Upstream(transport, settings, {}, MemoryVault(), MemoryDocuments(), lambda: NOW)


@every_endpoint
async def test_an_endpoint_answers_in_its_own_schema_over_the_simulator(
    endpoint: Endpoint, upstream: Upstream, description: dict[str, Any]
) -> None:
    body = json.loads(serialise(await upstream.fetch(endpoint, call(endpoint))))

    granted = description["paths"][endpoint.path]["get"]["responses"]["200"]
    schema = {**granted["content"]["application/vnd.api+json"]["schema"], "components": description["components"]}
    assert [error.message for error in Draft202012Validator(schema).iter_errors(body)] == []
    assert body["data"]


def call(endpoint: Endpoint) -> Call:
    """A call about the company of demonstrations."""
    return Call(
        values={one.name: value(one) for one in endpoint.all_parameters if one.where == "path"},
        context="test",
        object="test",
        recipient=SHOWCASE.recipient,
        user_id="3fa85f64-5717-4562-b3fc-2c963f66afa6",
        request_id="00000000-0000-4000-8000-000000000001",
        today=NOW.date(),
        base="https://octroi.test",
    )


def value(parameter: Parameter) -> Any:
    return parameter.value(SHOWN[parameter.name], NOW)
