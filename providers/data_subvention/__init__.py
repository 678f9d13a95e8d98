"""Data.Subvention: the public grants that associations asked for and were paid, gathered from several ministries."""

from providers.base import Adapter, Ping, Retriever
from providers.data_subvention.service import DATA_SUBVENTION
from providers.data_subvention.subventions import subventions_v3

ADAPTER = Adapter(
    slug="data_subvention",
    title="Data.Subvention",
    endpoints=(subventions_v3,),
    pings=(
        Ping(
            path="data_subvention/subventions",
            name="DataSubvention - Subventions",
            provider=DATA_SUBVENTION,
            driver=Retriever(endpoint=subventions_v3, identifiers={"siren_or_siret_or_rna": "780603734"}),
            minutes=5,
        ),
    ),
)
