"""Qualibat: the body that qualifies and certifies building companies.

It delivers certificates as PDFs, in which v4 also reads what they say.
"""

from providers.base import Adapter, Ping, RecentTraffic
from providers.qualibat.certification_batiment import QUALIBAT, certification_batiment_v3, certification_batiment_v4

ADAPTER = Adapter(
    slug="qualibat",
    title="Qualibat",
    endpoints=(certification_batiment_v3, certification_batiment_v4),
    pings=(
        Ping(
            path="qualibat/certifications",
            name="Qualibat - Certificats",
            provider=QUALIBAT,
            driver=RecentTraffic(
                endpoints=(certification_batiment_v3, certification_batiment_v4),
                ignored=frozenset({401, 403, 404, 422}),
            ),
            minutes=10,
        ),
    ),
)
