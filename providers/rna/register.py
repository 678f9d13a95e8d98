"""The register, as the service on associations lets it be reached."""

from providers.api_association.service import ask, connection
from providers.base import PERIMETER

REGISTER = connection(slug="rna", code="21", name="MI")
PARAMETER = "siret_or_rna"

QUESTION = ask(PARAMETER)

NOT_FOUND = f"Aucune information n'est connue pour ce SIRET ou ce numéro RNA, ou il n'existe pas. {PERIMETER}"
