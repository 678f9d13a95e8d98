"""ProBTP: the pension scheme of the building trades, in metropolitan France.

It says whether a company may have a certificate that it has paid its contributions, and delivers it as a PDF.
"""

from providers.base import Adapter, Ping, RecentTraffic
from providers.probtp.cotisations_retraite import (
    PROBTP,
    attestation_cotisations_retraite_v3,
    conformite_cotisations_retraite_v3,
)

ADAPTER = Adapter(
    slug="probtp",
    title="ProBTP",
    endpoints=(attestation_cotisations_retraite_v3, conformite_cotisations_retraite_v3),
    pings=(
        Ping(
            path="probtp/cotisations_retraite",
            name="PROBTP - Cotisations retraite",
            provider=PROBTP,
            driver=RecentTraffic(
                endpoints=(conformite_cotisations_retraite_v3, attestation_cotisations_retraite_v3),
                ignored=frozenset({401, 403, 404, 422}),
            ),
            minutes=10,
        ),
    ),
)
