"""The providers, one folder each. This list is the only place that names them all."""

from providers import (
    banque_de_france,
    cibtp,
    cma_rnm,
    cnetp,
    conventions_collectives,
    data_subvention,
    dgfip,
    djepva,
    douanes,
    fntp,
    gip_mds,
    inpi_rne,
    insee,
    opqibi,
    qualibat,
    qualifelec,
    rna,
    urssaf,
    vies,
)
from providers.base import Adapter, Endpoint

ADAPTERS: tuple[Adapter, ...] = (
    banque_de_france.ADAPTER,
    cibtp.ADAPTER,
    cma_rnm.ADAPTER,
    cnetp.ADAPTER,
    conventions_collectives.ADAPTER,
    data_subvention.ADAPTER,
    dgfip.ADAPTER,
    djepva.ADAPTER,
    douanes.ADAPTER,
    fntp.ADAPTER,
    gip_mds.ADAPTER,
    inpi_rne.ADAPTER,
    insee.ADAPTER,
    opqibi.ADAPTER,
    qualibat.ADAPTER,
    qualifelec.ADAPTER,
    rna.ADAPTER,
    urssaf.ADAPTER,
    vies.ADAPTER,
)

ENDPOINTS: tuple[Endpoint, ...] = tuple(endpoint for adapter in ADAPTERS for endpoint in adapter.endpoints)
