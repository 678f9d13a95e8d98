"""The operations that no endpoint declares: the rights of a token, and the health of providers."""

from gateway.description.components import OF_ALL, OF_QUOTA, Components, Json, headers
from gateway.description.operations import SECURITY, code_sample
from gateway.description.refusals import OF_TOKEN, SHARED, of_gateway, response
from gateway.errors import JSON, Refused

TAG = "Passerelle"

_MEDIA = JSON.decode()


def pages(base: str, components: Components) -> dict[str, Json]:
    """By path."""
    return {
        "/ping/{provider}/{source}": {"get": _ping(base)},
        "/pings": {"get": _pings(base)},
        "/privileges": {"get": _privileges(base, components)},
    }


def _privileges(base: str, components: Components) -> Json:
    """Its 200 has an example and no schema: the contract gives it none, and a new field would be a new version."""
    granted = {
        "description": "Les droits du jeton.",
        "headers": headers(*OF_ALL, *OF_QUOTA),
        "content": {_MEDIA: {"example": {"data": {"privileges": ["entreprises", "etablissements"]}}}},
        "x-operationId": "api_entreprise_privileges",
    }
    never = {
        "description": "Annoncée par le contrat ; cette ressource n'a pas de paramètre, et ne la donne pas.",
        "headers": headers(*OF_ALL),
        "content": {_MEDIA: {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    refusals = {
        401: OF_TOKEN,
        403: (of_gateway(Refused.ADDRESS),),
        409: SHARED[409][1],
        429: SHARED[429][1],
        500: SHARED[500][1],
        503: (of_gateway(Refused.UNAVAILABLE),),
    }
    told = {str(status): response(status, examples, components) for status, examples in refusals.items()}
    return {
        "operationId": "api_entreprise_privileges",
        "summary": "Droits du jeton",
        "description": "Liste les droits du jeton avec lequel l'appel est fait. L'appel n'exige aucun droit, et "
        "ne compte dans aucune limite, sauf celle qui est propre à votre habilitation.",
        "tags": [TAG],
        "security": SECURITY,
        "responses": dict(sorted({"200": granted, "422": never, **told}.items())),
        "x-codeSamples": [code_sample(f"{base}/privileges")],
    }


def _ping(base: str) -> Json:
    told = {"headers": headers(*OF_ALL), "content": {_MEDIA: {"schema": {"$ref": "#/components/schemas/Ping"}}}}
    return {
        "operationId": "api_entreprise_ping_provider",
        "summary": "État d'un fournisseur de données",
        "description": "Répond toujours en moins d'une seconde : si le fournisseur tarde, avec le dernier état établi. "
        "Préférez-le aux appels de données pour surveiller un fournisseur. Les valeurs admises sont celles que donne "
        "`/pings`.",
        "tags": [TAG],
        "security": [],
        "parameters": [
            _segment("provider", "Fournisseur de données.", "insee"),
            _segment("source", "Ressource ou service de ce fournisseur.", "sirene"),
            {
                "name": "detail",
                "in": "query",
                "description": "La valeur `true` fait nommer `maintenance` une maintenance annoncée, qui sinon est "
                "`unknown`. Toute autre valeur est sans effet.",
                "schema": {"type": "string"},
                "example": "true",
            },
        ],
        "responses": {
            "200": {"description": "Le fournisseur répond, est en maintenance, ou son état n'est pas connu.", **told},
            "404": {
                "description": "Aucun fournisseur n'est surveillé sous ce nom.",
                "headers": headers(*OF_ALL),
                "content": {_MEDIA: {"schema": {"type": "object"}, "example": {}}},
            },
            "502": {"description": "Le fournisseur est en panne, ou met plus de cinq secondes à répondre.", **told},
        },
        "x-codeSamples": [code_sample(f"{base}/ping/insee/sirene", token=False)],
    }


def _pings(base: str) -> Json:
    schema = {"type": "array", "items": {"$ref": "#/components/schemas/PingAddress"}}
    return {
        "operationId": "api_entreprise_pings",
        "summary": "Fournisseurs de données surveillés",
        "description": "Liste les adresses où lire l'état de chaque fournisseur de données.",
        "tags": [TAG],
        "security": [],
        "responses": {
            "200": {
                "description": "Les adresses.",
                "headers": headers(*OF_ALL),
                "content": {_MEDIA: {"schema": schema}},
            },
        },
        "x-codeSamples": [code_sample(f"{base}/pings", token=False)],
    }


def _segment(name: str, description: str, example: str) -> Json:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string"},
        "example": example,
    }
