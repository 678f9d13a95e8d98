"""The providers, one folder each. This list is the only place that names them all."""

from providers import (
    banque_de_france,
    cibtp,
    cma_rnm,
    cnetp,
    conventions_collectives,
    data_subvention,
    dgfip,
    douanes,
    fntp,
    insee,
    opqibi,
    qualifelec,
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
    douanes.ADAPTER,
    fntp.ADAPTER,
    insee.ADAPTER,
    opqibi.ADAPTER,
    qualifelec.ADAPTER,
    urssaf.ADAPTER,
    vies.ADAPTER,
)

ENDPOINTS: tuple[Endpoint, ...] = tuple(endpoint for adapter in ADAPTERS for endpoint in adapter.endpoints)
