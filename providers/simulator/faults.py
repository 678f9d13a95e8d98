"""The faults: what can go wrong with any provider, each brought by one SIREN, or switched on at run time.

A fault is played before the provider's own answer, which it may ask for. Token endpoints never fail.
"""

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from starlette.responses import HTMLResponse, Response, StreamingResponse

from providers.simulator.identifiers import siren_of
from providers.simulator.routes import json_reply

HUGE_BYTES = 24 * 1024 * 1024
"""More than any answer accepted from a provider."""
CHUNK = b"[" + b" " * (64 * 1024 - 1)
DRIP_SECONDS = 5.0
DEEP = 100_000
"""Levels of nested lists: a reader that recurses dies of it."""

PAGE = """<!DOCTYPE html>
<html lang="fr"><head><title>Service momentanément indisponible</title></head>
<body><h1>Cette page de secours remplace la réponse attendue</h1></body></html>
"""


class HangUp(Exception):
    """The provider closes the connection without a byte."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What a fault may use: the answer it spoils, a way to wait, and how many calls it has spoilt before."""

    answer: Callable[[], Response]
    sleep: Callable[[float], Awaitable[None]]
    earlier: int
    siren: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail. `order` are the two digits that tell its SIREN."""

    name: str
    order: str
    summary: str
    play: Callable[[Stage], Awaitable[Response]]

    @property
    def siren(self) -> str:
        """The company that brings it."""
        return siren_of(f"000090{self.order}")


def _late(seconds: float) -> Callable[[Stage], Awaitable[Response]]:
    async def play(stage: Stage) -> Response:
        await stage.sleep(seconds)
        return stage.answer()

    return play


def _status(status: int, text: str, headers: dict[str, str] | None = None) -> Callable[[Stage], Awaitable[Response]]:
    async def play(_: Stage) -> Response:
        return Response(text, status, headers, "text/plain")

    return play


def _fixed(make: Callable[[], Response]) -> Callable[[Stage], Awaitable[Response]]:
    async def play(_: Stage) -> Response:
        return make()

    return play


async def _hang_up(_: Stage) -> Response:
    raise HangUp


async def _refuse(stage: Stage) -> Response:
    message = f"La consultation de cette entité n'est ouverte à personne ({stage.siren})"
    return json_reply({"header": {"statut": 403, "message": message}}, 403)


async def _flap(stage: Stage) -> Response:
    return Response("Erreur passagère", 500, media_type="text/plain") if stage.earlier % 2 else stage.answer()


async def _truncate(stage: Stage) -> Response:
    whole = stage.answer()
    half = bytes(whole.body)[: len(whole.body) // 2]
    return Response(half, 200, media_type=whole.media_type)


async def _drip(stage: Stage) -> Response:
    whole = stage.answer()

    async def bytes_one_by_one() -> AsyncIterator[bytes]:
        for byte in bytes(whole.body):
            yield bytes([byte])
            await stage.sleep(DRIP_SECONDS)

    return StreamingResponse(bytes_one_by_one(), 200, media_type=whole.media_type)


async def _flood(_: Stage) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(HUGE_BYTES // len(CHUNK)):
            yield CHUNK

    return StreamingResponse(chunks(), 200, media_type="application/json")


def _bomb() -> Response:
    packed = gzip.compress(b" " * HUGE_BYTES, compresslevel=9, mtime=0)
    return Response(packed, 200, {"content-encoding": "gzip"}, "application/json")


def _wrong_charset() -> Response:
    return Response(
        '{"libelle": "Société éteinte"}'.encode("latin-1"), 200, media_type="application/json;charset=utf-8"
    )


def _nested() -> Response:
    return Response(b"[" * DEEP + b"]" * DEEP, 200, media_type="application/json")


FAULTS = (
    Fault("slow", "12", "Answers as it should, after 12 seconds", _late(12.0)),
    Fault("sluggish", "03", "Answers as it should, after 3 seconds", _late(3.0)),
    Fault("down", "00", "The connection is closed without a byte", _hang_up),
    Fault("http_500", "50", "HTTP 500", _status(500, "Erreur interne")),
    Fault("http_502", "52", "HTTP 502", _status(502, "Relais en panne")),
    Fault("http_503", "53", "HTTP 503", _status(503, "Service indisponible")),
    Fault("http_504", "54", "HTTP 504", _status(504, "Relais sans réponse")),
    Fault("quota", "29", "HTTP 429, Retry-After: 10", _status(429, "Trop d'appels", {"retry-after": "10"})),
    Fault("protected", "43", "HTTP 403: an entity that no body may look at", _refuse),
    Fault("unknown", "44", "HTTP 404 with an empty body", _status(404, "")),
    Fault("flapping", "17", "One call in two, HTTP 500; the first is answered", _flap),
    Fault("garbage", "20", "HTTP 200, a page of HTML", _fixed(lambda: HTMLResponse(PAGE))),
    Fault("truncated", "21", "HTTP 200, the first half of the answer", _truncate),
    Fault("empty", "22", "HTTP 200, an empty body", _fixed(lambda: Response(b"", media_type="application/json"))),
    Fault("charset", "23", "HTTP 200, JSON in ISO-8859-1 that says UTF-8", _fixed(_wrong_charset)),
    Fault("huge", "30", "HTTP 200, 24 MiB of JSON without end", _flood),
    Fault("drip", "31", "HTTP 200, one byte every 5 seconds", _drip),
    Fault("deep", "32", "HTTP 200, JSON lists nested 100,000 times", _fixed(_nested)),
    Fault("bomb", "33", "HTTP 200, 24 MiB that travel as 24 KiB of gzip", _fixed(_bomb)),
)
"""All of them; the table of docs/reference/simulator.md holds the same."""

BY_NAME = {fault.name: fault for fault in FAULTS}
BY_SIREN = {fault.siren: fault for fault in FAULTS}
