"""The status in its three forms, made once a minute at most: a crowd costs a worker one reading of the tables."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from config.clock import PARIS, Clock
from gateway.database import Pool
from gateway.health import Health
from gateway.status.board import Subject, board_of
from gateway.status.feed import as_atom
from gateway.status.figures import read_figures
from gateway.status.html import as_html
from gateway.status.told import as_json
from providers.base import Adapter, Upstream

KEPT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Issue:
    """The three forms, as they were made at a moment."""

    at: float
    html: bytes
    json: bytes
    atom: bytes


class Bulletin:
    """Makes issues, and keeps the last one."""

    def __init__(
        self, adapters: Sequence[Adapter], upstream: Upstream, health: Health, pool: Pool, clock: Clock, base: str
    ) -> None:
        """`base` is the public address of the gateway, without a final slash."""
        self._adapters = adapters
        self._upstream = upstream
        self._health = health
        self._pool = pool
        self._clock = clock
        self._base = base
        self._issue: Issue | None = None
        self._making = asyncio.Lock()

    async def issue(self) -> Issue:
        """The last one, or another if it is a minute old."""
        async with self._making:
            now = self._clock()
            if self._issue is None or not 0 <= now - self._issue.at < KEPT_SECONDS:
                self._issue = await self._make(now)
            return self._issue

    async def _make(self, now: float) -> Issue:
        at = datetime.fromtimestamp(now, PARIS)
        figures, probes = await asyncio.gather(read_figures(self._pool, at), self._health.probes())
        board = board_of([self._subject(adapter) for adapter in self._adapters], figures, probes, at)
        return Issue(now, as_html(board), as_json(board, self._base), as_atom(board, self._base))

    def _subject(self, adapter: Adapter) -> Subject:
        """Windows are asked for anew: several connections of a provider may announce the same."""
        windows = dict.fromkeys(window for provider in adapter.providers for window in self._upstream.windows(provider))
        return Subject(adapter.slug, adapter.title, tuple(windows))
