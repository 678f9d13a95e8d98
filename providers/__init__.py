"""The providers, one folder each. This list is the only place that names them all."""

from providers import dgfip, insee, opqibi, urssaf
from providers.base import Adapter, Endpoint

ADAPTERS: tuple[Adapter, ...] = (
    dgfip.ADAPTER,
    insee.ADAPTER,
    opqibi.ADAPTER,
    urssaf.ADAPTER,
)

ENDPOINTS: tuple[Endpoint, ...] = tuple(endpoint for adapter in ADAPTERS for endpoint in adapter.endpoints)
