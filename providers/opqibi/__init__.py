"""OPQIBI: the body that qualifies engineering firms.

It says, by SIREN, which certificate a firm holds and for which engineering services.
"""

from providers.base import Adapter, Ping, Retriever
from providers.opqibi.certification_ingenierie import OPQIBI, certification_ingenierie_v3

ADAPTER = Adapter(
    slug="opqibi",
    title="OPQIBI",
    endpoints=(certification_ingenierie_v3,),
    pings=(
        Ping(
            path="opqibi/certification_ingenierie",
            name="OPQIBI - Certification ingénierie",
            provider=OPQIBI,
            driver=Retriever(endpoint=certification_ingenierie_v3, identifiers={"siren": "309103877"}),
            minutes=5,
        ),
    ),
)
