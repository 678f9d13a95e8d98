"""VIES: the European Commission's directory of VAT numbers.

The number of a French company follows from its SIREN; VIES says whether the tax administration has given it.
"""

from providers.base import Adapter, Ping, Retriever
from providers.vies.numero_tva import VIES, numero_tva_v3

ADAPTER = Adapter(
    slug="vies",
    title="Commission européenne",
    endpoints=(numero_tva_v3,),
    pings=(
        Ping(
            path="european_commission/numero_tva",
            name="Commission Européenne - Numéro de TVA",
            provider=VIES,
            driver=Retriever(endpoint=numero_tva_v3, identifiers={"siren": "552032534"}),
            minutes=10,
        ),
    ),
)
