"""What is asked and what is answered: the two values between which the pipeline stands, free of any framework."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl

from gateway.tokens import Claims

Headers = Sequence[tuple[bytes, bytes]]
"""Names in lower case."""


@dataclass(slots=True)
class Asked:
    """A request. `address` is the client's, as the trusted-proxy rule gives it; `request_id` a UUID. `path` is
    decoded, `raw_path` as it stands in the request line.

    `authorization` holds every Authorization header. `at` is the epoch second at which it came.
    """

    method: str
    path: str
    raw_path: bytes
    query: bytes
    headers: Headers
    address: str
    request_id: str
    at: float
    authorization: list[bytes] = field(default_factory=list)
    api_key: bytes = b""
    accept: bytes = b""
    content_type: bytes = b""
    user_agent: bytes = b""
    no_cache: bool = False
    claims: Claims | None = None
    """What its token claims, once that has been judged."""

    @property
    def parameters(self) -> dict[str, str]:
        """The query's parameters; the last of a name wins. Not to be changed: the value is shared."""
        return parse_query(self.query).parameters

    @property
    def has_trace(self) -> bool:
        """Whether context, object and recipient are all there."""
        return parse_query(self.query).has_trace


@dataclass(slots=True)
class Answer:
    """A whole answer: status, headers, body. Status 0 is silence: the connection is closed without a byte."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    after: Callable[[], Awaitable[None]] | None = None
    """What is to be done once it has left."""


SILENCE = Answer(0, [], b"")


class Query(NamedTuple):
    """A query string once read. `has_trace`: context, object and recipient are all there."""

    parameters: dict[str, str]
    has_trace: bool


@lru_cache(maxsize=8192)
def parse_query(query: bytes) -> Query:
    """The parameters of a query string. Never fails: what cannot be read is left out."""
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=200, errors="replace")
    except ValueError:
        pairs = []
    parameters = dict(pairs)
    return Query(parameters, all(parameters.get(name, "").strip() for name in ("context", "object", "recipient")))
