"""How the service is spoken to: one address, one fixed key in a header, and one question."""

from collections.abc import Callable

from providers.base import Call, Get, Key, Provider, Request


def connection(*, slug: str, code: str, name: str) -> Provider:
    """The service, under the name of one of its providers."""
    return Provider(
        slug=slug,
        code=code,
        name=name,
        base_url="https://mi.example",
        authentication=Key(in_headers={"x-gravitee-api-key": "api_key"}),
        headers=lambda call: {"content-type": "application/json"},
    )


def ask(parameter: str) -> Callable[[Call], Request]:
    """The question about the association that the call names by that parameter."""
    return lambda call: Get(f"/apim/api-asso-partenaires/api/structure/{call[parameter]}", {"proxy_only": "true"})
