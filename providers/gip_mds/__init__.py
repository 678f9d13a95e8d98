"""GIP-MDS: the body that gathers the social declarations of employers (DSN).

It tells how many people a company or a place of business employs, in the general scheme and in the agricultural one.
"""

from providers.base import Adapter, Ping, Retriever
from providers.gip_mds.effectifs import effectifs_annuels_v3, effectifs_mensuels_v3
from providers.gip_mds.rcd import RCD

ADAPTER = Adapter(
    slug="gip_mds",
    title="GIP-MDS",
    endpoints=(effectifs_annuels_v3, effectifs_mensuels_v3),
    pings=(
        Ping(
            path="gip_mds/effectifs",
            name="GIP-MDS - Effectifs",
            provider=RCD,
            driver=Retriever(endpoint=effectifs_annuels_v3, identifiers={"siren": "552032534", "year": "2024"}),
            minutes=10,
        ),
    ),
)
