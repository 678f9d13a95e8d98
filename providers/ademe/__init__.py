"""ADEME: the agency for ecological transition, which publishes who holds an RGE certificate.

RGE (reconnu garant de l'environnement) is what a company must be for works that the State helps to pay.
"""

from providers.ademe.certification_rge import ADEME, certification_rge_v3
from providers.base import Adapter, Ping, Retriever

ADAPTER = Adapter(
    slug="ademe",
    title="ADEME",
    endpoints=(certification_rge_v3,),
    pings=(
        Ping(
            path="ademe/certification_rge",
            name="ADEME - Certifications RGE",
            provider=ADEME,
            driver=Retriever(endpoint=certification_rge_v3, identifiers={"siret": "50530961700049"}),
            minutes=2,
        ),
    ),
)
