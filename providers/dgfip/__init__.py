"""DGFIP: the tax administration, through its service ADELIE.

It holds turnover, tax returns and capital links, and delivers certificates of tax compliance.
"""

from providers.base import Adapter, Endpoint, Get, HealthThenRatio, Ping
from providers.dgfip.adelie import ADELIE, OPERATIONS
from providers.dgfip.attestation_fiscale import attestation_fiscale_v3, attestation_fiscale_v4
from providers.dgfip.chiffres_affaires import chiffres_affaires_v3
from providers.dgfip.liasses_fiscales import liasses_fiscales_v3
from providers.dgfip.liens_capitalistiques import liens_capitalistiques_v3

HEALTH = Get(f"{OPERATIONS}/etatSante")


def _ping(path: str, name: str, *endpoints: Endpoint) -> Ping:
    driver = HealthThenRatio(request=HEALTH, endpoints=endpoints)
    return Ping(path=path, name=name, provider=ADELIE, driver=driver, minutes=5)


ADAPTER = Adapter(
    slug="dgfip",
    title="DGFIP",
    endpoints=(
        attestation_fiscale_v3,
        attestation_fiscale_v4,
        chiffres_affaires_v3,
        liasses_fiscales_v3,
        liens_capitalistiques_v3,
    ),
    pings=(
        _ping(
            "dgfip/attestation_fiscale", "DGFIP - Attestations fiscales", attestation_fiscale_v3, attestation_fiscale_v4
        ),
        _ping("dgfip/chiffre_affaires", "DGFIP - Chiffre affaires", chiffres_affaires_v3),
        _ping("dgfip/liasses_fiscales", "DGFIP - Liasses fiscales", liasses_fiscales_v3),
    ),
)
