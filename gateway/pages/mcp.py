"""`/mcp`: what stands between the door and the MCP service: rights, the record of a call, and the first import."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.door import Message, Receive, Scope, Send
from gateway.errors import JSON, Refused
from gateway.mcp.tools import Toolbox, note
from gateway.visits import Visit, unauthorised

MOST_BODY_BYTES = 64 * 1024
"""A call of a tool holds a few hundred."""


class McpPage:
    """An ASGI application behind the door, which has judged the token and counted the call."""

    def __init__(self, toolbox: Toolbox) -> None:
        """The service is made at the first request that gets so far."""
        self._toolbox = toolbox
        self._service: Any = None
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. There are no sessions, so that GET has no stream to open, and DELETE nothing to end."""
        if scope["method"] != "POST":
            refusal = Response(status_code=405, headers={"allow": "POST"})
            await refusal(scope, receive, send)
            return
        body = await _body(Request(scope, receive))
        if body is None:
            await Response(status_code=413)(scope, receive, send)
            return
        visit: Visit = scope["state"]["visit"]
        if not self._admits(visit, body):
            await _refused(visit)(scope, receive, send)
            return
        service = self._service or await self._make()
        await service.serve(scope, _again(body, receive), send)

    def _admits(self, visit: Visit, body: bytes) -> bool:
        """Whether the token may make the call that the body holds, if it holds one; the service judges it again."""
        name, arguments = _called(body)
        offer = self._toolbox.find(name)
        if offer is None or self._toolbox.is_open(offer, visit.state):
            return True  # that there is no such tool is told in the words of the protocol
        note(visit, offer.tool.name, offer, arguments)
        return False

    async def _make(self) -> Any:
        async with self._making:
            if self._service is None:
                self._service = await asyncio.to_thread(_made, self._toolbox)
        return self._service


def _made(toolbox: Toolbox) -> Any:
    from gateway.mcp.service import Service

    return Service(toolbox)


def _called(body: bytes) -> tuple[object, Mapping[str, Any]]:
    """The name of the tool that a body calls, None where it calls none, and the arguments."""
    try:
        asked = orjson.loads(body)
        parameters = asked["params"] if asked["method"] == "tools/call" else {}
        name, arguments = parameters.get("name"), parameters.get("arguments")
    except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError):
        return None, {}
    return name, arguments if isinstance(arguments, dict) else {}


def _refused(visit: Visit) -> Response:
    visit.codes = (Refused.SCOPE.value.code,)
    return Response(unauthorised(visit.codes), 401, media_type=JSON.decode())


async def _body(request: Request) -> bytes | None:
    """The body; None where it is too long."""
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > MOST_BODY_BYTES:
            return None
    return bytes(read)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more, for who has not read it yet; then whatever comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
