"""Fabrique numérique des ministères sociaux: which collective agreements an establishment applies, by its SIRET."""

from providers.base import Adapter, Ping, Retriever
from providers.conventions_collectives.conventions_collectives import FABRIQUE, conventions_collectives_v3

ADAPTER = Adapter(
    slug="conventions_collectives",
    title="Fabrique numérique des ministères sociaux",
    endpoints=(conventions_collectives_v3,),
    pings=(
        Ping(
            path="fabrique_numerique_ministeres_sociaux/conventions_collectives",
            name="Fabrique Numérique des Ministères Sociaux - Conventions collectives",
            provider=FABRIQUE,
            driver=Retriever(endpoint=conventions_collectives_v3, identifiers={"siret": "89337342300019"}),
            minutes=1,
        ),
    ),
)
