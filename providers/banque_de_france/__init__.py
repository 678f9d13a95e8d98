"""Banque de France: the central bank, which rates companies by the accounts they hand to it.

It gives a company's last three balance sheets, and the ratios it draws from them.
"""

from providers.banque_de_france.bilans import BANQUE_DE_FRANCE, bilans_v3
from providers.base import Adapter, Ping, Retriever

ADAPTER = Adapter(
    slug="banque_de_france",
    title="Banque de France",
    endpoints=(bilans_v3,),
    pings=(
        Ping(
            path="banque_de_france/bilans",
            name="Banque de France - Bilans",
            provider=BANQUE_DE_FRANCE,
            driver=Retriever(endpoint=bilans_v3, identifiers={"siren": "418166096"}),
            minutes=10,
        ),
    ),
)
