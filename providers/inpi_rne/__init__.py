"""INPI: the industrial property institute, which keeps the national register of companies (RNE).

It tells who a company is, who directs it and who owns it in the end, and gives what it has filed: deeds and accounts.
"""

from providers.base import Adapter, Endpoint, Ping, Retriever
from providers.inpi_rne.actes_bilans import actes_bilans_v3
from providers.inpi_rne.beneficiaires_effectifs import beneficiaires_effectifs_open_data_v3, beneficiaires_effectifs_v3
from providers.inpi_rne.documents import DEFERRED
from providers.inpi_rne.extrait_rne import extrait_rne_v3
from providers.inpi_rne.rne import RNE


def _ping(path: str, name: str, endpoint: Endpoint, siren: str) -> Ping:
    driver = Retriever(endpoint=endpoint, identifiers={"siren": siren})
    return Ping(path=path, name=name, provider=RNE, driver=driver, minutes=2)


ADAPTER = Adapter(
    slug="inpi_rne",
    title="INPI - RNE",
    endpoints=(actes_bilans_v3, beneficiaires_effectifs_v3, beneficiaires_effectifs_open_data_v3, extrait_rne_v3),
    pings=(
        _ping("inpi/rne", "INPI - RNE", beneficiaires_effectifs_v3, "900225095"),
        _ping("inpi/rne/actes_bilans", "INPI - RNE - Actes Bilans", actes_bilans_v3, "542065479"),
    ),
    deferred=DEFERRED,
)
