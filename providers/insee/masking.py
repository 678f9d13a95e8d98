"""What open data keep to themselves of entities that asked INSEE not to spread their personal data (decision 0101)."""

from providers.base import Failure, Kind
from providers.insee.conversions import TypePersonne

MASKED = "[ND]"
"""Stands for a value that is not to be spread, whether there is one or not."""


def check_may_be_shown(statut: str | None, not_found: Kind) -> None:
    """Open data do not know an entity whose data go nowhere. Raises ProviderFailed (003)."""
    if statut == "N":
        raise not_found.because()


def check_person_is_known(person: TypePersonne | None) -> None:
    """Which values are personal depends on who they are about. Raises ProviderFailed (999)."""
    if person is None:
        raise Failure.UNKNOWN.because()
