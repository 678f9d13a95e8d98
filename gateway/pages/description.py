"""`/openapi.json` and the official addresses of the description."""

from functools import lru_cache

import orjson
from fastapi import APIRouter, Response

from gateway.description import as_yaml, describe, to_the_letter
from gateway.pages.parts import GatewayParts
from gateway.release import VERSION
from providers import ENDPOINTS

router = APIRouter()


@lru_cache(maxsize=1)
def _described(base: str) -> tuple[bytes, bytes]:
    document = describe(ENDPOINTS, base=base, version=VERSION)
    return orjson.dumps(to_the_letter(document)), as_yaml(document)


@router.api_route("/openapi.json", methods=["GET", "HEAD"])
async def as_json(parts: GatewayParts) -> Response:
    """OpenAPI, in JSON."""
    return Response(_described(parts.base)[0], media_type="application/json")


@router.api_route("/v3/openapi.yaml", methods=["GET", "HEAD"])
@router.api_route("/v3/openapi-entreprise.yaml", methods=["GET", "HEAD"])
async def in_yaml(parts: GatewayParts) -> Response:
    """OpenAPI, in YAML; any origin may read it (behaviours §2, row 0)."""
    return Response(
        _described(parts.base)[1], headers={"access-control-allow-origin": "*"}, media_type="application/yaml"
    )
