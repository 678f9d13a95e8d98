"""The simulator as an ASGI application: providers behind one door, and a few handles for those who test with it.

A call to `https://HOST/PATH?QUERY` arrives as `/HOST/PATH?QUERY`. `/_simulator` is the door for the tester.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from config.clock import Clock
from providers.simulator import faults
from providers.simulator.routes import Incoming, Simulated, json_reply
from providers.simulator.tokens import Tokens
from providers.simulator.world import World

CONTROL = "/_simulator"
PATHS_COUNTED = 10_000
"""Distinct paths counted one by one; a load test over more companies is counted by route only."""

Sleep = Callable[[float], Awaitable[None]]


def create_simulator(
    world: World, *, latency: float = 0.0, jitter: float = 0.0, clock: Clock, sleep: Sleep = asyncio.sleep
) -> ASGIApp:
    """The application: each provider answers after `latency` seconds, more or less `jitter`."""
    return Simulator(world, discover(), Controls(latency=latency, jitter=jitter), clock, sleep)


def discover() -> dict[str, tuple[Simulated, ...]]:
    """The routes of each provider that has a simulation, by slug.

    A file `providers/<slug>/simulated.py` is all that a new one takes.
    """
    folders = sorted(folder.name for folder in files("providers").iterdir() if (folder / "simulated.py").is_file())
    return {slug: import_module(f"providers.{slug}.simulated").ROUTES for slug in folders}


@dataclass(slots=True)
class Controls:
    """What may be changed at run time."""

    latency: float = 0.0
    jitter: float = 0.0
    faults: dict[str, str] = field(default_factory=dict)
    """Names of faults by SIREN, by provider slug, or for all under `*`."""


class Simulator:
    """Finds the route of a call, counts it, delays it, spoils it if it must, and answers."""

    def __init__(
        self,
        world: World,
        providers: Mapping[str, tuple[Simulated, ...]],
        controls: Controls,
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        """Serve these providers over this world."""
        self._world = world
        self._routes = [(slug, route) for slug, routes in providers.items() for route in routes]
        self._controls = controls
        self._initial = Controls(controls.latency, controls.jitter)
        self._clock = clock
        self._sleep = sleep
        self._tokens = Tokens(clock)
        self._by_path: Counter[str] = Counter()
        self._by_route: Counter[str] = Counter()
        self._spoilt: Counter[str] = Counter()
        self._chance = random.SystemRandom()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the ASGI server, or its lifespan."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        request = Request(scope, receive)
        try:
            if scope["path"] == CONTROL or scope["path"].startswith(CONTROL + "/"):
                response = await self._control(request)
            else:
                response = await self._provide(request)
        except faults.HangUp:
            await _hang_up(receive, send)
            return
        await response(scope, receive, send)

    async def _provide(self, request: Request) -> Response:
        slug, route, call = self._find(await _incoming(request, self._world, self._tokens, self._clock))
        if route is None:
            return Response(
                f"No simulated provider serves {request.method} {call.path}\n", 404, media_type="text/plain"
            )
        self._count(call, slug, route)
        pause = self._controls.latency + self._chance.uniform(-1, 1) * self._controls.jitter
        if pause > 0:
            await self._sleep(pause)
        siren = route.subject(call) if route.may_fail else ""
        fault = self._fault(slug, siren) if route.may_fail else None
        if fault is None:
            return route.answer(call)
        key = siren or slug
        earlier, self._spoilt[key] = self._spoilt[key], self._spoilt[key] + 1
        return await fault.play(faults.Stage(lambda: route.answer(call), self._sleep, earlier, siren))

    def _find(self, call: Incoming) -> tuple[str, Simulated | None, Incoming]:
        for slug, route in self._routes:
            found = route.pattern.fullmatch(call.path) if route.method == call.method else None
            if found and all(call.form.get(name) == value for name, value in route.form.items()):
                return slug, route, call.with_arguments(found.groupdict())
        return "", None, call

    def _fault(self, slug: str, siren: str) -> faults.Fault | None:
        switched = self._controls.faults
        name = switched.get(siren) or switched.get(slug) or switched.get("*")
        return faults.BY_NAME[name] if name else faults.BY_SIREN.get(siren)

    def _count(self, call: Incoming, slug: str, route: Simulated) -> None:
        self._by_route[f"{slug} {route.method} {route.path}"] += 1
        path = f"{call.method} /{call.host}{call.path}"
        if path in self._by_path or len(self._by_path) < PATHS_COUNTED:
            self._by_path[path] += 1

    async def _control(self, request: Request) -> Response:
        match request.method, request.url.path.removeprefix(CONTROL).strip("/"):
            case "GET", "":
                return json_reply(self._state() | {"companies": self._world.known()})
            case "POST", "expire-tokens":
                self._tokens.expire_all()
            case "POST", "faults":
                problem = self._switch(await _json(request))
                if problem:
                    return json_reply({"error": problem}, 422)
            case "POST", "reset":
                self._controls = Controls(self._initial.latency, self._initial.jitter)
                for counter in (self._by_path, self._by_route, self._spoilt):
                    counter.clear()
            case _:
                return Response("Unknown control\n", 404, media_type="text/plain")
        return json_reply(self._state())

    def _switch(self, told: Any) -> str | None:
        """Replace the switched faults, latency and jitter by those told; say what is wrong otherwise."""
        if not isinstance(told, dict) or not told.keys() <= {"faults", "latency", "jitter"}:
            return "Send a JSON object with faults, latency, jitter, or some of them."
        switched = told.get("faults", self._controls.faults)
        if not isinstance(switched, dict) or not all(name in faults.BY_NAME for name in switched.values()):
            return f"A fault is one of {', '.join(faults.BY_NAME)}, by SIREN, by provider slug or under *."
        latency, jitter = told.get("latency", self._controls.latency), told.get("jitter", self._controls.jitter)
        if not all(isinstance(seconds, int | float) and seconds >= 0 for seconds in (latency, jitter)):
            return "Latency and jitter are seconds."
        self._controls = Controls(latency, jitter, dict(switched))
        return None

    def _state(self) -> dict[str, Any]:
        return {
            "fictitious": True,
            "latency": self._controls.latency,
            "jitter": self._controls.jitter,
            "switched": self._controls.faults,
            "faults": [{"name": f.name, "siren": f.siren, "summary": f.summary} for f in faults.FAULTS],
            "duplicates": self._world.duplicates,
            "calls": {"total": self._by_route.total(), "routes": self._by_route, "paths": self._by_path},
            "tokens_generation": self._tokens.generation,
        }


async def _incoming(request: Request, world: World, tokens: Tokens, clock: Clock) -> Incoming:
    host, _, path = request.scope["path"].lstrip("/").partition("/")
    return Incoming(
        method=request.method,
        host=host,
        path="/" + path,
        arguments={},
        query=request.url.query,
        headers=request.headers,
        body=await request.body(),
        world=world,
        tokens=tokens,
        clock=clock,
    )


async def _json(request: Request) -> Any:
    try:
        return await request.json()
    except ValueError:
        return None


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _hang_up(receive: Receive, send: Send) -> None:
    """Drop the connection. ASGI has no word for it, so reach for uvicorn's transport; elsewhere, raise."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionAbortedError("the simulated provider hung up")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":  # so that the server learns of it before we return
        continue
