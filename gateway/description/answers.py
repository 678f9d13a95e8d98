"""The 200 bodies, as schemas that generators of clients can use: flat, under names that are an operation's own.

A name is made of the operation and of the class, such as `InseeEtablissementsV4Adresse`. A version of an endpoint never
changes, so that what is generated from it need not change either, whatever other versions and endpoints become.
"""

import re
from collections.abc import Iterable
from typing import Any

from providers.base import Endpoint

Schema = dict[str, Any]

_OPERATION = re.compile(r"api_entreprise_(v\d+)_(\w+)")
_NULL = {"type": "null"}
_OF_THE_CODE = ("title", "description")
_STOPS = (".", "?", "!", "…")


def answer_name(endpoint: Endpoint) -> str:
    """What the names of an operation begin with, and that of its answer: `DgfipChiffresAffairesV3`."""
    found = _OPERATION.fullmatch(endpoint.operation_id)
    version, rest = found.groups() if found else (endpoint.version, endpoint.operation_id)
    return _joined(rest) + version.upper()


def answer_schemas(endpoint: Endpoint) -> dict[str, Schema]:
    """The answer's schema and those it is made of, by name; each refers to the others as components."""
    root: Schema = endpoint.answer_model.model_json_schema(mode="serialization", ref_template="{model}")
    definitions: dict[str, Schema] = root.pop("$defs", {})
    names = _names(endpoint, (key for key, schema in definitions.items() if not _is_empty(schema)), _item_of(root))
    rewrite = _Rewrite(names)
    return {
        answer_name(endpoint): rewrite.model(root),
        **{name: rewrite.model(definitions[key]) for key, name in names.items()},
    }


def _item_of(root: Schema) -> str | None:
    """The definition of a collection's items, which are envelopes too."""
    reference: str | None = root["properties"]["data"].get("items", {}).get("$ref")
    return reference


def _is_empty(schema: Schema) -> bool:
    """Links or meta of which the contract says nothing: they are written in place."""
    return schema.get("type") == "object" and not schema.get("properties")


def _names(endpoint: Endpoint, keys: Iterable[str], item: str | None) -> dict[str, str]:
    """By pydantic's key, the first name that is free."""
    names: dict[str, str] = {}
    for key in sorted(keys):
        choices = ("Item",) if key == item else _choices(key, endpoint.version.upper())
        wanted = (answer_name(endpoint) + choice for choice in (*choices, _joined(key)))
        names[key] = next(name for name in wanted if name not in names.values())
    return names


def _choices(key: str, version: str) -> tuple[str, ...]:
    """The class's name, after its module's where two have the same one: pydantic's key then tells the module."""
    *modules, own = key.split("__")
    name = re.sub(r"\W|_", "", own)
    return (_joined(modules[-1]) + name,) if modules else (name.removesuffix(version), name)


def _joined(words: str) -> str:
    return "".join(word.capitalize() for word in words.split("_"))


class _Rewrite:
    """What pydantic wrote, for readers who know neither pydantic nor English."""

    def __init__(self, names: dict[str, str]) -> None:
        """`names` of the definitions; one that has none is empty."""
        self._names = names

    def model(self, schema: Schema) -> Schema:
        """A class, whose own name and docstring are the code's."""
        rewritten: Schema = self._node({key: value for key, value in schema.items() if key not in _OF_THE_CODE})
        return rewritten

    def _node(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._node(part) for part in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return self._reference(node)
        if "properties" in node:
            # A field may be called as a keyword is: they are not walked as one.
            fields = {name: _told(name, self._node(field)) for name, field in node["properties"].items()}
            return {**node, "properties": fields}
        return _nullable({key: value if key == "examples" else self._node(value) for key, value in node.items()})

    def _reference(self, node: Schema) -> Schema:
        key, beside = node["$ref"], {name: value for name, value in node.items() if name != "$ref"}
        if key not in self._names:
            return {"type": "object", **beside}
        reference = {"$ref": f"#/components/schemas/{self._names[key]}"}
        # Many generators read nothing beside a `$ref`.
        return {"allOf": [reference], **beside} if beside else reference


def _told(name: str, field: Schema) -> Schema:
    """A field's title at the head of its description: generators make names of titles, which are French sentences."""
    kept = {key: value for key, value in field.items() if key not in _OF_THE_CODE}
    title = field.get("title", "")
    texts = [] if title in ("", _title_of_pydantic(name)) else [title if title.endswith(_STOPS) else f"{title}."]
    texts += [field["description"]] if "description" in field else []
    return {"description": " ".join(texts), **kept} if texts else kept


def _title_of_pydantic(name: str) -> str:
    """What pydantic gives as the title of a field that has none: it says no more than the name."""
    return name.replace("_", " ").title()


def _nullable(node: Schema) -> Schema:
    """`anyOf` a simple type and null, written as a list of types; a reference or null stays as it is."""
    arms = node.get("anyOf", [])
    if len(arms) != 2 or arms[1] != _NULL or not isinstance(arms[0].get("type"), str) or "const" in arms[0]:
        return node
    merged = {**arms[0], **{key: value for key, value in node.items() if key != "anyOf"}}
    merged["type"] = [arms[0]["type"], "null"]
    if "enum" in merged:
        merged["enum"] = [*merged["enum"], None]
    return merged
