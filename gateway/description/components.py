"""What operations share: parameters of the trace, headers, the envelope of errors, and examples kept once each."""

from collections.abc import Mapping
from typing import Any

from gateway.errors import Refused

Json = dict[str, Any]

SCHEME = "jwt_bearer_token"
"""The official name: clients generated from the official document configure it so."""

RECIPIENT = "13002526500013"
"""SIRET of DINUM, as an example of a public body."""

TRACE_EXAMPLES = {
    "context": "Instruction d'une demande de subvention",
    "object": "Dossier 2026-0127",
    "recipient": RECIPIENT,
}


def _query(name: str, description: str, schema: Json) -> Json:
    return {
        "name": name,
        "in": "query",
        "required": True,
        "description": description,
        "schema": schema,
        "example": TRACE_EXAMPLES[name],
    }


PARAMETERS: Mapping[str, Json] = {
    "context": _query(
        "context",
        "Cadre dans lequel vous demandez ces données : marchés publics, aides publiques, tenue d'un référentiel… Il "
        "est conservé dans la trace de l'appel.",
        {"type": "string", "minLength": 1},
    ),
    "object": _query(
        "object",
        "Raison de l'appel, ou numéro du dossier qui le motive, tel que vous le retrouverez s'il vous est demandé d'en "
        "justifier. Une cinquantaine de caractères suffit.",
        {"type": "string", "minLength": 1},
    ),
    "recipient": _query(
        "recipient",
        "SIRET de l'organisme public auquel les données sont destinées. Un éditeur indique celui de son client.",
        {"type": "string", "pattern": "^[0-9]{14}$"},
    ),
    "Cache-Control": {
        "name": "Cache-Control",
        "in": "header",
        "description": "La valeur `no-cache` fait interroger le fournisseur de données, même si une réponse récente "
        "est conservée. Toute autre valeur est sans effet.",
        "schema": {"type": "string"},
        "example": "no-cache",
    },
}

TRACE = ("context", "object", "recipient")


def _header(description: str, schema: Json, example: Any, *, required: bool = False) -> Json:
    told: Json = {"description": description, "required": True} if required else {"description": description}
    return {**told, "schema": schema, "example": example}


_COUNT = {"type": "integer", "minimum": 0}

HEADERS: Mapping[str, Json] = {
    "RateLimit-Limit": _header("Nombre d'appels permis à ce jeton, par minute.", _COUNT, 250),
    "RateLimit-Remaining": _header("Nombre d'appels encore permis avant la fin de la minute en cours.", _COUNT, 247),
    "RateLimit-Reset": _header("Fin de la minute en cours, en secondes depuis 1970.", _COUNT, 1772442060),
    "Retry-After": _header("Nombre de secondes à attendre avant de renouveler l'appel.", _COUNT, 42),
    "X-Request-Id": _header(
        "Identifiant de l'appel, à citer dans toute demande d'assistance : l'UUID que vous avez transmis sous ce même "
        "nom, ou celui que la passerelle a tiré.",
        {"type": "string", "format": "uuid"},
        "5c1f0d6e-9f1b-4c47-9a53-0c8d1f3b7a20",
        required=True,
    ),
    "X-Response-Cached": _header(
        "Vrai si la réponse était déjà connue de la passerelle, et n'a pas été demandée au fournisseur.",
        {"type": "boolean"},
        False,
    ),
    "X-Cache-Expires-in": _header(
        "Nombre de secondes pendant lesquelles la réponse connue sera encore servie ; vide si elle vient d'être "
        "obtenue.",
        {"type": "string", "pattern": "^[0-9]*$"},
        "",
    ),
    "Cache-Status": _header(
        "Ce que la passerelle a fait de ses réponses conservées, au format de la RFC 9211.",
        {"type": "string"},
        "Octroi; hit; ttl=1800",
    ),
}

OF_ALL = ("X-Request-Id",)
OF_QUOTA = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
OF_DATA = ("X-Response-Cached", "X-Cache-Expires-in", "Cache-Status")

SCHEMAS: Mapping[str, Json] = {
    "Error": {
        "type": "object",
        "description": "Un refus ou un échec : une erreur ou plusieurs, qui ont le même statut HTTP.",
        "properties": {
            "errors": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/ErrorItem"}},
        },
        "required": ["errors"],
    },
    "ErrorItem": {
        "type": "object",
        "properties": {
            "code": {
                "type": "string",
                "pattern": "^[0-9]{5}$",
                "description": "Code stable, sur cinq chiffres : deux pour le fournisseur (00 pour la passerelle), "
                "puis trois pour l'erreur.",
                "examples": [Refused.TOKEN.value.code],
            },
            "title": {"type": "string", "description": "Nature de l'erreur."},
            "detail": {"type": "string", "description": "Ce qui s'est passé, et ce que vous pouvez y faire."},
            "source": {
                "type": "object",
                "description": "Ce qui, dans la requête, a causé l'erreur. Absent si rien ne peut être désigné.",
                "properties": {
                    "parameter": {"type": "string", "description": "Nom du paramètre en cause."},
                    "header": {"type": "string", "description": "Nom de l'en-tête en cause."},
                },
            },
            "meta": {
                "type": "object",
                "description": "Compléments propres à l'erreur ; peut être vide.",
                "properties": {
                    "provider": {"type": "string", "description": "Nom du fournisseur de données."},
                    "retry_in": {
                        "type": "integer",
                        "description": "Nombre de secondes après lequel un nouvel appel a des chances d'aboutir.",
                    },
                },
                "additionalProperties": True,
            },
        },
        "required": ["code", "title", "detail", "meta"],
    },
    "Ping": {
        "type": "object",
        "description": "État d'un fournisseur de données.",
        "properties": {
            "status": {
                "type": "string",
                "enum": ["ok", "unknown", "maintenance", "bad_gateway"],
                "description": "`unknown` : rien de récent ne permet d'en juger, ou le fournisseur est en maintenance "
                "jusqu'à `until`. `maintenance` n'est dit qu'à ceux qui demandent `detail=true`.",
            },
            "until": {"type": "string", "format": "date-time", "description": "Fin prévue de la maintenance."},
            "last_update": {"type": "string", "format": "date-time", "description": "Moment où l'état a été établi."},
            "last_ok_status": {
                "type": "string",
                "format": "date-time",
                "description": "Dernier moment où l'état était `ok`.",
            },
        },
        "required": ["status", "last_update", "last_ok_status"],
    },
    "PingAddress": {
        "type": "object",
        "description": "Où lire l'état d'un fournisseur de données.",
        "properties": {
            "name": {"type": "string", "description": "Nom du fournisseur et de sa ressource."},
            "url": {"type": "string", "format": "uri", "description": "Adresse où lire son état."},
        },
        "required": ["name", "url"],
    },
}

SECURITY_SCHEME: Json = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "Jeton remis avec votre habilitation, à transmettre dans l'en-tête `Authorization: Bearer …`, ou à "
    "défaut dans l'en-tête `X-Api-Key`. Ne le placez jamais dans l'adresse d'une page ni dans un courriel.",
}


def headers(*names: str) -> Json:
    """The headers of a response, by reference."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


class Components:
    """The shared parts of a document, as they are collected from its operations."""

    def __init__(self) -> None:
        """The fixed ones."""
        self._schemas: Json = dict(SCHEMAS)
        self._examples: Json = {}
        self._responses: Json = {}

    def add_schemas(self, schemas: Mapping[str, Json]) -> None:
        """Schemas of one operation. Raises ValueError where a name is taken."""
        for name, schema in schemas.items():
            if self._schemas.setdefault(name, schema) is not schema:
                raise ValueError(f"two schemas named {name}")

    def response(self, name: str, response: Json) -> Json:
        """A reference to a response that several operations share."""
        self._responses[name] = response
        return {"$ref": f"#/components/responses/{name}"}

    def example(self, codes: tuple[str, ...], example: Json) -> tuple[str, Json]:
        """The name of an example and a reference to it; two wordings of the same codes are told apart by a rank."""
        base = "Erreur" + "-".join(codes)
        name, rank = base, 1
        while self._examples.setdefault(name, example) != example:
            rank += 1
            name = f"{base}.{rank}"
        return name, {"$ref": f"#/components/examples/{name}"}

    def document(self) -> Json:
        """All of them, sorted by name."""
        return {
            "schemas": dict(sorted(self._schemas.items())),
            "parameters": dict(sorted(PARAMETERS.items())),
            "headers": dict(sorted(HEADERS.items())),
            "responses": dict(sorted(self._responses.items())),
            "examples": dict(sorted(self._examples.items())),
            "securitySchemes": {SCHEME: SECURITY_SCHEME},
        }
