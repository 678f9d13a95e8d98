"""How providers let us in: fixed keys, or access tokens (OAuth2 and other logins).

A token is cached for all workers, and renewed by one of them at a time.
"""

from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
import stamina

from config.settings import ProviderSettings
from providers.base.endpoint import Provider
from providers.base.exchange import Reply, Request
from providers.base.failures import COMMON, Failure, ProviderFailed
from providers.base.vault import Vault

LOGIN_ATTEMPTS = 5
PAUSE_SECONDS = 0.2
MARGIN_SECONDS = 10
"""A token is dropped that long before it expires (behaviours §6.2)."""


class Access(Protocol):
    """What an authentication may use: the provider, its settings, the vault, and one way to send a request."""

    provider: Provider
    settings: ProviderSettings
    vault: Vault

    def secret(self, name: str) -> str:
        """A credential by the name of its setting. Raises ProviderFailed (006) where it is not set."""

    def now(self) -> float:
        """The present moment, in epoch seconds."""

    async def send(self, request: Request) -> Reply:
        """Send without authentication."""


class _NotJson(Exception):
    """A token endpoint that answered something else: asked again, a few times."""


def oauth2(reply: Reply, now: float) -> tuple[str, int] | None:
    """Token and seconds it lives, from an OAuth2 reply."""
    del now
    token, lasting = reply.find("access_token"), reply.find("expires_in")
    return (token, _seconds(lasting)) if isinstance(token, str) and token else None


def expiring_jwt(*path: str) -> Callable[[Reply, float], tuple[str, int] | None]:
    """Reads a JWT at that path of a reply; how long it lives is what it says itself, its signature unlooked at."""

    def read(reply: Reply, now: float) -> tuple[str, int] | None:
        token = reply.find(*path)
        if not isinstance(token, str):
            return None
        try:
            padded = token.split(".")[1] + "=="
            expiry = orjson.loads(urlsafe_b64decode(padded))["exp"]
        except (IndexError, ValueError, KeyError, TypeError):
            return None
        return token, _seconds(expiry) - int(now)

    return read


@dataclass(frozen=True)
class Key:
    """Credentials that never change, sent with each data call in its headers or in its query; values name settings."""

    in_headers: Mapping[str, str] = field(default_factory=dict)
    in_query: Mapping[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> tuple[str, ...]:
        """The credentials it needs."""
        return (*self.in_headers.values(), *self.in_query.values())

    async def headers(self, access: Access) -> Mapping[str, str]:
        """The headers that carry credentials."""
        return {name: access.secret(setting) for name, setting in self.in_headers.items()}

    def signed(self, request: Request, access: Access) -> Request:
        """The call, with the parameters that carry credentials before its own."""
        return request.after({name: access.secret(setting) for name, setting in self.in_query.items()})

    async def renew(self, access: Access, refused: Mapping[str, str]) -> Mapping[str, str] | None:
        """A key that is refused stays refused."""
        del access, refused
        return None


@dataclass(frozen=True)
class Login:
    """A token asked with credentials: `fields` are sent as they are, each value of `secrets` names a setting.

    They are sent as a form, or as JSON; `order` names all of them as the provider wants them, by default the fields,
    then the secrets. `basic` are the settings of a name and a password that travel in the `Authorization` header
    instead. `read` finds the token in the reply, with the seconds it lives. `renewed_on` are the statuses of a data
    call at which the token is dropped and asked again, once. `refused_on` are the statuses of a login that mean that
    its credentials are not accepted (006). `account` tells apart the tokens of several logins to one provider.
    """

    secrets: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    as_json: bool = False
    basic: tuple[str, str] | None = None
    read: Callable[[Reply, float], tuple[str, int] | None] = oauth2
    renewed_on: tuple[int, ...] = ()
    refused_on: tuple[int, ...] = ()
    account: str = ""
    header: Callable[[str], Mapping[str, str]] = lambda token: {"authorization": f"Bearer {token}"}

    @property
    def settings(self) -> tuple[str, ...]:
        """The credentials it needs."""
        return (*self.secrets.values(), *(self.basic or ()))

    def signed(self, request: Request, access: Access) -> Request:
        """The call as it is: the token travels in a header."""
        del access
        return request

    async def headers(self, access: Access) -> Mapping[str, str]:
        """The header that carries the token."""
        known = await self.known(access)
        if known is not None:
            return known
        token = await access.vault.once(self._name(access), lambda: self._login(access, retried=(_NotJson,)))
        return self.header(token.decode())

    async def known(self, access: Access) -> Mapping[str, str] | None:
        """The same, where a token is kept; None where it takes a login."""
        token = await access.vault.get(self._name(access))
        return self.header(token.decode()) if token is not None else None

    async def renew(self, access: Access, refused: Mapping[str, str]) -> Mapping[str, str] | None:
        """A token that another caller has got since, else a new one, for which several logins are tried."""
        value = next(iter(refused.values())).removeprefix("Bearer ").encode()
        try:
            token = await access.vault.once(
                self._name(access), lambda: self._login(access, retried=(_NotJson, ProviderFailed)), other_than=value
            )
        except ProviderFailed:
            return None
        return self.header(token.decode())

    def _name(self, access: Access) -> str:
        return f"access:{access.provider.slug}:{self.account}{access.provider.token_url}"

    async def _login(self, access: Access, *, retried: tuple[type[Exception], ...]) -> tuple[bytes, int]:
        request = self._request(access)
        try:
            async for attempt in stamina.retry_context(
                on=retried, attempts=LOGIN_ATTEMPTS, wait_initial=PAUSE_SECONDS, wait_max=PAUSE_SECONDS, wait_jitter=0
            ):
                with attempt:
                    return self._token(await access.send(request), access.now())
        except _NotJson:
            raise Failure.UNKNOWN.because() from None
        raise AssertionError("a retry context ends by a return or an exception")

    def _request(self, access: Access) -> Request:
        told = {**self.fields, **{name: access.secret(setting) for name, setting in self.secrets.items()}}
        ordered = {name: told[name] for name in self.order or told}
        headers = {}
        if self.as_json:
            headers["accept"] = "application/json"
        if self.basic is not None:
            pair = ":".join(access.secret(setting) for setting in self.basic)
            headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        how: Mapping[str, Any] = {"json" if self.as_json else "form": ordered or None}
        return Request(method="POST", path=access.provider.token_url, headers=headers, **how)

    def _token(self, reply: Reply, now: float) -> tuple[bytes, int]:
        for rule in COMMON:
            if failed := rule.judge(reply):
                raise failed
        if reply.status in self.refused_on:
            raise Failure.AUTHENTICATION.because()
        if not reply.is_json:
            raise _NotJson
        found = self.read(reply, now)
        if found is None:
            raise Failure.UNKNOWN.because()
        return found[0].encode(), max(0, found[1] - MARGIN_SECONDS)


def _seconds(lasting: Any) -> int:
    try:
        return int(lasting)
    except (TypeError, ValueError, OverflowError):
        return 0
