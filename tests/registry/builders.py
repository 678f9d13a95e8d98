"""Small makers of what a registry holds; the companies are fictitious."""

from typing import Any

from gateway.registry.rules import Terms
from gateway.registry.state import TokenState
from gateway.registry.store import Store, Token

SIRET = "99950000200012"


def some_terms(**changes: Any) -> Terms:
    """An ordinary habilitation."""
    return Terms(**({"siret": SIRET, "intitule": "Marchés publics", "scopes": ("entreprises",)} | changes))


async def a_token(store: Store, **terms: Any) -> tuple[Token, TokenState]:
    """A client's token, with a habilitation of its own."""
    habilitation = await store.create_habilitation(some_terms(**terms))
    token, [state] = await store.issue_token(habilitation.id)
    return token, state
