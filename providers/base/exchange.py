"""What goes to a provider (`Get`, `Post`) and what comes back (`Reply`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson

from providers.base import xml
from providers.base.transport import Method

_NONE: Mapping[str, str] = MappingProxyType({})


class Request(NamedTuple):
    """A call to make.

    `path` is appended to the provider's base URL unless it is a full URL; query values that are None are left out.
    """

    method: Method
    path: str
    query: Mapping[str, str | int | None] = _NONE
    headers: Mapping[str, str] = _NONE
    json: Any = None
    form: Mapping[str, str] | None = None
    content: bytes | None = None

    def after(self, query: Mapping[str, str]) -> "Request":
        """The same call, with these parameters before its own."""
        return self._replace(query={**query, **self.query}) if query else self

    def body(self) -> tuple[bytes, Mapping[str, str]]:
        """The bytes to send, with the headers that say what they are."""
        if self.json is not None:
            return orjson.dumps(self.json), _JSON
        if self.form is not None:
            return urlencode(self.form).encode(), _FORM
        return self.content or b"", _NONE


_JSON = {"content-type": "application/json"}
_FORM = {"content-type": "application/x-www-form-urlencoded"}


def Get(path: str, query: Mapping[str, str | int | None] | None = None, **more: Any) -> Request:  # noqa: N802
    """A GET: `Get("/chiffreAffaires", {"siret": call.siret})`."""
    return Request(method="GET", path=path, query=query or _NONE, **more)


def Post(path: str, *, json: Any = None, **more: Any) -> Request:  # noqa: N802
    """A POST, with a JSON body unless told otherwise."""
    return Request(method="POST", path=path, json=json, **more)


class Unreadable(Exception):
    """An answer that is not what its reader expects: not JSON or XML, not the shape of the wire model."""


@dataclass(frozen=True)
class Reply:
    """A provider's answer, whole: status, lower-case headers, decoded body, and when it came, in Paris time."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    at: datetime | None = None

    @cached_property
    def text(self) -> str:
        """The body as UTF-8 text, undecodable bytes replaced."""
        return self.body.decode(errors="replace")

    @cached_property
    def _parsed(self) -> Any:
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise Unreadable("not JSON") from error

    def json(self) -> Any:
        """The body as JSON. Raises Unreadable."""
        return self._parsed

    @cached_property
    def is_json(self) -> bool:
        """Whether the body is JSON at all."""
        try:
            self.json()
        except Unreadable:
            return False
        return True

    @cached_property
    def _element(self) -> xml.Element:
        try:
            return xml.parse(self.body)
        except xml.NotXml as error:
            raise Unreadable(f"not XML: {error}") from error

    def xml(self) -> xml.Element:
        """The root element of the body, safely read (`providers.base.xml`). Raises Unreadable."""
        return self._element

    @cached_property
    def is_xml(self) -> bool:
        """Whether the body is XML at all."""
        try:
            self.xml()
        except Unreadable:
            return False
        return True

    def find(self, *path: str) -> Any:
        """The value at a path of member names, or None where any is missing or the body is not JSON."""
        value = self.json() if self.is_json else None
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value
