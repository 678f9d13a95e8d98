"""DJEPVA: the department in charge of associations, which publishes all that the State knows of one.

The register of associations, Sirene and the account that the association keeps with the administration are told
together: whole to those who may see protected data, and without people and documents to all.
"""

from providers.base import Adapter, Ping, Retriever
from providers.djepva.associations import associations_open_data_v4, associations_v4
from providers.djepva.service import API_ASSOCIATION, PARAMETER

ADAPTER = Adapter(
    slug="djepva",
    title="DJEPVA",
    endpoints=(associations_v4, associations_open_data_v4),
    pings=(
        Ping(
            path="djepva/api-association",
            name="DJEPVA - API Association",
            provider=API_ASSOCIATION,
            driver=Retriever(endpoint=associations_v4, identifiers={PARAMETER: "W131015526"}),
            minutes=5,
        ),
    ),
    document_hosts=("associations.gouv.fr",),
)
"""Documents of associations' accounts are kept on the host named last."""
