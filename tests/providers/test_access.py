"""How providers let us in: fixed keys, and logins of several dialects."""

from base64 import b64encode
from typing import Any

import pytest
import respx

from config.settings import ProviderSettings, UpstreamSettings
from providers.base import Get, Key, Login, Provider, ProviderFailed, Reply, Request, Upstream
from providers.base.access import oauth2
from tests.providers.golden import NOW, MemoryDocuments, MemoryVault
from tests.providers.wire import answering, transport

KNOWN = ProviderSettings(username="nom", password="mot:de:passe", client_id="42", api_key="clé")


def an_upstream(wire: respx.Router) -> Upstream:
    told = {"essai": KNOWN}
    return Upstream(transport(wire), UpstreamSettings(), told, MemoryVault(), MemoryDocuments(), lambda: NOW)


def a_provider(authentication: Any) -> Provider:
    return Provider(
        slug="essai",
        code="99",
        name="Essai",
        base_url="https://essai.example",
        token_url="https://essai.example/token",
        authentication=authentication,
    )


async def test_keys_in_the_query_come_before_the_parameters_of_the_call() -> None:
    wire = answering({})
    provider = a_provider(Key(in_query={"id": "client_id", "jeton": "api_key"}))

    await an_upstream(wire).health(provider, Get("/fiche", {"siren": "999500002"}))

    assert str(wire.calls[0].request.url) == "https://essai.example/fiche?id=42&jeton=cl%C3%A9&siren=999500002"


async def test_keys_in_headers_travel_with_the_call() -> None:
    wire = answering({})
    provider = a_provider(Key(in_headers={"x-cle": "client_id"}))

    await an_upstream(wire).health(provider, Get("/fiche"))

    assert wire.calls[0].request.headers["x-cle"] == "42"
    assert str(wire.calls[0].request.url) == "https://essai.example/fiche"


async def test_a_key_that_is_not_set_is_an_access_that_is_not_configured() -> None:
    wire = answering({})
    provider = a_provider(Key(in_query={"token": "client_secret"}))

    with pytest.raises(ProviderFailed) as failed:
        await an_upstream(wire).health(provider, Get("/fiche"))

    assert (failed.value.kind.code, wire.calls.call_count) == ("006", 0)
    assert provider.needs == ("client_secret",)


async def test_a_basic_login_has_no_body() -> None:
    wire = answering({"access_token": "jeton", "expires_in": 1800.0})
    provider = a_provider(Login(basic=("username", "password")))

    await an_upstream(wire).health(provider, Get("/fiche"))

    login, asked = (call.request for call in wire.calls)
    assert login.headers["authorization"] == f"Basic {b64encode(b'nom:mot:de:passe').decode()}"
    assert (login.method, login.content, login.headers.get("content-type")) == ("POST", b"", None)
    assert asked.headers["authorization"] == "Bearer jeton"
    assert provider.needs == ("username", "password")


async def test_a_json_login_says_that_it_reads_json() -> None:
    wire = answering({"access_token": "jeton", "expires_in": 60})
    provider = a_provider(Login(secrets={"user": "username"}, as_json=True))

    await an_upstream(wire).health(provider, Get("/fiche"))

    assert wire.calls[0].request.content == b'{"user":"nom"}'
    assert (
        wire.calls[0].request.headers["content-type"] == wire.calls[0].request.headers["accept"] == "application/json"
    )


@pytest.mark.parametrize(
    ("told", "seconds"), [("1800.0", 1800), ("3599", 3599), ('"60"', 60), ("null", 0), ("1e400", 0), ("[]", 0)]
)
def test_a_token_lives_for_whole_seconds(told: str, seconds: int) -> None:
    reply = Reply(200, {}, f'{{"access_token": "jeton", "expires_in": {told}}}'.encode())

    assert oauth2(reply, 0) in (("jeton", seconds), None)


def test_a_call_without_keys_is_the_same_call() -> None:
    request = Request(method="GET", path="/fiche", query={"a": "1"})

    assert request.after({}) is request
