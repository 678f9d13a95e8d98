"""The core on which adapters stand: declarations, models, kinds of failures, and the upstream that carries them out."""

from providers.base.access import Key, Login
from providers.base.cachetime import Cache
from providers.base.call import Call
from providers.base.endpoint import (
    DEPRECATED_SINCE,
    DOCUMENT_SECONDS,
    Adapter,
    Document,
    Endpoint,
    HealthThenRatio,
    Ping,
    Provider,
    RecentTraffic,
    Retriever,
    Table,
    Tool,
    daily,
)
from providers.base.exchange import Get, Post, Reply, Request, Unreadable
from providers.base.failures import COMMON, PERIMETER, Failure, Kind, ProviderFailed, Rule
from providers.base.models import EMPTY, Collection, Contract, Empty, OneOrMany, Single, Wire, blank_to_none
from providers.base.parameters import Formats, Parameter
from providers.base.upstream import Upstream, serialise

__all__ = [
    "COMMON",
    "DEPRECATED_SINCE",
    "DOCUMENT_SECONDS",
    "EMPTY",
    "PERIMETER",
    "Adapter",
    "Cache",
    "Call",
    "Collection",
    "Contract",
    "Document",
    "Empty",
    "Endpoint",
    "Failure",
    "Formats",
    "Get",
    "HealthThenRatio",
    "Key",
    "Kind",
    "Login",
    "OneOrMany",
    "Parameter",
    "Ping",
    "Post",
    "Provider",
    "ProviderFailed",
    "RecentTraffic",
    "Reply",
    "Request",
    "Retriever",
    "Rule",
    "Single",
    "Table",
    "Tool",
    "Unreadable",
    "Upstream",
    "Wire",
    "blank_to_none",
    "daily",
    "serialise",
]
