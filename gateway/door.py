"""The pure ASGI door: data requests go to the pipeline, the rest to FastAPI; each is counted by address and recorded.

It stands in front of everything, so that a banned client gets no byte from any page.
"""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from audit.ids import UUID4, Drawn
from config.clock import Clock
from gateway.asked import SILENCE, Answer, Asked, Headers
from gateway.pipeline import Heard, Pipeline
from gateway.tokens import AMBIGUOUS
from gateway.visits import Visits
from ratelimit.address import Networks, block_of, client_address

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

UUID = re.compile(rb"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_UNCOUNTED = re.compile(r"/(pings?|livez|readyz|v[0-9]+/ping)(/|$)")
_PAGES = re.compile(
    r"/(admin|proxy/files|proxy/inpi/download|metrics|docs|mcp)(/|$)|/status(\.json|\.atom)?$|"
    r"/openapi\.json$|/v3/openapi(-entreprise)?\.ya?ml$|/$"
)

SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]


def is_data(path: str) -> bool:
    """Whether a path is the pipeline's: all are, known or not, but the pages and what watches the gateway."""
    return _PAGES.match(path) is None and _UNCOUNTED.match(path) is None


class Hangup(Exception):
    """The connection is to be closed without a byte, and the server does not know how."""


class Door:
    """Parts the requests. `pages` serves what is not data."""

    def __init__(self, pipeline: Pipeline, visits: Visits, pages: Application, trusted: Networks, clock: Clock) -> None:
        """`trusted` are the proxies whose word on the client's address is taken."""
        self._pipeline = pipeline
        self._visits = visits
        self._pages = pages
        self._trusted = trusted
        self._clock = clock
        self._request_ids = Drawn(UUID4)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._pages(scope, receive, send)
            return
        path = scope["path"]
        if is_data(path):
            await self._data(scope, send)
        elif _UNCOUNTED.match(path):
            await self._watched(scope, receive, send)
        else:
            await self._page(scope, receive, send)

    async def answer(self, asked: Asked, heard: Heard | None = None) -> Answer:
        """The whole answer to a data request; `heard` is what Redis said of it already."""
        return await self._pipeline.answer(asked, heard)

    async def _watched(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pings and liveness: neither counted nor recorded, but closed to the banned."""
        asked = self.read(scope)
        if self._pipeline.bans.is_banned(block_of(asked.address)) is not None:
            await self._hang_up(scope)
        else:
            await self._pages(scope, receive, with_headers(send, asked))

    async def _data(self, scope: Scope, send: Send) -> None:
        answer = await self.answer(self.read(scope))
        if answer is SILENCE:
            await self._hang_up(scope)
        else:
            await self._send(answer, send)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A page that is not data: admitted by address, and recorded before its first byte leaves."""
        asked = self.read(scope)
        visit = await self._visits.admit(asked)
        if visit.refusal is SILENCE:
            await self._hang_up(scope)
            return
        if visit.refusal is not None:
            await self._send(visit.refusal, send)
            return
        scope.setdefault("state", {})["visit"] = visit

        async def recorded(message: Message) -> None:
            if message["type"] == "http.response.start" and not visit.is_recorded:
                withheld = await self._visits.record(visit, message["status"])
                if withheld is not None:
                    visit.refusal = withheld
                    await self._send(withheld, send)
                    return
            if visit.refusal is None:
                await send(message)

        await self._pages(scope, receive, with_headers(recorded, asked, visit.headers))

    @staticmethod
    async def _send(answer: Answer, send: Send) -> None:
        length = (b"content-length", b"%d" % len(answer.body))
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": [*answer.headers, length, *SECURITY]}
        )
        await send({"type": "http.response.body", "body": answer.body})
        if answer.after is not None:
            await answer.after()

    def read(self, scope: Scope) -> Asked:
        """The request as the pipeline knows it: one pass over the headers."""
        forwarded: list[bytes] = []
        asked = Asked(
            method=scope["method"],
            path=scope["path"],
            raw_path=scope.get("raw_path") or scope["path"].encode(),
            query=scope["query_string"],
            headers=scope["headers"],
            address=scope["client"][0] if scope["client"] else "",
            request_id="",
            at=self._clock(),
        )
        for name, value in scope["headers"]:
            if name == b"authorization":
                asked.authorization.append(value)
            elif name == b"x-api-key":
                asked.api_key = AMBIGUOUS if asked.api_key else value
            elif name == b"accept":
                asked.accept = value
            elif name == b"user-agent":
                asked.user_agent = value
            elif name == b"content-type":
                asked.content_type = value
            elif name == b"cache-control":
                asked.no_cache = value.strip().lower() == b"no-cache"
            elif name == b"x-forwarded-for":
                forwarded.append(value)
            elif name == b"x-request-id" and UUID.fullmatch(value):
                asked.request_id = value.decode().lower()
        if not asked.request_id:
            asked.request_id = self._request_ids().decode()
        if self._trusted:
            asked.address = client_address(asked.address, forwarded, self._trusted)
        return asked

    @staticmethod
    async def _hang_up(scope: Scope) -> None:
        extension = (scope.get("extensions") or {}).get("octroi.hangup")
        if extension is None:
            raise Hangup
        extension()


def with_headers(send: Send, asked: Asked, more: Headers = ()) -> Send:
    """Adds to a page's answer the headers that all answers carry, and those of this one."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            named = {name for name, _ in message.get("headers", ())}
            added = [(b"x-request-id", asked.request_id.encode()), *SECURITY, *more]
            message["headers"] = [*message.get("headers", ()), *((n, v) for n, v in added if n not in named)]
        await send(message)

    return sending
