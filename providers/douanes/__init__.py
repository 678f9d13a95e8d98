"""Douanes: the customs administration (DGDDI), which registers under an EORI number those who trade across borders."""

from providers.base import Adapter, Ping, Retriever
from providers.douanes.immatriculations_eori import DOUANES, immatriculations_eori_v3

ADAPTER = Adapter(
    slug="douanes",
    title="Douanes",
    endpoints=(immatriculations_eori_v3,),
    pings=(
        Ping(
            path="douanes/immatriculations_eori",
            name="Douanes - Immatriculations EORI",
            provider=DOUANES,
            driver=Retriever(endpoint=immatriculations_eori_v3, identifiers={"siret_or_eori": "FR16002307300010"}),
            minutes=5,
        ),
    ),
)
