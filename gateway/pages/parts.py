"""What pages are handed: the parts of the gateway, and the visit that the door admitted."""

from typing import Annotated

from fastapi import Depends, Request

from gateway.parts import Parts
from gateway.visits import Visit


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


async def _visit(request: Request) -> Visit:
    visit: Visit = request.state.visit
    return visit


GatewayParts = Annotated[Parts, Depends(_parts)]
CurrentVisit = Annotated[Visit, Depends(_visit)]
