"""DGFIP: the tax administration, through its service ADELIE.

It holds turnover, tax returns and capital links, and delivers certificates of tax compliance.
"""

from providers.base import Adapter
from providers.dgfip.chiffres_affaires import chiffres_affaires_v3

ADAPTER = Adapter(
    slug="dgfip",
    title="DGFIP",
    endpoints=(chiffres_affaires_v3,),
)
