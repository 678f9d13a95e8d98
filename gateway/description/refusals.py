"""The refusals and failures an operation may answer, by status, with examples as the renderer of errors writes them.

Each is shown under the media type with which it is sent. `application/json` is declared beside the vendor's one
everywhere: it is what the official document declares, and what clients generated from it look under.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.description.components import OF_ALL, OF_DATA, OF_QUOTA, Components, Json, headers
from gateway.documents import STORAGE
from gateway.errors import JSON, VENDOR_JSON, Refusal, Refused, provider_failure
from providers.base import Endpoint, Failure, Kind, Parameter, Provider, ProviderFailed
from providers.base.upstream import NETWORK

MEDIA_TYPES = (VENDOR_JSON.decode(), JSON.decode())

DESCRIPTIONS = {
    400: "La requête ne peut pas être lue.",
    401: "Le jeton manque, ou n'est pas valide.",
    403: "Le jeton ne donne pas ce droit, ou l'appel vient d'une adresse qui n'est pas admise.",
    404: "Le fournisseur ne connaît pas cette entité, ou elle n'entre pas dans le périmètre de cette API.",
    409: "Un appel identique est en cours. Ce n'est pas une absence : attendez sa réponse.",
    422: "Un paramètre manque, ou ne peut pas être lu.",
    429: "La limite d'appels par minute est atteinte. Ce n'est pas une absence : attendez.",
    451: "La loi interdit de communiquer cette entité à quiconque.",
    500: "La passerelle a rencontré une erreur inattendue.",
    502: "Le fournisseur de données a échoué, ou sa réponse n'a pas pu être lue.",
    503: "Le fournisseur de données est en maintenance, ou la passerelle est momentanément indisponible.",
    504: "Le fournisseur de données n'a pas répondu à temps.",
}
OTHER = "Le fournisseur de données a échoué."

MAINTENANCE_SECONDS = 1800
"""The time left in the example of a maintenance."""


@dataclass(frozen=True, slots=True)
class Example:
    """An error as a caller reads it, and with which media type it is sent."""

    status: int
    codes: tuple[str, ...]
    media_type: str
    value: Mapping[str, Any]

    @property
    def as_json(self) -> Json:
        """The example object of the document."""
        first = self.value["errors"][0]
        return {"summary": f"{' · '.join(self.codes)} {first['title']}", "value": self.value}


def of_gateway(*refused: Refused, media: bytes = JSON) -> Example:
    """A refusal of the gateway, for one reason or several."""
    return _of_refusal(Refusal.of(*refused), media)


def of_format(parameter: Parameter) -> Example:
    """A parameter that cannot be read."""
    source = parameter.format.source if parameter.format.source is not None else parameter.name
    return _of_refusal(Refusal.of_formats([(parameter.format, source)]), VENDOR_JSON)


def of_provider(kind: Kind, provider: Provider, **meta: Any) -> Example:
    """A failure of a provider."""
    status, code, body = provider_failure(ProviderFailed(kind, meta), provider.code, provider.name)
    return Example(status, (code,), VENDOR_JSON.decode(), orjson.loads(body))


def _of_refusal(refusal: Refusal, media: bytes) -> Example:
    return Example(refusal.status, refusal.codes, media.decode(), orjson.loads(refusal.body()))


OF_TOKEN = tuple(of_gateway(one) for one in (Refused.TOKEN, Refused.EXPIRED, Refused.REVOKED))
OF_RIGHTS = (of_gateway(Refused.SCOPE), of_gateway(Refused.ADDRESS))
OF_TRACE = (
    *(of_gateway(one) for one in (Refused.CONTEXT, Refused.RECIPIENT, Refused.OBJECT)),
    of_gateway(Refused.CONTEXT, Refused.RECIPIENT, Refused.OBJECT),
    of_gateway(Refused.RECIPIENT_SIRET),
)

SHARED: Mapping[int, tuple[str, tuple[Example, ...]]] = {
    400: ("RequeteMalFormee", (of_gateway(Refused.MALFORMED), of_gateway(Refused.MALFORMED, media=VENDOR_JSON))),
    401: ("JetonRefuse", OF_TOKEN),
    403: ("DroitRefuse", OF_RIGHTS),
    409: ("AppelEnCours", (of_gateway(Refused.CONFLICT),)),
    429: ("LimiteAtteinte", (of_gateway(Refused.QUOTA),)),
    500: ("ErreurInterne", (of_gateway(Refused.DEFECT),)),
}
"""The responses that are the same for all operations, unless a provider adds to them."""


def responses(endpoint: Endpoint, components: Components) -> dict[str, Json]:
    """All that an endpoint may answer but its data."""
    by_status: defaultdict[int, list[Example]] = defaultdict(list)
    for example in _examples(endpoint):
        if example not in by_status[example.status]:
            by_status[example.status].append(example)
    return {str(status): response(status, by_status[status], components) for status in sorted(by_status)}


def response(status: int, examples: Iterable[Example], components: Components) -> Json:
    """A response, or a reference to the one that all operations share."""
    told = tuple(examples)
    built: Json = {
        "description": DESCRIPTIONS.get(status, OTHER),
        "headers": headers(*_headers(status, told)),
        "content": _content(told, components),
    }
    name, shared = SHARED.get(status, ("", ()))
    return components.response(name, built) if told == shared else built


def _examples(endpoint: Endpoint) -> Iterator[Example]:
    for _, shared in SHARED.values():
        yield from (one for one in shared if endpoint.scopes or Refused.SCOPE.value.code not in one.codes)
    yield from OF_TRACE
    yield from (of_format(parameter) for parameter in endpoint.all_parameters)
    provider = endpoint.provider
    yield from (of_provider(kind, provider) for kind in _kinds(endpoint))
    yield of_gateway(Refused.UNAVAILABLE)
    yield of_provider(Failure.MAINTENANCE, provider, retry_in=MAINTENANCE_SECONDS)


def _kinds(endpoint: Endpoint) -> list[Kind]:
    """The failures that its rules tell, then those of any call. What a mapping raises by itself is not known here."""
    kinds = [rule.kind for rule in (*endpoint.failures, *endpoint.common)]
    kinds += [Failure.TIMEOUT, Failure.UNAVAILABLE, Failure.DNS, Failure.CERTIFICATE, NETWORK, Failure.UNKNOWN]
    if not any(kind.status == 404 for kind in kinds):
        kinds.append(Failure.NOT_FOUND)
    if endpoint.legal_block and not any(kind.status == 451 for kind in kinds):
        kinds.append(Failure.LEGAL)
    if endpoint.provider.needs:
        kinds.append(Failure.AUTHENTICATION)
    if endpoint.document is not None:
        kinds += [Failure.FILE_EMPTY, Failure.FILE_TYPE, STORAGE]
    return sorted(dict.fromkeys(kinds), key=lambda kind: (kind.nobodys, kind.code))


def _headers(status: int, examples: tuple[Example, ...]) -> tuple[str, ...]:
    names = OF_ALL if status == 500 else (*OF_ALL, *OF_QUOTA)
    if status == 429:
        return (*names, "Retry-After")
    return (*names, *OF_DATA) if any(one.media_type == VENDOR_JSON.decode() for one in examples) else names


def _content(examples: tuple[Example, ...], components: Components) -> Json:
    """The media types really sent, and `application/json`."""
    content: Json = {}
    for media_type in MEDIA_TYPES:
        told = [example for example in examples if example.media_type == media_type]
        if told or media_type == JSON.decode():
            content[media_type] = {"schema": {"$ref": "#/components/schemas/Error"}}
        if told:
            content[media_type]["examples"] = dict(components.example(one.codes, one.as_json) for one in told)
    return content
