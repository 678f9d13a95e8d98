"""`/proxy/inpi/download/{blob}`: documents that INPI is asked for when their link is followed."""

from fastapi import APIRouter, Response

from gateway.pages.parts import CurrentVisit, GatewayParts

router = APIRouter()


@router.api_route("/proxy/inpi/download/{blob}", methods=["GET", "HEAD"])
async def download(blob: str, parts: GatewayParts, visit: CurrentVisit) -> Response:
    """An envelope that holds the link to the document."""
    answer = await parts.downloads.answer(blob, visit)
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    return Response(answer.body, answer.status, headers)
