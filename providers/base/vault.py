"""Where access tokens and documents are kept: what the core asks of its host, which the gateway provides."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

Fetch = Callable[[], Awaitable[tuple[bytes, int]]]
"""Makes a value, and tells for how many seconds it holds."""


class Vault(Protocol):
    """An encrypted store shared by all workers, for small secrets such as providers' access tokens."""

    async def get(self, name: str) -> bytes | None:
        """What is kept under that name."""

    async def once(self, name: str, fetch: Fetch, *, other_than: bytes | None = None) -> bytes:
        """What is kept under that name, else what `fetch` brings, asked by one caller at a time among all workers.

        `other_than` is a value known to be refused: kept or not, it is not given again unless `fetch` brings it anew.
        """


class DocumentStore(Protocol):
    """Where documents of providers are kept for as long as links to them live."""

    async def keep(self, content: bytes, name: str, mime: str, lifetime: timedelta | None = None) -> str:
        """Keep a document; gives the text that stands for its link until an answer is made.

        `lifetime` is that of its links, where it is not the usual one.
        """
