"""Links: one of its own for each answer, and nothing that could be guessed or forged."""

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from obstore.store import ObjectStore

from config.settings import DocumentSettings
from gateway.documents import STORAGE, Deferred, Document, Documents, Remote, open_store
from gateway.sealed import Broken, Seal
from providers.base import ProviderFailed
from providers.base.marks import deferred_document, remote_document
from ratelimit.link import Link
from tests.conftest import HandClock

BASE = "https://octroi.test"
JTI, OTHER_JTI = "3fa85f64-5717-4562-b3fc-2c963f66afa6", "3fa85f64-5717-4562-b3fc-2c963f66afa7"
URL = "https://associations.example/document/12?inline=1"


@pytest_asyncio.fixture
async def documents(valkey_url: str, tmp_path: Path, clock: HandClock) -> AsyncIterator[Documents]:
    link = await Link.open(valkey_url, 1.0)
    settings = DocumentSettings()
    yield Documents(open_store(settings, tmp_path), link, Seal([bytes(32)]), settings, clock, BASE)
    await link.close()


def a_body(*marks: str) -> bytes:
    return orjson.dumps({"data": [{"url": mark} for mark in marks]})


def urls(body: bytes) -> list[str]:
    return [one["url"] for one in orjson.loads(body)["data"]]


def link_of(url: str) -> str:
    found = re.match(BASE + r"/proxy/files/([0-9a-f-]{36})/", url)
    assert found, url
    return found[1]


async def test_a_kept_document_is_behind_a_new_link_in_each_answer(documents: Documents) -> None:
    mark = await documents.keep(b"%PDF-1.7", "extrait.pdf", "application/pdf")

    [first], [second] = [urls(await documents.with_links(a_body(mark), JTI)) for _ in range(2)]

    assert first != second
    assert first.endswith("/extrait.pdf")
    assert await documents.open(link_of(first)) == Document("extrait.pdf", "application/pdf", b"%PDF-1.7")


async def test_a_link_lives_as_long_as_its_provider_wants_it_to(documents: Documents, valkey: Any) -> None:
    usual = await documents.keep(b"%PDF-1.7", "extrait.pdf", "application/pdf")
    brief = await documents.keep(b"%PDF-1.7", "certificat.pdf", "application/pdf", timedelta(minutes=10))

    links = [link_of(url) for url in urls(await documents.with_links(a_body(usual, brief), JTI))]

    assert [await valkey.ttl(f"octroi:{{f:{link}}}") for link in links] == [86400, 600]
    assert await documents.open(links[1]) == Document("certificat.pdf", "application/pdf", b"%PDF-1.7")


async def test_a_document_left_at_its_provider_is_behind_a_link_like_the_others(documents: Documents) -> None:
    mark = remote_document("rna", URL, "statuts à jour.pdf")

    [url, again] = urls(await documents.with_links(a_body(mark, mark), JTI))

    assert url == again
    assert url.endswith("/statuts%20%C3%A0%20jour.pdf")
    assert await documents.open(link_of(url)) == Remote("rna", URL, "statuts à jour.pdf")
    assert URL not in url


async def test_a_deferred_document_is_a_sealed_request_that_names_its_token(
    documents: Documents, clock: HandClock
) -> None:
    body = a_body(deferred_document("actes", document_id="63e7e2e3998acaecf81b485e", siren="999500002"))

    [url], [other] = [urls(await documents.with_links(body, jti)) for jti in (JTI, OTHER_JTI)]

    start = f"{BASE}/proxy/inpi/download/"
    assert url.startswith(start)
    assert "63e7e2e3" not in url
    values = {"document_id": "63e7e2e3998acaecf81b485e", "siren": "999500002"}
    assert documents.read_deferred(url.removeprefix(start)) == Deferred("actes", values, int(clock()), JTI)
    assert documents.read_deferred(other.removeprefix(start)).jti == OTHER_JTI


@pytest.mark.parametrize("blob", ["invalid_stuff", "", "é", "AAAA", "A" * 200, "%00", "=", "a=b"])
async def test_a_request_that_we_did_not_write_is_broken(documents: Documents, blob: str) -> None:
    with pytest.raises(Broken):
        documents.read_deferred(blob)


async def test_a_request_cannot_be_altered(documents: Documents) -> None:
    [url] = urls(await documents.with_links(a_body(deferred_document("actes", document_id="a" * 24)), JTI))
    blob = url.rpartition("/")[2]
    altered = blob[:-8] + ("B" if blob[-8] == "A" else "A") + blob[-7:]

    with pytest.raises(Broken):
        documents.read_deferred(altered)


@pytest.mark.parametrize(
    "text",
    [
        "octroi-remote:notjson",
        "octroi-remote:e30",
        "octroi-deferred:e30",
        "octroi-deferred:W10",
        "octroi-deferred:eyJvcGVyYXRpb24iOjF9",
        "octroi-document:1-short-x",
        "octroi-document:0:1-" + "a" * 40 + "-x",
        "octroi-other:e30",
    ],
)
async def test_a_text_that_only_looks_like_a_mark_stays_as_it_is(documents: Documents, text: str) -> None:
    assert urls(await documents.with_links(a_body(text), JTI)) == [text]


def a_bucket_at(port: int, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """An S3 store whose server is whatever listens there."""
    for name, value in {
        "AWS_ENDPOINT": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "eu-west-3",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }.items():
        monkeypatch.setenv(name, value)
    return open_store(DocumentSettings(store="s3://bucket/prefix"), Path())


async def test_a_store_that_is_silent_is_the_store_s_failure_and_not_the_provider_s(
    documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr("gateway.documents.STORE_SECONDS", 0.2)
        monkeypatch.setattr(documents, "_store", a_bucket_at(silent.getsockname()[1], monkeypatch))

        with pytest.raises(ProviderFailed) as failed:
            await documents.keep(b"%PDF-1.7", "extrait.pdf", "application/pdf")

    assert failed.value.kind is STORAGE


async def test_a_document_goes_once_no_link_can_reach_it(documents: Documents, clock: HandClock) -> None:
    clock.now = time.time()  # files bear the time of the system
    mark = await documents.keep(b"%PDF-1.7", "extrait.pdf", "application/pdf")
    [link] = [link_of(url) for url in urls(await documents.with_links(a_body(mark), JTI))]
    clock.advance(86_400 + 30 * 3600)

    kept = await documents.sweep(), await documents.open(link)
    clock.advance(3 * 3600)
    gone = await documents.sweep(), await documents.open(link)

    assert kept == (0, Document("extrait.pdf", "application/pdf", b"%PDF-1.7"))
    assert gone == (1, None)


async def test_a_store_that_cannot_be_swept_is_swept_later(
    documents: Documents, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    await documents.keep(b"%PDF-1.7", "extrait.pdf", "application/pdf")
    clock.now = time.time() + 10 * 86_400
    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        with monkeypatch.context() as away:
            away.setattr(documents, "_store", a_bucket_at(server.sockets[0].getsockname()[1], away))

            assert await documents.sweep() == 0

    assert asked
    assert asked[0].startswith(b"GET /bucket?")
    assert await documents.sweep() == 1
