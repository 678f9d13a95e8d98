"""INPI's two accounts: one is drawn for each call, and the other stands in where its login is refused."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import structlog

from providers.base import Failure, Login, ProviderFailed, Request
from providers.base.access import Access, expiring_jwt

log = structlog.get_logger()

REST_SECONDS = 300
"""An account whose login is refused is left alone that long, then tried again: nobody has to reset it."""


def _account(prefix: str) -> Login:
    return Login(
        secrets={"username": f"{prefix}username", "password": f"{prefix}password"},
        as_json=True,
        read=expiring_jwt("token"),
        refused_on=(401,),
        account=prefix,
    )


@dataclass(frozen=True)
class EitherAccount:
    """Lets in by one of two accounts; the second need not be configured."""

    main: Login
    fallback: Login
    renewed_on: tuple[int, ...] = (401,)

    @property
    def settings(self) -> tuple[str, ...]:
        """The credentials it cannot do without."""
        return self.main.settings

    def signed(self, request: Request, access: Access) -> Request:
        """The call as it is: the token travels in a header."""
        return self.main.signed(request, access)

    async def headers(self, access: Access) -> Mapping[str, str]:
        """The header that carries a token. Raises ProviderFailed: 020 where no account is let in."""
        for login in self._drawn(access):
            if (known := await login.known(access)) is not None:
                return known
            if await access.vault.get(_flag(access, login)) is not None:
                continue
            for setting in login.settings:
                access.secret(setting)  # 006 where it is not told, which is nobody's refusal
            try:
                return await login.headers(access)
            except ProviderFailed as failed:
                if failed.kind.code != Failure.AUTHENTICATION.code:
                    raise
                await self._rest(access, login)
        raise Failure.MAINTENANCE.because()

    async def renew(self, access: Access, refused: Mapping[str, str]) -> Mapping[str, str] | None:
        """A token other than the one that was refused, from either account."""
        for login in self._drawn(access):
            renewed = await login.renew(access, refused)
            if renewed is not None:
                return renewed
        return None

    def _drawn(self, access: Access) -> Iterator[Login]:
        """The accounts that are configured, in an order drawn anew; the first where none is."""
        configured = [login for login in (self.main, self.fallback) if _is_configured(access, login)]
        if len(configured) == 2 and secrets.randbelow(2):
            configured.reverse()
        yield from configured or [self.main]

    @staticmethod
    async def _rest(access: Access, login: Login) -> None:
        log.warning("provider_account_refused", provider=access.provider.slug, setting=login.settings[0])

        async def flag() -> tuple[bytes, int]:
            return b"refused", REST_SECONDS

        await access.vault.once(_flag(access, login), flag)


def _is_configured(access: Access, login: Login) -> bool:
    return all(getattr(access.settings, setting) is not None for setting in login.settings)


def _flag(access: Access, login: Login) -> str:
    return f"refused:{access.provider.slug}:{login.settings[0]}"


ACCOUNTS = EitherAccount(main=_account(""), fallback=_account("fallback_"))
