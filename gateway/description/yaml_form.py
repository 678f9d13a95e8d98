"""The document as YAML, which readers of versions 1.1 and 1.2 understand alike."""

from typing import Any

import yaml

_MAY_BE_A_NUMBER = frozenset("0123456789+-.")


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes texts that stay texts, and nothing by reference."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  PyYAML's signature
        """Some readers refuse aliases, which may be used to exhaust their memory."""
        return True


def _text(dumper: Any, text: str) -> yaml.ScalarNode:
    """Version 1.2 reads `00429` as a number where 1.1, which PyYAML writes, reads a text: such texts are quoted."""
    style = "|" if "\n" in text else "'" if text[:1] in _MAY_BE_A_NUMBER else None
    node: yaml.ScalarNode = dumper.represent_scalar("tag:yaml.org,2002:str", text, style)
    return node


_Dumper.add_representer(str, _text)


def as_yaml(document: dict[str, Any]) -> bytes:
    """The document, its keys in their order."""
    written: bytes = yaml.dump(
        document, Dumper=_Dumper, encoding="utf-8", allow_unicode=True, sort_keys=False, width=120
    )
    return written
