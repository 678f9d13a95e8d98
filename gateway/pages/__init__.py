"""The pages: everything the gateway serves that is not data, by FastAPI."""

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError

from gateway.errors import JSON, NOT_A_PAGE, TEXT, Refused, error, render
from gateway.pages import admin, description, downloads, files, health
from gateway.parts import Parts


def create_pages(parts: Parts) -> FastAPI:
    """The application behind the door."""
    pages = FastAPI(title="Octroi", openapi_url=None, docs_url=None, redoc_url=None)
    pages.state.parts = parts
    for router in (health.router, description.router, files.router, downloads.router, admin.router):
        pages.include_router(router)
    pages.add_exception_handler(404, _nowhere)
    pages.add_exception_handler(405, _nowhere)
    pages.add_exception_handler(500, _defect)
    pages.add_exception_handler(RequestValidationError, _wrong_input)  # type: ignore[arg-type]
    for reason in admin.REFUSED:
        pages.add_exception_handler(reason, _refused)
    return pages


async def _nowhere(request: Request, reason: Exception) -> Response:
    del request, reason
    return Response(NOT_A_PAGE, 404, media_type=TEXT.decode())


async def _refused(request: Request, reason: Exception) -> Response:
    del request
    return admin.refused(reason)


async def _defect(request: Request, reason: Exception) -> Response:
    del request, reason
    row = Refused.DEFECT.value
    return Response(render([error(row.code, row.title, row.detail)]), 500, media_type=JSON.decode())


async def _wrong_input(request: Request, wrong: RequestValidationError) -> Response:
    """Each wrong value by its name, with the reason."""
    del request
    row = Refused.ADMIN_INPUT.value
    errors = [
        error(row.code, row.title, str(one["msg"]), {"parameter": ".".join(str(part) for part in one["loc"][1:])})
        for one in wrong.errors()
    ]
    return Response(render(errors), row.status, media_type=JSON.decode())
