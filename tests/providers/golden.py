"""Plays recorded provider traffic through one endpoint, with nothing of the gateway in between.

A case is `{"request": {"path"}, "exchanges": […], "expected": {"status", "body", "ignore"}}`: ours under
`tests/providers/<slug>/`, and those of the shared folder where it is present.
"""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx

from config.clock import PARIS
from config.settings import ProviderSettings, UpstreamSettings
from providers.base import Call, Endpoint, ProviderFailed, Upstream, serialise
from providers.base.parameters import WrongParameter

BASE = "https://octroi.test"
OFFICIAL = "https://entreprise.api.gouv.fr"
NOW = datetime(2026, 4, 28, 10, 0, tzinfo=PARIS)


class MemoryVault:
    """Keeps tokens for the length of one case."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def get(self, name: str) -> bytes | None:
        return self.kept.get(name)

    async def once(self, name: str, fetch: Any, *, other_than: bytes | None = None) -> bytes:
        if name not in self.kept or self.kept[name] == other_than:
            self.kept[name] = (await fetch())[0]
        return self.kept[name]


class MemoryDocuments:
    """Keeps documents for the length of one case."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, str, bytes]] = []

    async def keep(self, content: bytes, name: str, mime: str, lifetime: timedelta | None = None) -> str:
        self.kept.append((name, mime, content))
        return f"{BASE}/proxy/files/{len(self.kept)}/{name}"


@dataclass
class Playback:
    """The provider's side of a case: exchanges in their order; the same call again gets the next one."""

    exchanges: list[dict[str, Any]]
    asked: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        likely = [x for x in self.exchanges if _likeness(x["request"], request) > 0]
        if not likely:
            return httpx.Response(599, text="no such exchange in the case")
        best = max(likely, key=lambda x: _likeness(x["request"], request))
        if likely.count(best) > 1 or len(likely) > 1:
            self.exchanges.remove(best)
        if best["response"]["status"] == "timeout":
            raise httpx.ReadTimeout("as recorded", request=request)
        headers = {
            name: value
            for name, value in (best["response"].get("headers") or {}).items()
            if name.lower() not in {"content-length", "transfer-encoding", "content-encoding"}
        }
        response = best["response"]
        return httpx.Response(int(response["status"]), headers=headers, content=_bytes(response.get("body")))


def _likeness(recorded: dict[str, Any], asked: httpx.Request) -> int:
    url = urlsplit(recorded["uri"])
    if recorded["method"].upper() != asked.method or unquote(url.path) != unquote(asked.url.path):
        return 0
    theirs, ours = dict(parse_qsl(url.query)), dict(asked.url.params)
    return 100 + 2 * sum(ours.get(name) == value for name, value in theirs.items()) - len(theirs.keys() ^ ours.keys())


def _bytes(body: dict[str, Any] | None) -> bytes:
    if not body:
        return b""
    if "json" in body:
        return json.dumps(body["json"], ensure_ascii=False).encode()
    return base64.b64decode(body["base64"]) if "base64" in body else body.get("text", "").encode()


def find(path: str, endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, dict[str, str]]:
    """The endpoint of a path, the most literal first, and the texts of its parameters."""
    bare, _, query = path.partition("?")
    for endpoint in sorted(endpoints, key=lambda e: e.path.count("{")):
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", endpoint.path)
        if found := re.fullmatch(pattern, bare):
            return endpoint, {**found.groupdict(), **dict(parse_qsl(query, keep_blank_values=True))}
    raise AssertionError(f"no endpoint at {bare}")


async def play(case: dict[str, Any], endpoints: tuple[Endpoint, ...]) -> tuple[int, Any, Playback]:
    """Status, body and the calls made to the provider."""
    endpoint, texts = find(case["request"]["path"], endpoints)
    playback = Playback(list(case["exchanges"]))
    async with httpx.MockTransport(playback) as transport:
        upstream = Upstream(
            transport,
            UpstreamSettings(maintenance=False, breaker=False),
            {endpoint.provider.slug: _credentials()},
            MemoryVault(),
            MemoryDocuments(),
            lambda: NOW,
            {endpoint.provider.slug: transport},
        )
        values, wrong = _read(endpoint, texts)
        if wrong:
            return 422, {"errors": [{"code": code} for code in wrong]}, playback
        try:
            answer = await upstream.fetch(endpoint, _call(values))
        except ProviderFailed as failed:
            code = ("00" if failed.kind.nobodys else endpoint.provider.code) + failed.kind.code
            return failed.kind.status, {"errors": [{"code": code, "meta": failed.meta}]}, playback
    return 200, json.loads(serialise(answer).replace(BASE.encode(), OFFICIAL.encode())), playback


def _read(endpoint: Endpoint, texts: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The values of the parameters, or the codes of those that cannot be read: all, or the first."""
    values, wrong = {}, []
    for parameter in endpoint.all_parameters:
        if parameter.name in texts:
            try:
                values[parameter.name] = parameter.value(texts[parameter.name], NOW)
            except WrongParameter as one:
                wrong.append(one.format.code)
    return values, wrong if endpoint.accumulates else wrong[:1]


def _call(values: dict[str, Any]) -> Call:
    return Call(
        values=values,
        context="replay",
        object="replay",
        recipient="13002526500013",
        user_id="3fa85f64-5717-4562-b3fc-2c963f66afa6",
        request_id="00000000-0000-4000-8000-000000000001",
        today=NOW.date(),
        base=BASE,
    )


CREDENTIALS = {
    "client_id",
    "client_secret",
    "username",
    "password",
    "fallback_username",
    "fallback_password",
    "api_key",
}


def _credentials() -> ProviderSettings:
    return ProviderSettings.model_validate(
        dict.fromkeys([name for name in ProviderSettings.model_fields if name in CREDENTIALS], "known")
    )


def differences(expected: Any, actual: Any, ignored: set[str], at: str = "") -> Iterator[str]:
    """JSON pointers at which two documents differ; an ignored pointer, and all below it, only has to exist."""
    if at in ignored:
        return
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted(expected.keys() | actual.keys()):
            if key in expected and key in actual:
                yield from differences(expected[key], actual[key], ignored, f"{at}/{key}")
            else:
                yield f"{at}/{key} {'is missing' if key in expected else 'should not be there'}"
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
            yield from differences(one, other, ignored, f"{at}/{index}")
    elif expected != actual or isinstance(expected, bool) != isinstance(actual, bool):
        yield f"{at} is {actual!r:.120}, not {expected!r:.120}"


def compare(case: dict[str, Any], status: int, body: Any) -> list[str]:
    """What differs from what the case expects: of an error its codes, of an answer every member."""
    expected = case["expected"]
    if status != expected["status"]:
        return [f"status is {status}, not {expected['status']}: {body!r:.200}"]
    if status >= 400:
        codes = [[error["code"] for error in side["errors"]] for side in (expected["body"], body)]
        return [] if codes[0] == codes[1] else [f"codes are {codes[1]}, not {codes[0]}"]
    return list(differences(expected["body"], body, set(expected.get("ignore") or [])))


SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "wire"


NOT_OF_AN_ENDPOINT = frozenset({"download_bad_blob"})
"""A shared case at the address of a page of the gateway (tests/gateway/test_downloads.py)."""


def cases(folder: Path) -> list[Path]:
    """The cases of a folder, none where it is absent."""
    found = folder.glob("*.json") if folder.is_dir() else ()
    return sorted(path for path in found if path.stem not in NOT_OF_AN_ENDPOINT)
