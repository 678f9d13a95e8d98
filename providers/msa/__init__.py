"""MSA: the social security of farming, forestry, fish farming and the trades around them.

It says whether an establishment of its scheme is up to date with its contributions.
"""

from providers.base import Adapter, Ping, Retriever
from providers.msa.conformite_cotisations import MSA, conformite_cotisations_v3

ADAPTER = Adapter(
    slug="msa",
    title="MSA",
    endpoints=(conformite_cotisations_v3,),
    pings=(
        Ping(
            path="msa/conformite_cotisations",
            name="MSA - Conformité cotisations",
            provider=MSA,
            driver=Retriever(endpoint=conformite_cotisations_v3, identifiers={"siret": "95086311800010"}),
            minutes=2,
        ),
    ),
)
