"""The service on associations, under the name of the department in charge of them."""

from providers.api_association.service import ask, connection
from providers.base import PERIMETER

API_ASSOCIATION = connection(slug="djepva", code="29", name="DJEPVA")
PARAMETER = "siren_or_rna"

QUESTION = ask(PARAMETER)

FORMER_HOME = "/v4/ministere_interieur/api-association/associations"
"""Where both resources also answer, for callers who knew the service by its ministry."""

NOT_FOUND = f"Aucune information n'est connue pour ce SIREN ou ce numéro RNA, ou il n'existe pas. {PERIMETER}"
