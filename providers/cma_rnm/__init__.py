"""CMA France: the chambers of trades, and their former register of craftsmen (RNM)."""

from providers.base import Adapter
from providers.cma_rnm.entreprises_artisanales import entreprises_artisanales_v3

ADAPTER = Adapter(slug="cma_rnm", title="CMA France", endpoints=(entreprises_artisanales_v3,))
