"""Qualifelec: the body that qualifies electrical companies.

It says, by SIRET, which valid certificates an establishment holds, with their classification and insurances.
"""

from providers.base import Adapter, Ping, Retriever
from providers.qualifelec.certificats import QUALIFELEC, certificats_v3

ADAPTER = Adapter(
    slug="qualifelec",
    title="Qualifelec",
    endpoints=(certificats_v3,),
    pings=(
        Ping(
            path="qualifelec/certificats",
            name="Qualifelec - Certificats",
            provider=QUALIFELEC,
            driver=Retriever(endpoint=certificats_v3, identifiers={"siret": "42054064300376"}),
            minutes=1,
        ),
    ),
)
