"""The contract to the letter, where its letter is no valid schema: see docs/decisions/0006-type-date.md.

A field that the official document types otherwise than JSON Schema allows carries `x-contract-type`; one that it names
otherwise than the official service does carries `x-contract-name`. The document that
clients generate from keeps the valid type; the one by which the distance to the contract is measured repeats the
official one, under `application/json`, the media type that the official document declares and that no answer bears.
"""

from copy import deepcopy
from typing import Any

Json = dict[str, Any]

TYPE = "x-contract-type"
NAME = "x-contract-name"


def to_the_letter(document: Json) -> Json:
    """The document, with official types in the `application/json` body of each operation that has some."""
    lettered = deepcopy(document)
    for path in lettered["paths"].values():
        for operation in path.values():
            content = operation["responses"].get("200", {}).get("content", {})
            if "application/json" in content and "schema" in content["application/json"]:
                whole = _inlined(content["application/json"]["schema"], document)
                if _has_mark(whole):
                    others = {name: told for name, told in content.items() if name != "application/json"}
                    content.clear()
                    content.update({"application/json": {"schema": _lettered(whole)}, **others})
    return lettered


def _inlined(node: Any, document: Json) -> Any:
    if isinstance(node, list):
        return [_inlined(part, document) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return _inlined(target, document)
    return {name: _inlined(value, document) for name, value in node.items()}


def _has_mark(node: Any) -> bool:
    if isinstance(node, dict):
        return TYPE in node or NAME in node or any(_has_mark(value) for value in node.values())
    return isinstance(node, list) and any(_has_mark(part) for part in node)


def _lettered(node: Any) -> Any:
    if isinstance(node, list):
        return [_lettered(part) for part in node]
    if not isinstance(node, dict):
        return node
    told = {name: _lettered(value) for name, value in node.items()}
    if isinstance(told.get(TYPE), str):
        told["type"] = told.pop(TYPE)
    if isinstance(told.get("properties"), dict):
        fields = told["properties"]
        told["properties"] = {_official(name, field): field for name, field in fields.items()}
        if "required" in told:
            told["required"] = [_official(name, fields.get(name)) for name in told["required"]]
    return told


def _official(name: str, field: Any) -> str:
    return str(field.get(NAME, name)) if isinstance(field, dict) else name
