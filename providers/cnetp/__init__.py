"""CNETP: the fund that pays the holidays of public works companies' employees, and their days lost to bad weather.

It certifies, as a PDF, that a company has paid its contributions.
"""

from providers.base import Adapter, Ping, Retriever
from providers.cnetp.attestation_cotisations import CNETP, attestation_cotisations_v3

ADAPTER = Adapter(
    slug="cnetp",
    title="CNETP",
    endpoints=(attestation_cotisations_v3,),
    pings=(
        Ping(
            path="cnetp/attestation_cotisations_conges_payes_chomage_intemperies",
            name="CNETP - Attestations cotisations congés payés",
            provider=CNETP,
            driver=Retriever(endpoint=attestation_cotisations_v3, identifiers={"siren": "352745749"}),
            minutes=5,
        ),
    ),
)
