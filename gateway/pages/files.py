"""`/proxy/files/{uuid}`: documents of providers, kept here or at theirs, behind links that are their own secret."""

import re
from collections.abc import AsyncIterator
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from gateway.documents import Remote
from gateway.errors import JSON, Refusal, provider_code, provider_failure
from gateway.pages.parts import CurrentVisit, GatewayParts
from gateway.parts import Parts
from gateway.remote import CutOff, Missing, Opened
from gateway.visits import Visit
from providers.base import ProviderFailed

log = structlog.get_logger()

router = APIRouter()

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_SANDBOX = "sandbox; default-src 'none'"


@router.api_route("/proxy/files/{link}", methods=["GET", "HEAD"])
@router.api_route("/proxy/files/{link}/{name}", methods=["GET", "HEAD"])
async def document(link: str, parts: GatewayParts, visit: CurrentVisit, request: Request, name: str = "") -> Response:
    """The document, as an attachment that no browser will run; 404 without a body where there is none."""
    del name
    if _UUID.fullmatch(link) is None:
        return Response(status_code=404)
    try:
        found = await parts.documents.open(link)
    except ProviderFailed as failed:
        return _failure(failed, visit, "00", "")
    if found is None:
        return Response(status_code=404)
    if isinstance(found, Remote):
        return await _remote(found, parts, visit, request)
    headers = _headers(found.name) | {"content-length": str(len(found.content))}
    return StreamingResponse(found.chunks(), 200, headers, media_type=found.mime)


async def _remote(remote: Remote, parts: Parts, visit: Visit, request: Request) -> Response:
    """A document that its provider keeps, passed on as it comes."""
    visit.provider = remote.provider
    provider = parts.remote.provider(remote)
    try:
        opened = await parts.remote.open(remote)
    except Missing:
        return Response(status_code=404)
    except Refusal as refusal:
        visit.codes = refusal.codes
        return Response(refusal.body(), refusal.status, media_type=JSON.decode())
    except ProviderFailed as failed:
        return _failure(failed, visit, provider.code if provider else "00", provider.name if provider else "")
    headers = _headers(remote.name)
    if opened.length is not None:
        headers["content-length"] = str(opened.length)
    if opened.encoding is not None:
        headers["content-encoding"] = opened.encoding
    return StreamingResponse(_whole_or_cut(opened, request), 200, headers, media_type=opened.media_type)


async def _whole_or_cut(opened: Opened, request: Request) -> AsyncIterator[bytes]:
    """The document; where the rest will not come the connection is cut, lest a part be taken for the whole."""
    try:
        async for chunk in opened.chunks:
            yield chunk
    except CutOff as reason:
        log.warning("remote_document_cut_off", reason=str(reason))
        hang_up = (request.scope.get("extensions") or {}).get("octroi.hangup")
        if hang_up is None:
            raise
        hang_up()


def _headers(name: str) -> dict[str, str]:
    return {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "content-security-policy": _SANDBOX,
    }


def _failure(failed: ProviderFailed, visit: Visit, digits: str, name: str) -> Response:
    visit.codes = (provider_code(failed, digits),)
    status, _, body = provider_failure(failed, digits, name)
    return Response(body, status, media_type=JSON.decode())
