"""CIBTP: the network of funds that pay the holidays of building companies' employees.

It certifies, as a PDF, that a company has paid its contributions. The funds overseas are not part of it.
"""

from providers.base import Adapter, Ping, RecentTraffic
from providers.cibtp.attestation_cotisations import CIBTP, attestation_cotisations_v3

ADAPTER = Adapter(
    slug="cibtp",
    title="CIBTP",
    endpoints=(attestation_cotisations_v3,),
    pings=(
        Ping(
            path="cibtp/attestation_cotisations_conges_payes_chomage_intemperies",
            name="CIBTP - Attestations cotisations congés payés",
            provider=CIBTP,
            driver=RecentTraffic(endpoints=(attestation_cotisations_v3,), ignored=frozenset({401, 403, 404, 422})),
            minutes=10,
        ),
    ),
)
