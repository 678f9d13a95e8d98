"""Infogreffe: the registries of the commercial courts, which keep the register of commerce and companies (RCS).

It tells what the register's extract says of a company, and who directs it.
"""

from providers.base import Adapter, Ping, Retriever
from providers.infogreffe.extrait_kbis import extrait_kbis_v3
from providers.infogreffe.mandataires_sociaux import mandataires_sociaux_v3
from providers.infogreffe.produits import PRODUITS

ADAPTER = Adapter(
    slug="infogreffe",
    title="Infogreffe",
    endpoints=(extrait_kbis_v3, mandataires_sociaux_v3),
    pings=(
        Ping(
            path="infogreffe/rcs",
            name="Infogreffe - RCS",
            provider=PRODUITS,
            driver=Retriever(endpoint=extrait_kbis_v3, identifiers={"siren": "831386297"}),
            minutes=2,
        ),
    ),
)
