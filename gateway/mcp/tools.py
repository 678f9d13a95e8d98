"""The tools: which endpoints are offered to whom, and one call of one of them. Nothing here knows the protocol."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from config.clock import PARIS, Clock
from gateway import checks
from gateway.documents import Documents
from gateway.errors import Refusal, Refused, provider_failure
from gateway.health import DINUM
from gateway.registry.state import TokenState
from gateway.visits import Visit
from providers.base import Call, Endpoint, ProviderFailed, Tool, Upstream
from providers.base.models import Answer
from providers.base.parameters import Parameter, WrongParameter

log = structlog.get_logger()

NAME_LENGTH = 100
"""As much of a name is recorded; a longer one is no tool's."""
PATTERNS = {"siren": r"^\d{9}$", "siret": r"^\d{14}$", "year": r"^\d{4}$"}
"""What an argument looks like, by the name of its parameter, whose own rule it must satisfy besides."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An endpoint, and the tool it is."""

    endpoint: Endpoint
    tool: Tool

    @property
    def arguments(self) -> tuple[Parameter, ...]:
        """Those of the path: a tool has no optional ones."""
        return tuple(parameter for parameter in self.endpoint.all_parameters if parameter.where == "path")

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the arguments."""
        properties = {
            one.name: {"type": "string", "pattern": PATTERNS[one.name], "description": one.title}
            for one in self.arguments
        }
        return {"type": "object", "properties": properties, "required": list(properties)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call: the text for the assistant, with the status and the codes it would have had elsewhere."""

    text: str
    status: int = 200
    codes: tuple[str, ...] = ()


class Toolbox:
    """The tools, and what it takes to call one."""

    def __init__(
        self, endpoints: Iterable[Endpoint], upstream: Upstream, documents: Documents, clock: Clock, base: str
    ) -> None:
        """`base` is the public address of the gateway, without a final slash."""
        offers = [Offer(endpoint, endpoint.mcp) for endpoint in endpoints if endpoint.mcp is not None]
        self._offers = {offer.tool.name: offer for offer in offers}
        if len(self._offers) < len(offers):
            raise ValueError("two endpoints are the same tool")
        self._upstream = upstream
        self._documents = documents
        self._clock = clock
        self._base = base

    @property
    def offers(self) -> tuple[Offer, ...]:
        """All of them."""
        return tuple(self._offers.values())

    def find(self, name: object) -> Offer | None:
        """The tool of that name."""
        return self._offers.get(name) if isinstance(name, str) else None

    @staticmethod
    def is_open(offer: Offer, state: TokenState | None) -> bool:
        """Whether a token may call the tool: it needs what the endpoint needs."""
        return state is not None and checks.is_open(offer.endpoint, state)

    async def call(self, offer: Offer, arguments: Mapping[str, Any], visit: Visit) -> Outcome:
        """Call a tool for an admitted visitor; never raises. No cache and no duplicate guard stand in between."""
        endpoint = offer.endpoint
        try:
            answer = await self._upstream.fetch(endpoint, self._read(offer, arguments, visit))
            body = _resource(answer)
            if endpoint.document is not None or endpoint.marks:
                body = await self._documents.with_links(body, visit.state.jti if visit.state else "")
            return Outcome(body.decode())
        except Refusal as refusal:
            return _refused(refusal)
        except ProviderFailed as failed:
            status, code, body = provider_failure(failed, endpoint.provider.code, endpoint.provider.name)
            return Outcome(body.decode(), status, (code,))
        except Exception:
            log.exception("tool_defect", request_id=visit.asked.request_id, tool=offer.tool.name)
            return _refused(Refusal.of(Refused.DEFECT))

    def _read(self, offer: Offer, arguments: Mapping[str, Any], visit: Visit) -> Call:
        """The question that the arguments ask. 422 003xx: all that cannot be read."""
        now = datetime.fromtimestamp(self._clock(), PARIS)
        values: dict[str, Any] = {}
        wrong: list[WrongParameter] = []
        for parameter in offer.arguments:
            try:
                values[parameter.name] = parameter.value(_as_text(arguments.get(parameter.name)), now)
            except WrongParameter as one:
                wrong.append(one)
        if wrong:
            raise Refusal.of_formats((one.format, one.parameter) for one in wrong)
        return Call(
            values=values,
            context="",
            object="",
            recipient=DINUM,
            user_id=visit.state.jti if visit.state else "",
            request_id=visit.asked.request_id,
            today=now.date(),
            base=self._base,
        )


def note(visit: Visit, name: str, offer: Offer | None, arguments: Mapping[str, Any]) -> None:
    """Have the record of a visit say which tool was called, about whom."""
    visit.extra["mcp"] = name[:NAME_LENGTH]
    if offer is None:
        return
    visit.operation_id, visit.provider = offer.endpoint.operation_id, offer.endpoint.provider.slug
    visit.siren, visit.siret = (_as_text(arguments.get(told)) or None for told in ("siren", "siret"))


def _as_text(argument: object) -> str:
    """An argument as written in a path; some assistants give numbers for digits."""
    is_number = isinstance(argument, int) and not isinstance(argument, bool)
    return str(argument) if is_number or isinstance(argument, str) else ""


def _resource(answer: Answer) -> bytes:
    """The data alone, without the envelopes of the contract."""
    if isinstance(answer.data, list):
        return b"[%b]" % b",".join(item.data.model_dump_json().encode() for item in answer.data)
    return bytes(answer.data.model_dump_json().encode())


def _refused(refusal: Refusal) -> Outcome:
    return Outcome(refusal.body().decode(), refusal.status, refusal.codes)
