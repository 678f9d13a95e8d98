"""The whole document: what a caller needs to know before the first call, then every operation."""

from collections.abc import Sequence
from typing import Any

from gateway.description.components import Components
from gateway.description.operations import SECURITY, operation, successors
from gateway.description.pages import TAG, pages
from providers.base import Endpoint

OPENAPI = "3.1.0"

INTRODUCTION = """\
Octroi donne accès aux données que les administrations détiennent sur les entreprises et les associations, selon le
contrat public d'API Entreprise. Les appels se font de serveur à serveur.

**Jeton.** Chaque appel porte le jeton de votre habilitation, dans l'en-tête `Authorization: Bearer …`. Ses droits sont
donnés par `/privileges`.

**Trace.** Chaque appel de données indique son cadre (`context`), sa raison (`object`) et l'organisme destinataire
(`recipient`). Ces paramètres sont obligatoires et conservés. Un paramètre inconnu est ignoré.

**Réponses.** Toute ressource a trois clés : `data`, `links` et `meta`. Dans une liste, chaque élément a les mêmes. Une
donnée inconnue est nulle ; sa clé n'est jamais omise. Les données, et les erreurs qui les concernent, sont du type
`application/vnd.api+json` ; les refus de la passerelle sont du type `application/json`. Les deux sont du JSON.

**Erreurs.** Une erreur a un code stable sur cinq chiffres, un titre et une explication. Seuls les statuts 404 et 451
parlent de l'entité demandée : un 409 ou un 429 ne dit rien de son existence.

**Limites.** Le nombre d'appels par minute est limité, par jeton. Les en-têtes `RateLimit-Limit`, `RateLimit-Remaining`
et `RateLimit-Reset` en donnent l'état. Après un 429, attendez la durée que donne `Retry-After` : une adresse IP qui
persiste n'obtient plus aucune réponse pendant douze heures.

**Versions.** La version d'une ressource est dans son chemin. Tout changement d'une réponse, même un champ de plus, est
une nouvelle version ; la précédente reste servie, dépréciée.
"""


def describe(endpoints: Sequence[Endpoint], *, base: str, version: str) -> dict[str, Any]:
    """The OpenAPI document of these endpoints. `base` is the public address, without a final slash.

    Whatever their order, the same endpoints give the same document; it is to be made once, and kept.
    """
    components = Components()
    newer = successors(endpoints)
    paths = pages(base, components)
    for endpoint in sorted(endpoints, key=lambda endpoint: endpoint.path):
        if endpoint.path in paths:
            raise ValueError(f"two endpoints at {endpoint.path}")
        paths[endpoint.path] = {"get": operation(endpoint, newer.get(endpoint.operation_id), base, components)}
    tags = sorted({endpoint.tag for endpoint in endpoints})
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "Octroi",
            "version": version,
            "summary": "Les données des administrations sur les entreprises et les associations.",
            "description": INTRODUCTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": base, "description": "Cette passerelle."}],
        "tags": [{"name": name} for name in (*tags, TAG)],
        "security": SECURITY,
        "paths": dict(sorted(paths.items())),
        "components": components.document(),
    }
