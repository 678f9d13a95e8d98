"""The tables of providers that a worker holds: each asked once, then kept for as long as its declaration says."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from providers.base.call import Call
from providers.base.endpoint import Provider, Table
from providers.base.exchange import Reply, Request
from providers.base.failures import ProviderFailed

log = structlog.get_logger()

RESPITE_SECONDS = 60.0
"""After a table was waited for in vain, answers go without it that long, so that they do not all wait."""


class Tables:
    """Kept by name, with the moment, on the loop's clock, at which each is to be asked again."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._kept: dict[str, tuple[float, Any]] = {}

    async def find(
        self,
        provider: Provider,
        table: Table,
        call: Call,
        ask: Callable[[Request], Awaitable[Reply]],
        *,
        patience: float,
    ) -> Any:
        """The table for this call, or None where the provider does not give one. `patience` is in seconds."""
        name = f"{provider.slug}:{table.name(call)}"
        now = asyncio.get_running_loop().time
        until, kept = self._kept.get(name, (0.0, None))
        if now() < until:
            return kept
        try:
            async with asyncio.timeout(patience):
                reply = await ask(table.request(call))
            found = await asyncio.to_thread(table.read, reply)
        except TimeoutError:
            log.warning("provider_table_too_slow", table=name)
            self._kept[name] = (now() + RESPITE_SECONDS, None)
            return None
        except ProviderFailed as failure:
            log.warning("provider_table_not_given", table=name, reason=str(failure))
            return None
        if found is not None:
            self._kept[name] = (now() + table.lasting.total_seconds(), found)
        return found
