"""`/proxy/files/{uuid}`: documents of providers, behind links that are their own secret."""

import re
from urllib.parse import quote

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from gateway.errors import JSON, provider_failure
from gateway.pages.parts import GatewayParts
from providers.base import ProviderFailed

router = APIRouter()

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@router.api_route("/proxy/files/{link}", methods=["GET", "HEAD"])
@router.api_route("/proxy/files/{link}/{name}", methods=["GET", "HEAD"])
async def document(link: str, parts: GatewayParts, name: str = "") -> Response:
    """The document, as an attachment that no browser will run; 404 without a body where there is none."""
    del name
    if _UUID.fullmatch(link) is None:
        return Response(status_code=404)
    try:
        found = await parts.documents.open(link)
    except ProviderFailed as failed:
        status, _, body = provider_failure(failed, "00", "")
        return Response(body, status, media_type=JSON.decode())
    if found is None:
        return Response(status_code=404)
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(found.name)}",
        "content-length": str(len(found.content)),
        "content-security-policy": "sandbox; default-src 'none'",
    }
    return StreamingResponse(found.chunks(), 200, headers, media_type=found.mime)
