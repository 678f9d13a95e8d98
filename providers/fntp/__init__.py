"""FNTP: the federation of public works companies.

It delivers a professional card, as a PDF, to those in order with their social, administrative and legal duties.
"""

from providers.base import Adapter, Ping, Retriever
from providers.fntp.carte_professionnelle import FNTP, carte_professionnelle_v3

ADAPTER = Adapter(
    slug="fntp",
    title="FNTP",
    endpoints=(carte_professionnelle_v3,),
    pings=(
        Ping(
            path="fntp/carte_professionnelle_travaux_publics",
            name="FNTP - Cartes professionelles Travaux Publics",  # as the status page spells it
            provider=FNTP,
            driver=Retriever(endpoint=carte_professionnelle_v3, identifiers={"siren": "385407184"}),
            minutes=10,
        ),
    ),
)
