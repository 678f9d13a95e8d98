"""Documents that stay at their providers': where they are read from, and what is answered where they cannot be."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from config.settings import ProviderSettings
from gateway import remote
from gateway.documents import Remote
from gateway.errors import Refusal
from gateway.remote import CutOff, Missing, PublicOnly, RemoteFiles, allowed_hosts, is_public, remote_client
from providers.base import Adapter, Endpoint, Provider, ProviderFailed
from tests.gateway.serving import served

URL = "https://associations.example/document/12"
FILE = Remote("rna", URL, "statuts.pdf")
HOSTS = {"rna": frozenset({"associations.example"})}


class Place:
    """Where everything asked of providers goes under an override: it answers each path as it is told to."""

    def __init__(self) -> None:
        self.replies: dict[str, Callable[[], Response]] = {}
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        self.asked.append(request.url.path + (f"?{request.url.query}" if request.url.query else ""))
        self.headers = dict(request.headers)
        await self.replies[request.url.path]()(scope, receive, send)


@asynccontextmanager
async def files(place: Place) -> AsyncIterator[RemoteFiles]:
    async with served(place) as address, remote_client(ssl.create_default_context(), None) as client:
        yield RemoteFiles(client, (), HOSTS, address)


def at(url: str) -> str:
    return "/" + url.removeprefix("https://")


async def whole(opened: remote.Opened) -> bytes:
    return b"".join([chunk async for chunk in opened.chunks])


async def test_a_document_is_read_as_it_is_sent() -> None:
    place = Place()
    place.replies[at(URL)] = lambda: Response(b"%PDF-1.7 content", media_type="application/pdf; charset=x")

    async with files(place) as reader:
        opened = await reader.open(Remote("rna", URL + "?v=1", "statuts.pdf"))
        content = await whole(opened)

    assert (opened.media_type, opened.length, content) == ("application/pdf", 16, b"%PDF-1.7 content")
    assert place.asked == [at(URL) + "?v=1"]
    assert place.headers["accept-encoding"] == "identity"
    assert "authorization" not in place.headers


async def test_a_type_that_is_none_becomes_plain_bytes() -> None:
    place = Place()
    place.replies[at(URL)] = lambda: Response(b"x", headers={"content-type": "<script>"})

    async with files(place) as reader:
        opened = await reader.open(FILE)
        await whole(opened)

    assert opened.media_type == "application/octet-stream"


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "00601"), (429, "00602"), (500, "00603"), (502, "00604"), (503, "00605"), (504, "00606"), (405, "00011")],
)
async def test_the_trouble_of_the_provider_is_told(status: int, code: str) -> None:
    place = Place()
    place.replies[at(URL)] = lambda: Response(status_code=status)

    async with files(place) as reader:
        with pytest.raises(Refusal) as refused:
            await reader.open(FILE)

    assert (refused.value.status, refused.value.codes) == (502, (code,))


async def test_a_document_that_is_gone_is_missing() -> None:
    place = Place()
    place.replies[at(URL)] = lambda: Response(status_code=404)

    async with files(place) as reader:
        with pytest.raises(Missing):
            await reader.open(FILE)


@pytest.mark.parametrize("status", [204, 206, 400, 401, 418])
async def test_any_other_status_is_a_failure(status: int) -> None:
    place = Place()
    place.replies[at(URL)] = lambda: Response(status_code=status)

    async with files(place) as reader:
        with pytest.raises(ProviderFailed, match="053"):
            await reader.open(FILE)


@pytest.mark.parametrize(
    "url",
    [
        "http://associations.example/document/12",
        "https://elsewhere.example/document/12",
        "https://associations.example.elsewhere.example/",
        "https://associations.example@elsewhere.example/",
        "https://someone@associations.example/",
        "https://associations.example:8443/",
        "https://127.0.0.1/",
        "https://[::1/",
        "file:///etc/passwd",
        "//associations.example/",
        "",
        "localhost:8181/services",
    ],
)
async def test_an_address_that_is_not_the_providers_own_is_not_followed(url: str) -> None:
    place = Place()

    async with files(place) as reader:
        with pytest.raises(ProviderFailed, match="054"):
            await reader.open(Remote("rna", url, "statuts.pdf"))

    assert not place.asked


async def test_another_providers_host_is_not_followed() -> None:
    place = Place()

    async with files(place) as reader:
        with pytest.raises(ProviderFailed, match="054"):
            await reader.open(Remote("qualifelec", URL, "certificat.pdf"))

    assert not place.asked


async def test_two_redirects_are_followed_within_the_providers_hosts() -> None:
    place = Place()
    place.replies[at(URL)] = lambda: RedirectResponse("/second")
    place.replies["/associations.example/second"] = lambda: RedirectResponse("https://associations.example:443/third")
    place.replies["/associations.example:443/third"] = lambda: Response(b"content")

    async with files(place) as reader:
        content = await whole(await reader.open(FILE))

    assert content == b"content"


async def test_a_third_redirect_is_one_too_many() -> None:
    place = Place()
    place.replies[at(URL)] = lambda: RedirectResponse(URL)

    async with files(place) as reader:
        with pytest.raises(ProviderFailed, match="054"):
            await reader.open(FILE)

    assert len(place.asked) == 3


@pytest.mark.parametrize(
    "elsewhere", ["https://elsewhere.example/", "http://associations.example/", "https://127.0.0.1/"]
)
async def test_a_redirect_elsewhere_is_not_followed(elsewhere: str) -> None:
    place = Place()
    place.replies[at(URL)] = lambda: RedirectResponse(elsewhere)

    async with files(place) as reader:
        with pytest.raises(ProviderFailed, match="054"):
            await reader.open(FILE)

    assert place.asked == [at(URL)]


async def test_a_document_that_says_it_is_too_large_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "LARGEST", 10)
    place = Place()
    place.replies[at(URL)] = lambda: Response(b"eleven byte")

    async with files(place) as reader:
        with pytest.raises(ProviderFailed, match="053"):
            await reader.open(FILE)


async def test_a_document_that_turns_out_too_large_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "LARGEST", 10)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"six   "
            await asyncio.sleep(0)

    place = Place()
    place.replies[at(URL)] = lambda: StreamingResponse(endless())

    async with files(place) as reader:
        opened = await reader.open(FILE)
        with pytest.raises(CutOff, match="too large"):
            await whole(opened)


async def test_a_provider_that_keeps_silent_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "LONGEST_SECONDS", 0.2)
    silent = asyncio.Event()

    async def half() -> AsyncIterator[bytes]:
        yield b"half"
        await silent.wait()

    place = Place()
    place.replies[at(URL)] = lambda: StreamingResponse(half())

    async with files(place) as reader:
        opened = await reader.open(FILE)
        with pytest.raises(CutOff):
            await whole(opened)
        silent.set()


class Names(AbstractResolver):
    """Resolves each host to the addresses it is told."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[Any]:
        return [
            {"hostname": host, "host": address, "port": port, "family": family, "proto": 0, "flags": 0}
            for address in self.addresses
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("93.184.215.14", "10.0.0.1"), ("::ffff:169.254.169.254",), ()])
async def test_a_host_of_ours_under_a_name_of_theirs_is_not_connected_to(addresses: tuple[str, ...]) -> None:
    async with remote_client(ssl.create_default_context(), PublicOnly(Names(*addresses))) as client:
        reader = RemoteFiles(client, (), HOSTS, "")

        with pytest.raises(ProviderFailed, match="054"):
            await reader.open(FILE)


async def test_an_address_of_ours_that_is_configured_as_theirs_is_not_connected_to() -> None:
    async with remote_client(ssl.create_default_context(), PublicOnly(Names())) as client:
        reader = RemoteFiles(client, (), {"rna": frozenset({"127.0.0.1"})}, "")

        with pytest.raises(ProviderFailed, match="054"):
            await reader.open(Remote("rna", "https://127.0.0.1/", "statuts.pdf"))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::a00:1",
        "nonsense",
    ],
)
def test_addresses_of_our_own_networks_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


def test_the_hosts_of_a_provider_are_those_of_its_settings_and_of_its_folder() -> None:
    provider = Provider(slug="rna", code="21", name="MI", base_url="https://rna.example/api", token_url="")
    endpoint = object.__new__(Endpoint)
    object.__setattr__(endpoint, "provider", provider)
    adapter = Adapter(slug="rna", title="RNA", endpoints=(endpoint,), document_hosts=("files.example",))
    told = {
        "rna": ProviderSettings(base_url="https://RNA.gouv.example:8443/path", token_url="https://sso.example:443/t")
    }

    hosts = allowed_hosts((adapter,), told)

    assert hosts == {"rna": {"rna.example", "files.example", "rna.gouv.example:8443", "sso.example"}}
