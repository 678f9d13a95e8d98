"""An endpoint as an operation of the document: its parameters, its answers, and its rules told in French."""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from config.settings import MaintenanceWindow
from gateway.description.answers import answer_name, answer_schemas
from gateway.description.components import (
    OF_ALL,
    OF_DATA,
    OF_QUOTA,
    SCHEME,
    TRACE,
    TRACE_EXAMPLES,
    Components,
    Json,
    headers,
)
from gateway.description.refusals import MEDIA_TYPES, responses
from providers.base import DOCUMENT_SECONDS, Endpoint, Parameter

SECURITY: list[dict[str, list[str]]] = [{SCHEME: []}]

_DAYS = {
    "monday": "lundi",
    "tuesday": "mardi",
    "wednesday": "mercredi",
    "thursday": "jeudi",
    "friday": "vendredi",
    "saturday": "samedi",
    "sunday": "dimanche",
}


def operation(endpoint: Endpoint, successor: Endpoint | None, base: str, components: Components) -> Json:
    """The operation. `successor` is the newest version of a deprecated endpoint."""
    components.add_schemas(answer_schemas(endpoint))
    told: Json = {
        "operationId": endpoint.operation_id,
        "summary": endpoint.title,
        "description": description(endpoint, successor),
        "tags": [endpoint.tag],
        "security": SECURITY,
        "parameters": _parameters(endpoint),
        "responses": {"200": _granted(endpoint), **responses(endpoint, components)},
        "x-codeSamples": [
            code_sample(base + _example_path(endpoint) + "?" + urlencode(TRACE_EXAMPLES, quote_via=quote))
        ],
    }
    if endpoint.deprecated:
        told["deprecated"] = True
    return told


def successors(endpoints: Sequence[Endpoint]) -> dict[str, Endpoint]:
    """By operation id of a deprecated endpoint, the newest version of the same resource that is not."""
    current = {
        _resource(endpoint): endpoint for endpoint in sorted(endpoints, key=_version_number) if not endpoint.deprecated
    }
    return {
        endpoint.operation_id: current[_resource(endpoint)]
        for endpoint in endpoints
        if endpoint.deprecated and _resource(endpoint) in current
    }


def code_sample(url: str, *, token: bool = True) -> Json:
    """The call as a command line."""
    source = f'curl --header "Authorization: Bearer $TOKEN" \\\n  "{url}"' if token else f'curl "{url}"'
    return {"lang": "cURL", "label": "Ligne de commande", "source": source}


def description(endpoint: Endpoint, successor: Endpoint | None) -> str:
    """What the endpoint gives, to whom, how often and how fresh."""
    told = [endpoint.description, *_rules(endpoint)]
    if endpoint.deprecated:
        instead = f" : utilisez `{successor.path}`" if successor is not None else ""
        told.insert(1, f"**Version dépréciée**{instead}.")
    return "\n\n".join(told)


def _rules(endpoint: Endpoint) -> Iterable[str]:
    scopes = " ou ".join(f"`{scope}`" for scope in sorted(endpoint.scopes))
    yield f"**Droit** : {scopes}." if scopes else "**Droit** : aucun en particulier, tout jeton valide suffit."
    quota = endpoint.quota
    counted = (
        f"communs aux API du groupe `{quota.name}`" if quota.shared else "propres à cette API, versions confondues"
    )
    yield (
        f"**Limite** : {quota.limit} appels par minute et par jeton, {counted} ; l'en-tête `RateLimit-Limit` donne la "
        "limite en vigueur."
    )
    if endpoint.cache is None:
        yield "**Cache** : aucun, le fournisseur de données est interrogé à chaque appel."
    else:
        yield f"**Cache** : {endpoint.cache.says} ; l'en-tête `Cache-Control: no-cache` l'évite."
    if endpoint.document is not None:
        hours = DOCUMENT_SECONDS // 3600
        yield f"**Document** : le lien donné permet de le télécharger, sans jeton, pendant {hours} h."
    if endpoint.provider.maintenance:
        windows = ", ".join(_window(window) for window in endpoint.provider.maintenance)
        yield f"**Maintenance du fournisseur** : {windows} (heure de Paris)."


def _window(window: MaintenanceWindow) -> str:
    if window.dates:
        days = "les " + ", ".join(window.dates) + " "
    elif window.weekday:
        days = f"le {_DAYS[window.weekday]} "
    else:
        days = "chaque jour "
    return f"{days}de {window.start:%H:%M} à {window.end:%H:%M}"


def _parameters(endpoint: Endpoint) -> list[Json]:
    told = [_parameter(parameter) for parameter in endpoint.all_parameters]
    shared = TRACE if endpoint.cache is None else (*TRACE, "Cache-Control")
    return told + [{"$ref": f"#/components/parameters/{name}"} for name in shared]


def _parameter(parameter: Parameter) -> Json:
    told: Json = {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.where == "path" or parameter.required,
        "description": f"{parameter.title}. {parameter.format.detail}",
        "schema": dict(parameter.schema),
    }
    if parameter.example is not None:
        told["example"] = parameter.example
    return told


def _granted(endpoint: Endpoint) -> Json:
    schema = {"$ref": f"#/components/schemas/{answer_name(endpoint)}"}
    return {
        "description": f"{endpoint.title} : les données demandées.",
        "headers": headers(*OF_ALL, *OF_QUOTA, *OF_DATA),
        "content": {media_type: {"schema": schema} for media_type in MEDIA_TYPES},
        "x-operationId": endpoint.operation_id,
    }


def _example_path(endpoint: Endpoint) -> str:
    """The path, with the examples of its parameters; one without an example is left to the shell."""
    path = endpoint.path
    for parameter in endpoint.all_parameters:
        value: Any = parameter.example
        path = path.replace(f"{{{parameter.name}}}", f"${parameter.name}" if value is None else quote(str(value)))
    return path


def _resource(endpoint: Endpoint) -> str:
    return endpoint.path.split("/", 2)[2]


def _version_number(endpoint: Endpoint) -> int:
    return int(endpoint.version.removeprefix("v"))
