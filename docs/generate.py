"""Writes the generated pages of the reference: `python -m docs.generate`; with `--check`, tells which are stale."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from config.settings import PREFIX, ProviderSettings, Settings
from gateway.errors import Refused
from providers import ADAPTERS, ENDPOINTS
from providers.base.failures import COMMON_KINDS
from providers.base.parameters import Format, Formats

FOLDER = Path(__file__).parent / "reference"


def settings() -> str:
    """Every setting."""
    rows = ["| setting | default | meaning |", "| --- | --- | --- |", *_settings(Settings.model_fields, PREFIX)]
    rows += _settings(ProviderSettings.model_fields, f"{PREFIX}PROVIDERS__<SLUG>__")
    return "\n".join(
        [
            "# Settings",
            "",
            "From the environment, or from the TOML file that `OCTROI_CONFIG` names (nested tables, lower case); the",
            "environment wins. An unknown key is an error. `octroi config check` tells every problem at once.",
            "",
            *rows,
            "",
        ]
    )


def _settings(fields: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, field in fields.items():
        variable = f"{prefix}{name.upper()}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _settings(field.annotation.model_fields, f"{variable}__")
            continue
        default = field.get_default(call_default_factory=True)
        shown = "" if default in (None, PydanticUndefined, (), {}) else f"`{_plain(default)}`"
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        yield f"| `{variable}` | {shown} | {meaning} |"


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def errors() -> str:
    """Every code."""
    lines = ["# Erreurs", "", "## Refus de la passerelle", "", *_head()]
    rows = {refused.value.code: refused.value for refused in Refused}
    formats = {rule.code: rule for rule in vars(Formats).values() if isinstance(rule, Format)}
    for code in sorted({*rows, *formats}):
        if code in rows:
            lines.append(f"| `{code}` | {rows[code].status} | {rows[code].title} | {rows[code].detail} |")
        else:
            lines.append(f"| `{code}` | 422 | Paramètre non valide | {formats[code].detail} |")
    lines += ["", "## Échecs des fournisseurs", "", "`XX` sont les deux chiffres du fournisseur, donnés plus bas.", ""]
    lines += _head()
    for kind in COMMON_KINDS:
        code = f"00{kind.code}" if kind.nobodys else f"XX{kind.code}"
        lines.append(f"| `{code}` | {kind.status} | {kind.title} | {kind.detail} |")
    lines += ["", "| `XX` | fournisseur |", "| --- | --- |"]
    names = {(provider.code, provider.name) for adapter in ADAPTERS for provider in adapter.providers}
    lines += [f"| `{code}` | {name} |" for code, name in sorted(names)]
    return "\n".join([*lines, ""])


def _head() -> list[str]:
    return ["| code | HTTP | titre | explication |", "| --- | --- | --- | --- |"]


def operations() -> str:
    """Every operation."""
    lines = [
        "# Opérations",
        "",
        "| chemin | droits | groupe (appels par minute) | cache |",
        "| --- | --- | --- | --- |",
    ]
    for endpoint in sorted(ENDPOINTS, key=lambda one: one.path):
        scopes = ", ".join(f"`{scope}`" for scope in sorted(endpoint.scopes)) or "tout jeton"
        cache = endpoint.cache.says if endpoint.cache else "aucun"
        deprecated = " (dépréciée)" if endpoint.deprecated else ""
        lines.append(
            f"| `{endpoint.path}`{deprecated} | {scopes} | {endpoint.quota.name} ({endpoint.quota.limit}) | {cache} |"
        )
    return "\n".join([*lines, ""])


PAGES = {"settings.md": settings, "erreurs.md": errors, "operations.md": operations}


def stale() -> list[str]:
    """Names of the pages that are not what they should be."""
    return [name for name, page in PAGES.items() if _read(FOLDER / name) != page()]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def main() -> int:
    """Write the pages, or tell which are stale."""
    if "--check" in sys.argv:
        names = stale()
        for name in names:
            sys.stderr.write(f"docs/reference/{name} is stale: run `make docs`\n")
        return bool(names)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
