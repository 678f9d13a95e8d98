"""What assistants may read of some tools: a page of Markdown, made of the endpoint's declaration and of its advice."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.mcp.tools import PATTERNS, Offer

DEEPEST = 3
"""Levels of members that are listed; what is deeper is told by the OpenAPI description."""


def address(offer: Offer) -> str:
    """The URI of a guide."""
    return f"tool://api-entreprise/{offer.tool.name.replace('.', '_')}/documentation"


def title(offer: Offer) -> str:
    """What a list of guides shows."""
    return f"Documentation de {offer.tool.name}"


def guide(offer: Offer) -> str:
    """The page."""
    endpoint = offer.endpoint
    lines = [f"# {offer.tool.name} : {endpoint.title}", "", endpoint.description, "", "## Arguments", ""]
    lines += [f"- `{one.name}` : {one.title}, de la forme `{PATTERNS[one.name]}`." for one in offer.arguments]
    lines += ["", "## Conseils", offer.tool.advice, "## Réponse", ""]
    lines += ["Un texte JSON. Un membre dont rien n'est connu est nul.", "", *_members(offer)]
    lines += ["", "En cas d'échec, le texte est une liste d'erreurs : `code`, `title`, `detail`.", ""]
    return "\n".join(lines)


def _members(offer: Offer) -> Iterator[str]:
    schema = offer.endpoint.answer_model.model_json_schema(mode="serialization")
    definitions = schema.get("$defs", {})
    data = _resolved(schema["properties"]["data"], definitions)
    if data.get("type") == "array":
        yield "C'est une liste ; de chacun de ses éléments :"
        yield ""
        item = _resolved(data["items"], definitions)
        data = _resolved(item["properties"]["data"], definitions)
    yield from _listed(data, definitions, 0)


def _listed(model: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> Iterator[str]:
    for name, member in model.get("properties", {}).items():
        told = ". ".join(text.rstrip(".") for text in (member.get("title"), member.get("description")) if text)
        yield f"{'  ' * depth}- `{name}` : {told}."
        if depth + 1 < DEEPEST:
            yield from _listed(_resolved(member, definitions), definitions, depth + 1)


def _resolved(member: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """The model that a member holds, by itself, in a list, or where it is not null."""
    if "$ref" in member:
        found: Mapping[str, Any] = definitions[member["$ref"].rpartition("/")[2]]
        return found
    if "anyOf" in member:
        return _resolved(next(one for one in member["anyOf"] if one.get("type") != "null"), definitions)
    if member.get("type") == "array" and "items" in member and "$ref" in member["items"] and "title" in member:
        return _resolved(member["items"], definitions)
    return member
