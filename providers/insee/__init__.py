"""INSEE: the national institute of statistics, which keeps Sirene, the register of companies and their establishments.

Sirene numbers every company, association and administration (SIREN), and each place where they work (SIRET). What it
tells of those who asked for it is protected: operations in open data mask it.
"""

from providers.base import Adapter, Ping, Retriever
from providers.insee.adresses import adresses_diffusables_v3, adresses_v3
from providers.insee.etablissements import (
    etablissements_diffusables_v3,
    etablissements_diffusables_v4,
    etablissements_v3,
    etablissements_v4,
)
from providers.insee.sieges import sieges_diffusables_v3, sieges_diffusables_v4, sieges_v3, sieges_v4
from providers.insee.sirene import SIRENE
from providers.insee.successions import successions_v3
from providers.insee.unites_legales import (
    unites_legales_diffusables_v3,
    unites_legales_diffusables_v4,
    unites_legales_v3,
    unites_legales_v4,
)

ADAPTER = Adapter(
    slug="insee",
    title="INSEE",
    endpoints=(
        unites_legales_v3,
        unites_legales_v4,
        unites_legales_diffusables_v3,
        unites_legales_diffusables_v4,
        etablissements_v3,
        etablissements_v4,
        etablissements_diffusables_v3,
        etablissements_diffusables_v4,
        sieges_v3,
        sieges_v4,
        sieges_diffusables_v3,
        sieges_diffusables_v4,
        adresses_v3,
        adresses_diffusables_v3,
        successions_v3,
    ),
    pings=(
        Ping(
            path="insee/sirene",
            name="INSEE - Sirene",
            provider=SIRENE,
            driver=Retriever(endpoint=etablissements_v4, identifiers={"siret": "30613890002979"}),
            minutes=2,
        ),
    ),
)
