"""The outer edge: a provider that says always the same."""

from typing import Any

import httpx
import respx


def answering(reply: Any, status: int = 200) -> respx.Router:
    """A provider that answers each call with that JSON; its `calls` tell what it was asked."""
    wire = respx.Router()
    wire.route().respond(status, json=reply)
    return wire


def transport(wire: respx.Router) -> httpx.MockTransport:
    """The way there."""
    return httpx.MockTransport(wire.async_handler)
