"""`octroi config`."""

import difflib
import sys
from typing import Any

import typer

from config.clock import system_clock
from config.settings import PREFIX, ProviderSettings, Settings, WrongSettings, load
from gateway.cli.common import JSON_OPTION, show
from gateway.parts import certified_contexts
from gateway.tokens import Keys
from providers import ADAPTERS
from providers.base import Adapter

commands = typer.Typer(help="The settings.", no_args_is_help=True)

_NO_SETTINGS = ProviderSettings()


@commands.command()
def check(as_json: bool = JSON_OPTION) -> None:
    """Tell every problem of the settings, and what each provider lacks. Status 1 where the gateway cannot start."""
    try:
        settings = load()
        problems = unknown_providers(settings)
        Keys.load(settings.jwt, settings.data_dir, system_clock)
        certified_contexts(settings.providers)
    except WrongSettings as wrong:
        sys.exit("\n".join(wrong.problems))
    if problems:
        sys.exit("\n".join(problems))
    show([_state(settings, adapter) for adapter in ADAPTERS], as_json, ("provider", "ready", "missing"))
    if not as_json:
        typer.echo("The settings are sound.", err=True)


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
