"""The providers, one folder each. This list is the only place that names them all."""

from providers import cma_rnm, conventions_collectives, dgfip, douanes, insee, opqibi, urssaf, vies
from providers.base import Adapter, Endpoint

ADAPTERS: tuple[Adapter, ...] = (
    cma_rnm.ADAPTER,
    conventions_collectives.ADAPTER,
    dgfip.ADAPTER,
    douanes.ADAPTER,
    insee.ADAPTER,
    opqibi.ADAPTER,
    urssaf.ADAPTER,
    vies.ADAPTER,
)

ENDPOINTS: tuple[Endpoint, ...] = tuple(endpoint for adapter in ADAPTERS for endpoint in adapter.endpoints)
