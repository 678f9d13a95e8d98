"""`/status`, `/status.json`, `/status.atom`: how providers do, for whoever asks."""

from fastapi import APIRouter, Response

from gateway.pages.parts import GatewayParts
from gateway.status.bulletin import KEPT_SECONDS
from gateway.status.html import POLICY

router = APIRouter()

_OPEN = {"cache-control": f"public, max-age={KEPT_SECONDS}", "access-control-allow-origin": "*"}


@router.api_route("/status", methods=["GET", "HEAD"])
async def page(parts: GatewayParts) -> Response:
    """The page."""
    headers = {**_OPEN, "content-security-policy": POLICY}
    return Response((await parts.bulletin.issue()).html, headers=headers, media_type="text/html")


@router.api_route("/status.json", methods=["GET", "HEAD"])
async def as_json(parts: GatewayParts) -> Response:
    """The same, for programs."""
    return Response((await parts.bulletin.issue()).json, headers=_OPEN, media_type="application/json")


@router.api_route("/status.atom", methods=["GET", "HEAD"])
async def as_atom(parts: GatewayParts) -> Response:
    """The same, to subscribe to."""
    return Response((await parts.bulletin.issue()).atom, headers=_OPEN, media_type="application/atom+xml")
