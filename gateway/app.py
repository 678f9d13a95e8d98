"""The application that uvicorn serves: the door, and behind it the pages; `create_app` is its factory."""

import asyncio
import gc
import os
import signal
import sys
from contextlib import AsyncExitStack
from multiprocessing import parent_process

import structlog

from audit.spool import SpoolUnavailable
from config.settings import Settings, WrongSettings, load
from gateway import logs
from gateway.door import Door, Receive, Scope, Send
from gateway.fastpath import FastPath
from gateway.pages import create_pages
from gateway.parts import Parts, opened
from gateway.protocol import DOORSTEP
from ratelimit.address import Networks

log = structlog.get_logger()


class Gateway:
    """The whole, opened and closed by the server's lifespan."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is opened yet."""
        self._settings = settings
        self._stack = AsyncExitStack()
        self._door: Door | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif self._door is not None:
            await self._door(scope, receive, send)

    async def open(self) -> Parts:
        """Open the parts and stand at the door."""
        parts = await self._stack.enter_async_context(opened(self._settings))
        self._door = Door(
            parts.pipeline, parts.visits, create_pages(parts), Networks(self._settings.trusted_proxies), parts.clock
        )
        parts.doorstep.door = self._door
        # Each call is to be told: the fast path is too short for that.
        parts.doorstep.fast_path = None if self._settings.log_requests else FastPath(parts.pipeline)
        return parts

    async def close(self) -> None:
        """Close the parts, in reverse."""
        await self._stack.aclose()

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        try:
            parts = await self.open()
        except (WrongSettings, SpoolUnavailable) as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        except Exception as error:
            log.exception("gateway_not_started")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        scope["state"][DOORSTEP] = parts.doorstep
        _end_with_supervisor()
        _spare_the_collector()
        log.info("gateway_started", pid=os.getpid(), base=parts.base)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        log.info("gateway_stopped", pid=os.getpid())
        await send({"type": "lifespan.shutdown.complete"})


def _end_with_supervisor() -> None:
    """Stop as if told to once the supervisor is dead: a worker nobody watches would keep the port for ever."""
    supervisor = parent_process()
    if supervisor is not None:
        loop = asyncio.get_running_loop()

        def end() -> None:
            loop.remove_reader(supervisor.sentinel)
            log.error("supervisor_died", pid=os.getpid())
            os.kill(os.getpid(), signal.SIGTERM)

        loop.add_reader(supervisor.sentinel, end)


GC_THRESHOLDS = (20_000, 50, 100)
"""New objects before the youngest generation is looked through; how often that goes before the next, and so on."""


def _spare_the_collector() -> None:
    """What is there at the start stays: looking through it again at each full collection would stop every call for a
    tenth of a second. What comes later rarely refers to itself, so that it is looked through seldom: at the usual
    threshold of 700 new objects that cost a miss a tenth of its time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def create_app() -> Gateway:
    """The application told by the environment: what each worker process calls."""
    try:
        settings = load()
    except WrongSettings as wrong:
        sys.exit("\n".join(wrong.problems))
    logs.configure(settings.log_level, human=sys.stderr.isatty())
    return Gateway(settings)
