"""`octroi config`."""

import difflib
from collections.abc import Callable, Iterator
from typing import Any

import typer

from config.clock import system_clock
from config.settings import PREFIX, ProviderSettings, Settings, WrongSettings, load
from gateway.cli.common import JSON_OPTION, show
from gateway.documents import open_store
from gateway.parts import certified_contexts
from gateway.tokens import Keys
from providers import ADAPTERS
from providers.base import Adapter
from ratelimit.url import Target, WrongRedisUrl

commands = typer.Typer(help="The settings.", no_args_is_help=True)

_NO_SETTINGS = ProviderSettings()


@commands.command()
def check(as_json: bool = JSON_OPTION) -> None:
    """Tell every problem of the settings, and what each provider lacks. Status 1 where the gateway cannot start."""
    settings = load()
    verify(settings)
    show([_state(settings, adapter) for adapter in ADAPTERS], as_json, ("provider", "ready", "missing"))
    if not as_json:
        typer.echo("The settings are sound.", err=True)


def verify(settings: Settings) -> None:
    """Look at what the settings name, before anything starts. Raises WrongSettings with every problem."""
    problems = [*unknown_providers(settings), *_wrong_urls(settings)]
    looks: tuple[Callable[[], object], ...] = (
        lambda: settings.data_dir.mkdir(parents=True, exist_ok=True),
        lambda: Keys.load(settings.jwt, settings.data_dir, system_clock),
        lambda: certified_contexts(settings.providers),
        lambda: open_store(settings.documents, settings.data_dir),
    )
    for look in looks:
        try:
            look()
        except WrongSettings as wrong:
            problems += wrong.problems
        except OSError as error:
            problems.append(f"{PREFIX}DATA_DIR: cannot use {settings.data_dir} ({error.strerror}); name another folder")
            break
    if problems:
        raise WrongSettings(problems)


def _wrong_urls(settings: Settings) -> Iterator[str]:
    if settings.redis_url is not None:
        try:
            Target.parse(settings.redis_url.get_secret_value())
        except WrongRedisUrl as reason:
            yield f"{PREFIX}REDIS_URL: {reason}"
    if settings.database_url is not None:
        scheme = settings.database_url.get_secret_value().partition("://")[0]
        if scheme not in ("postgresql", "postgres"):
            yield f"{PREFIX}DATABASE_URL: must begin with postgresql://"


def unknown_providers(settings: Settings) -> list[str]:
    """A line for each slug that no provider bears."""
    known = [adapter.slug for adapter in ADAPTERS]
    found = []
    for slug in settings.providers:
        if slug not in known:
            close = difflib.get_close_matches(slug, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
            found.append(f"{PREFIX}PROVIDERS__{slug.upper()}: unknown provider; {hint}")
    return found


def missing(settings: Settings, adapter: Adapter) -> list[str]:
    """The settings without which a provider cannot be called; under an override none is needed."""
    if settings.upstream.override is not None:
        return []
    told = settings.providers.get(adapter.slug, _NO_SETTINGS)
    names = [
        name
        for provider in adapter.providers
        for name, default in (("base_url", provider.base_url), ("token_url", provider.token_url))
        if ".example" in default
    ]
    names += [name for provider in adapter.providers for name in provider.needs]
    return [
        f"{PREFIX}PROVIDERS__{adapter.slug.upper()}__{name.upper()}"
        for name in dict.fromkeys(names)
        if getattr(told, name) is None
    ]


def _state(settings: Settings, adapter: Adapter) -> dict[str, Any]:
    lacking = missing(settings, adapter)
    return {"provider": adapter.slug, "ready": not lacking, "missing": lacking}
