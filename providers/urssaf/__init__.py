"""URSSAF: the collector of social contributions, which its central body (ACOSS) represents.

It delivers, or refuses, the certificate that a company is up to date with them: the attestation de vigilance.
"""

from providers.base import Adapter, Ping, RecentTraffic
from providers.urssaf.attestation_vigilance import attestation_vigilance_v3, attestation_vigilance_v4
from providers.urssaf.attn import ATTN

ADAPTER = Adapter(
    slug="urssaf",
    title="URSSAF",
    endpoints=(attestation_vigilance_v3, attestation_vigilance_v4),
    pings=(
        Ping(
            path="urssaf/attestation_sociale",
            name="URSSAF - Attestations sociales",
            provider=ATTN,
            driver=RecentTraffic(endpoints=(attestation_vigilance_v3, attestation_vigilance_v4)),
            minutes=5,
        ),
    ),
)
