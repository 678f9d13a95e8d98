"""Documents of providers: kept sealed in an object store, and reached through links that cannot be guessed.

An answer is kept with a mark in the place of each link; a link of its own is drawn for every answer given, so that no
caller's link is served to another, and each lives its whole announced life (behaviours §9, trap 15.6). Beside the
documents that are kept here stand those that remain at the provider's, behind a link like the others, and those that
are asked for only when their link is followed, which is a sealed request and names the token it was given to.
"""

import asyncio
import re
import secrets
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import obstore
import orjson
import structlog
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, LocalStore, ObjectStore, S3Store, from_url

from config.clock import Clock
from config.settings import PREFIX, DocumentSettings, WrongSettings
from gateway.sealed import Broken, Seal
from providers.base import Kind, ProviderFailed
from providers.base.marks import unpacked
from ratelimit.link import Link, RedisUnavailable

log = structlog.get_logger()

LONGEST_CACHE = timedelta(hours=32)
"""An answer may be served from the cache that long, and its document must outlive the last link drawn from it."""

STORAGE = Kind(
    "502",
    502,
    "Stockage des documents indisponible",
    "Le document a été obtenu mais n'a pas pu être conservé. Renouvelez votre appel.",
    retry_in=10,
    names_provider=False,
    tracked=True,
    nobodys=True,
)

_MARK = re.compile(
    rb"octroi-(?:document:(?:[1-9][0-9]{,7}:)?[0-9]+-[0-9a-f]{40}-[A-Za-z0-9._-]+|"
    rb"remote:[A-Za-z0-9_-]+|deferred:[A-Za-z0-9_-]+)"
)
_DEFERRED = b"octroi:deferred"
"""The name under which requests for documents are sealed."""
_CHUNK = 256 * 1024
_SHARED = S3Store | GCSStore | AzureStore | LocalStore
STORE_SECONDS = 4.0
"""What a document may take to or from the store: less than a caller waits (`UpstreamSettings.deadline_seconds`), so
that a silent store does not pass for a silent provider."""


@dataclass(frozen=True)
class Document:
    """A document to be served."""

    name: str
    mime: str
    content: bytes

    async def chunks(self) -> AsyncIterator[bytes]:
        """The content, in slices that leave the loop to others."""
        for start in range(0, len(self.content), _CHUNK):
            yield self.content[start : start + _CHUNK]


@dataclass(frozen=True)
class Remote:
    """A document that stays where its provider keeps it; `provider` is a slug."""

    provider: str
    url: str
    name: str


@dataclass(frozen=True)
class Deferred:
    """A document that its provider is asked for when the link is followed: by which operation, and with which values.

    The link was drawn at `drawn_at` for the token `jti`.
    """

    operation: str
    values: Mapping[str, str]
    drawn_at: int
    jti: str


class Documents:
    """Implements `providers.base.vault.DocumentStore`, and serves what it keeps."""

    def __init__(
        self, store: ObjectStore, link: Link, seal: Seal, settings: DocumentSettings, clock: Clock, base: str
    ) -> None:
        """`base` is the public address of the gateway, without a final slash."""
        self._store = store
        self._link = link
        self._seal = seal
        self._lifetime = settings.lifetime_seconds
        self._clock = clock
        self._base = base

    async def keep(self, content: bytes, name: str, mime: str, lifetime: timedelta | None = None) -> str:
        """Keep a document; gives the mark that stands for its link. Raises ProviderFailed (00502).

        The mark tells the lifetime of its links, where it is not the usual one.
        """
        key = f"{int(self._clock())}-{secrets.token_hex(20)}-{name}"
        packed = len(mime).to_bytes(1, "big") + mime.encode() + content
        sealed = await asyncio.to_thread(self._seal.seal, packed, key.encode())
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await obstore.put_async(self._store, key, sealed)
        except (BaseError, OSError) as error:
            log.error("document_not_kept", reason=type(error).__name__)
            raise ProviderFailed(STORAGE) from error
        return f"octroi-document:{key}" if lifetime is None else f"octroi-document:{lifetime.total_seconds():.0f}:{key}"

    async def with_links(self, body: bytes, jti: str) -> bytes:
        """The body with a new link, for that token, in the place of each mark. Raises ProviderFailed (00502)."""
        marks = set(_MARK.findall(body))
        drawn = dict(zip(marks, await asyncio.gather(*(self._drawn(mark, jti) for mark in marks)), strict=True))
        return _MARK.sub(lambda found: drawn[found[0]], body)

    async def open(self, link: str) -> Document | Remote | None:
        """The document behind a link; None where the link is unknown or its life is over. Raises ProviderFailed."""
        name = _link_key(link)
        try:
            sealed = await self._link.send(name, b"GET", name)
        except RedisUnavailable as error:
            raise ProviderFailed(STORAGE) from error
        if not isinstance(sealed, bytes):
            return None
        try:
            told = orjson.loads(self._seal.open(sealed, name))
            if "url" in told:
                return Remote(**told)
            key = told["key"]
            async with asyncio.timeout(STORE_SECONDS):
                kept = bytes(await (await obstore.get_async(self._store, key)).bytes_async())
            packed = self._seal.open(kept, key.encode())
        except (Broken, FileNotFoundError):
            return None
        except (BaseError, OSError) as error:
            raise ProviderFailed(STORAGE) from error
        start = 1 + packed[0]
        return Document(key.split("-", 2)[2], packed[1:start].decode(), packed[start:])

    def read_deferred(self, blob: str) -> Deferred:
        """The request that a link holds. Raises Broken where we did not write it."""
        try:
            sealed = urlsafe_b64decode(blob + "=" * (-len(blob) % 4))
        except ValueError:
            raise Broken from None
        return Deferred(**orjson.loads(self._seal.open(sealed, _DEFERRED)))

    async def sweep(self) -> int:
        """Delete the documents that no link can reach any more; gives their number."""
        oldest = datetime.fromtimestamp(self._clock(), UTC) - timedelta(seconds=self._lifetime) - LONGEST_CACHE
        swept = 0
        try:
            async for batch in obstore.list(self._store):
                lapsed = [entry["path"] for entry in batch if entry["last_modified"] < oldest]
                if lapsed:
                    await obstore.delete_async(self._store, lapsed)
                    swept += len(lapsed)
        except (BaseError, OSError) as error:
            log.warning("documents_not_swept", reason=str(error).partition("\n")[0])
        else:
            log.info("documents_swept", count=swept)
        return swept

    async def _drawn(self, mark: bytes, jti: str) -> bytes:
        """The link for a mark; the mark itself where a provider's text only looks like one."""
        kind, packed = mark.split(b":", 1)
        if kind == b"octroi-document":
            seconds, _, key = packed.decode().rpartition(":")
            lifetime = int(seconds) if seconds else self._lifetime
            return await self._drawn_file({"key": key}, key.split("-", 2)[2], lifetime)
        told = unpacked(packed)
        if told is None:
            return mark
        if kind == b"octroi-remote" and told.keys() == {"provider", "url", "name"}:
            return await self._drawn_file(told, told["name"], self._lifetime)
        if kind == b"octroi-deferred" and "operation" in told:
            return self._drawn_request(told.pop("operation"), told, jti)
        return mark

    async def _drawn_file(self, told: Mapping[str, Any], name: str, seconds: int) -> bytes:
        link = str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
        key = _link_key(link)
        sealed = self._seal.seal(orjson.dumps(told), key)
        try:
            await self._link.send(key, b"SET", key, sealed, b"EX", seconds)
        except RedisUnavailable as error:
            raise ProviderFailed(STORAGE) from error
        return f"{self._base}/proxy/files/{link}/{quote(name, safe='')}".encode()

    def _drawn_request(self, operation: str, values: Mapping[str, str], jti: str) -> bytes:
        told = {"operation": operation, "values": values, "drawn_at": int(self._clock()), "jti": jti}
        sealed = self._seal.seal(orjson.dumps(told), _DEFERRED)
        blob = urlsafe_b64encode(sealed).decode().rstrip("=")
        return f"{self._base}/proxy/inpi/download/{blob}".encode()


def open_store(settings: DocumentSettings, data_dir: Path) -> ObjectStore:
    """The store that the settings name; by default a folder of the data directory, readable by us alone.

    Raises WrongSettings.
    """
    if settings.store is not None:
        try:
            store = from_url(settings.store)
        except (BaseError, ValueError) as error:
            raise _wrong_store(str(error).partition("\n")[0]) from None
        if not isinstance(store, _SHARED):
            raise _wrong_store("workers cannot share such a store")
        return store
    folder = data_dir / "documents"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return LocalStore(folder)


async def trouble_with(store: ObjectStore) -> str | None:
    """Why no document can be kept there; None where a small object was written, read and deleted."""
    key = f"octroi-doctor-{secrets.token_hex(8)}"
    try:
        async with asyncio.timeout(STORE_SECONDS):
            await obstore.put_async(store, key, b"?")
            await (await obstore.get_async(store, key)).bytes_async()
            await obstore.delete_async(store, key)
    except TimeoutError:
        return f"does not answer within {STORE_SECONDS:.0f} s"
    except (BaseError, OSError) as error:
        return str(error).partition("\n")[0]
    return None


def _wrong_store(reason: str) -> WrongSettings:
    remedy = "write s3://bucket/prefix, gs://bucket/prefix, az://container/prefix, or file:// and a folder that exists"
    return WrongSettings([f"{PREFIX}DOCUMENTS__STORE: {reason}; {remedy}"])


def _link_key(link: str) -> bytes:
    return b"octroi:{f:" + link.encode() + b"}"
