"""What a provider's simulation is made of: routes, the call they receive, and the replies most of them give.

`providers/<slug>/simulated.py` exposes `ROUTES`, a tuple of `Simulated`. The host is not looked at: the gateway may be
told any. A handler is a plain function of the call; it does no I/O.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import orjson
from starlette.responses import Response

from config.clock import Clock, paris
from providers.simulator.tokens import Tokens
from providers.simulator.world import World

IDENTIFIER = re.compile(r"(?<![0-9A-Za-z-])(?:W|FR)?(\d{14}|\d{11}|\d{9})(?![0-9A-Za-z-])")
"""A SIREN, a SIRET, a RNA number of ours or a VAT number, with or without its prefix, standing alone."""


@dataclass(frozen=True)
class Incoming:
    """A call as a provider receives it."""

    method: str
    host: str
    path: str
    arguments: Mapping[str, str]
    """The parts of the path that the route names."""
    query: str
    headers: Mapping[str, str]
    body: bytes
    world: World
    tokens: Tokens
    clock: Clock

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """The query, decoded."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @cached_property
    def form(self) -> Mapping[str, str]:
        """The body as a form, decoded."""
        return dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))

    @cached_property
    def json(self) -> Any:
        """The body as JSON; None where it is not."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    def with_arguments(self, arguments: Mapping[str, str]) -> "Incoming":
        """The same call, once its route is found."""
        return replace(self, arguments=arguments)

    @property
    def today(self) -> date:
        """The date in Paris."""
        return paris(self.clock).date()

    @property
    def is_authorised(self) -> bool:
        """Whether it brings a token that a simulated provider issued and still accepts."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.tokens.accepts(token)


Handler = Callable[[Incoming], Response]


def subject(call: Incoming) -> str:
    """The SIREN that the call is about: the first identifier in its path, query or body; "" where there is none."""
    for text in (call.path, unquote_plus(call.query), call.body.decode(errors="replace")):
        found = IDENTIFIER.search(text)
        if found:
            digits = found[1]
            return digits[2:] if len(digits) == 11 else digits[:9]
    return ""


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """A route of a provider.

    `path` names its parts in braces, as in `/siren/{siren}`; `form` are fields that the body must hold, where two
    providers share a path. `unauthorised` is the reply to a call without a good token; None where no token is asked
    for. `may_fail` is false where faults and counts by company have no meaning: token endpoints.
    """

    method: str
    path: str
    handler: Handler
    form: Mapping[str, str] = field(default_factory=dict)
    unauthorised: Handler | None = None
    may_fail: bool = True
    subject: Callable[[Incoming], str] = subject

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The path as a regular expression."""
        literal = re.split(r"\{(\w+)\}", self.path)
        parts = [re.escape(part) if place % 2 == 0 else f"(?P<{part}>[^/]+)" for place, part in enumerate(literal)]
        return re.compile("".join(parts))

    def answer(self, call: Incoming) -> Response:
        """What the provider replies when all is well with it."""
        if self.unauthorised and not call.is_authorised:
            return self.unauthorised(call)
        return self.handler(call)


def json_reply(
    content: Any, status: int = 200, headers: Mapping[str, str] | None = None, media_type: str = "application/json"
) -> Response:
    """A JSON reply."""
    return Response(orjson.dumps(content), status, headers, media_type)


def oauth_token(lifetime: int, **more: Any) -> Handler:
    """The token endpoint of an OAuth 2 server: a token good for that many seconds, and what else the server tells."""

    def hand_out(call: Incoming) -> Response:
        if "grant_type" not in call.form:
            return json_reply({"error": "invalid_request"}, 400)
        token = call.tokens.issue(lifetime)
        return json_reply({"access_token": token, "token_type": "Bearer", "expires_in": lifetime, **more})

    return hand_out
