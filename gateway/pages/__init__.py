"""The pages: everything the gateway serves that is not data, by FastAPI."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.routing import Route

from gateway.errors import JSON, NOT_A_PAGE, TEXT, Refused, error, render
from gateway.pages import admin, description, downloads, files, health, status
from gateway.pages.mcp import McpPage
from gateway.parts import Parts
from gateway.visits import TOOLS, Visit


def create_pages(parts: Parts) -> FastAPI:
    """The application behind the door."""
    pages = FastAPI(title="Octroi", openapi_url=None, docs_url=None, redoc_url=None)
    pages.state.parts = parts
    for router in (health.router, status.router, description.router, files.router, downloads.router, admin.router):
        pages.include_router(router)
    pages.router.routes.append(Route(TOOLS, McpPage(parts.toolbox)))
    pages.add_exception_handler(400, _malformed)
    pages.add_exception_handler(404, _nowhere)
    pages.add_exception_handler(405, _nowhere)
    pages.add_exception_handler(500, _defect)
    pages.add_exception_handler(RequestValidationError, _wrong_input)  # type: ignore[arg-type]
    for reason in admin.REFUSED:
        pages.add_exception_handler(reason, _refused)
    return pages


async def _nowhere(request: Request, reason: Exception) -> Response:
    """A text; an object for a ping that does not exist, whose path may hold what no route matches: line ends."""
    del reason
    if request.method in ("GET", "HEAD") and request.url.path.startswith("/ping/"):
        return Response(b"{}", 404, media_type=JSON.decode())
    return Response(NOT_A_PAGE, 404, media_type=TEXT.decode())


async def _refused(request: Request, reason: Exception) -> Response:
    return _told(request, *admin.refused(reason))


async def _malformed(request: Request, reason: Exception) -> Response:
    del reason
    return _told(request, Refused.MALFORMED)


async def _defect(request: Request, reason: Exception) -> Response:
    del reason
    return _told(request, Refused.DEFECT)


async def _wrong_input(request: Request, wrong: RequestValidationError) -> Response:
    """Each wrong value by its name, with the reason."""
    row = Refused.ADMIN_INPUT.value
    errors = [error(row.code, row.title, str(one["msg"]), {"parameter": _place(one)}) for one in wrong.errors()]
    return _told(request, Refused.ADMIN_INPUT, errors)


def _told(request: Request, refused: Refused, errors: list[dict[str, Any]] | None = None) -> Response:
    """The refusal, and its code in the record of the visit; pings have none."""
    row = refused.value
    visit: Visit | None = getattr(request.state, "visit", None)
    if visit is not None:
        visit.codes = (row.code,)
    body = render(errors or [error(row.code, row.title, row.detail, row.source, row.meta)])
    return Response(body, row.status, media_type=JSON.decode())


def _place(wrong: Mapping[str, Any]) -> str:
    """The name of a wrong value; that of the whole where it cannot be read at all."""
    whole, *inside = wrong["loc"]
    if not inside or wrong["type"] == "json_invalid":
        return str(whole)
    return ".".join(str(part) for part in inside)
