"""The declarations an adapter is made of: `Provider`, `Endpoint`, `Document`, `Ping`. Values, without behaviour."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, time, timedelta
from functools import cached_property
from typing import Any, Protocol, get_type_hints

from pydantic import TypeAdapter, ValidationError

from config.quotas import Group
from config.settings import MaintenanceWindow
from providers.base.cachetime import Cache
from providers.base.call import Call
from providers.base.exchange import Reply, Request, Unreadable
from providers.base.failures import COMMON, Rule
from providers.base.models import Answer
from providers.base.parameters import BY_NAME, Parameter

DEFAULT_TIMEOUT = timedelta(seconds=10)
DOCUMENT_SECONDS = 86400
"""What answers tell of the life of a link to a document (behaviours §3.1)."""
DEPRECATED_SINCE = date(2026, 4, 28)
"""The contract marks endpoints as deprecated and gives no date: on the day it was read, they were."""


class Authentication(Protocol):
    """How a provider lets the gateway in. `upstream` makes the calls this may need."""

    @property
    def settings(self) -> tuple[str, ...]:
        """Names of the provider's settings without which it cannot let us in."""

    async def headers(self, access: Any) -> Mapping[str, str]:
        """Headers of a data call."""

    def signed(self, request: Request, access: Any) -> Request:
        """The data call with what it carries of credentials outside its headers."""

    async def renew(self, access: Any, refused: Mapping[str, str]) -> Mapping[str, str] | None:
        """Other headers, after a call made with those was refused; None where nothing else can be tried."""


def daily(start: str, end: str) -> MaintenanceWindow:
    """A window of each day, Paris time, bounds included: `daily("01:00", "02:00")`."""
    return MaintenanceWindow(start=time.fromisoformat(start), end=time.fromisoformat(end))


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A connection to a provider: who it is, where, and how it is spoken to.

    `code` is the first two digits of its errors, `name` what callers read in their meta. A second host or protocol of
    one provider is a second value with the same slug. `wants_certificate`: it lets in only who shows the certificate of
    its settings (mutual TLS).
    """

    slug: str
    code: str
    name: str
    base_url: str
    token_url: str = ""
    authentication: Authentication | None = None
    wants_certificate: bool = False
    headers: Callable[[Call], Mapping[str, str]] = lambda call: {}
    connect_timeout: timedelta = DEFAULT_TIMEOUT
    read_timeout: timedelta = DEFAULT_TIMEOUT
    maintenance: tuple[MaintenanceWindow, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of its settings without which it lets nobody in."""
        credentials = self.authentication.settings if self.authentication else ()
        return (*credentials, "certificate") if self.wants_certificate else credentials


@dataclass(frozen=True, kw_only=True)
class Document:
    """A file in a provider's answer: how it is taken out of the reply, and what it is called when kept.

    `content` raises ProviderFailed (051) where the bytes cannot be read. `absent` says that this reply brings none.
    `lifetime` is that of a link to it, where the provider wants another than the gateway's.
    """

    name: str
    mime: str = "application/pdf"
    lifetime: timedelta | None = None
    content: Callable[[Reply], bytes] = lambda reply: reply.body
    absent: Callable[[Reply], bool] = lambda reply: False


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table that the provider publishes, with which an answer is completed: the labels of its codes, for instance.

    It is asked once for each `name`, then kept by the worker for `lasting`. `read` makes it from the reply; None where
    there is none. No answer waits for it longer than `patience`, nor fails for want of it: `call.table` is then None.
    """

    name: Callable[[Call], str]
    request: Callable[[Call], Request]
    read: Callable[[Reply], Any]
    lasting: timedelta
    patience: timedelta = timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True)
class Tool:
    """The endpoint as an assistant calls it, over MCP: the name of the tool and, for some, advice in Markdown."""

    name: str
    advice: str = ""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One operation of the contract, and all its rules.

    `wire` is a model, or a function of the reply where the wire is not JSON. `normalise` makes the answer from what was
    read; its return annotation is the 200 body of the contract. `failures` are tried in order, after `common`; an
    answer that none matches and whose status is not in `success` is unknown (999). `accumulates`: all wrong parameters
    are reported together. `key` is shared by the versions of one endpoint (quota of its own, ping). `marks`:
    answers may hold marks of links to be drawn (`providers.base.marks`). `aliases` are other paths at which it answers,
    with the same version and identifiers, and which are not described. `sunset` is the day it closes, once announced.
    """

    operation_id: str
    path: str
    title: str
    description: str
    tag: str
    scopes: frozenset[str]
    quota: Group
    cache: Cache | None
    provider: Provider
    request: Callable[[Call], Request]
    wire: type[Any] | Callable[[Reply], Any]
    normalise: Callable[[Any, Call], Answer]
    failures: tuple[Rule, ...] = ()
    common: tuple[Rule, ...] = COMMON
    success: frozenset[int] | None = frozenset({200})
    parameters: tuple[Parameter, ...] = ()
    accumulates: bool = False
    document: Document | None = None
    marks: bool = False
    table: Table | None = None
    follow: Callable[[Call, Reply], Call] | None = None
    legal_block: bool = False
    deprecated: bool = False
    sunset: date | None = None
    aliases: tuple[str, ...] = ()
    mcp: Tool | None = None
    key: str = ""

    @cached_property
    def answer_model(self) -> type[Answer]:
        """The model of the 200 body."""
        model: type[Answer] = get_type_hints(self.normalise)["return"]
        return model

    @cached_property
    def all_parameters(self) -> tuple[Parameter, ...]:
        """In the order in which they are read: the identifiers of the path, then those the endpoint tells."""
        told = {parameter.name for parameter in self.parameters}
        names = re.findall(r"\{(\w+)\}", self.path)
        return (*(BY_NAME[name] for name in names if name not in told), *self.parameters)

    def rules(self, status: int) -> tuple[Rule, ...]:
        """What a failure of that status may look like, in the order of judgement."""
        found = self._rules.get(status)
        if found is None:
            rules = (*self.common, *self.failures)
            found = self._rules[status] = tuple(rule for rule in rules if rule.may_hold(status))
        return found

    @cached_property
    def _rules(self) -> dict[int, tuple[Rule, ...]]:
        """Those worked out already, by status."""
        return {}

    @cached_property
    def version(self) -> str:
        """`v3`, `v4`…"""
        return self.path.split("/")[1]

    @cached_property
    def quota_name(self) -> str:
        """The counter it draws on: the group's, or one of its own that its versions share."""
        return self.quota.name if self.quota.shared else f"{self.quota.name}:{self.key or _unversioned(self.path)}"

    def read(self, reply: Reply) -> Any:
        """The reply as the wire model. Raises Unreadable."""
        try:
            if isinstance(self.wire, type):
                return _adapter(self.wire).validate_json(reply.body)
            return self.wire(reply)
        except ValidationError as error:
            raise Unreadable(f"not the expected shape at {places(error)}") from None

    def but(self, **changes: Any) -> "Endpoint":
        """Another version, told as a difference. What is known of this one alone is not handed on."""
        return replace(self, **{"aliases": (), "mcp": None, "sunset": None, **changes})


def places(error: ValidationError) -> str:
    """Where a content is not what its model expects. What it is there, which may name a person, is not told."""
    found = sorted({".".join(map(str, detail["loc"])) or "(body)" for detail in error.errors(include_input=False)})
    return ", ".join(found[:5])


_adapters: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(model: type[Any]) -> TypeAdapter[Any]:
    if model not in _adapters:
        _adapters[model] = TypeAdapter(model)
    return _adapters[model]


def _unversioned(path: str) -> str:
    return path.split("/", 2)[2]


@dataclass(frozen=True, kw_only=True)
class Retriever:
    """A ping that asks for a real resource: `/ping/…` is ok if it answers. `accepts` looks at the answer's data."""

    endpoint: Endpoint
    identifiers: Mapping[str, str]
    accepts: Callable[[Any], bool] = lambda answer: True


@dataclass(frozen=True, kw_only=True)
class RecentTraffic:
    """A ping drawn from the last ten minutes of calls. `ignored` statuses say nothing of the provider."""

    endpoints: tuple[Endpoint, ...]
    ignored: frozenset[int] = frozenset({401, 403, 422})


@dataclass(frozen=True, kw_only=True)
class HealthThenRatio:
    """A ping that asks the provider's own health page, then looks at the share of 503 and 504 in recent traffic."""

    request: Request
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, kw_only=True)
class Ping:
    """A provider's health as `/ping/{path}` tells it. `name` is that of the status page; an ok is kept `minutes`."""

    path: str
    name: str
    provider: Provider
    driver: Retriever | RecentTraffic | HealthThenRatio
    minutes: int


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """Everything a provider's folder gives: its endpoints, its pings, and the connections they use.

    `deferred` are the documents asked for only when a link is followed, by the operation that its mark names.
    `document_hosts` are those, beside the provider's own, on which it keeps documents that its answers link to.
    """

    slug: str
    title: str
    endpoints: tuple[Endpoint, ...]
    pings: tuple[Ping, ...] = ()
    deferred: Mapping[str, Endpoint] = field(default_factory=dict)
    document_hosts: tuple[str, ...] = ()

    @cached_property
    def providers(self) -> tuple[Provider, ...]:
        """The distinct connections."""
        found: dict[int, Provider] = {id(e.provider): e.provider for e in (*self.endpoints, *self.deferred.values())}
        return tuple(found.values())
