"""Sièges sociaux: the establishment that is head office of a legal unit, by SIREN."""

from config.quotas import JSON_RESOURCES
from providers.base import Cache, Call, Endpoint
from providers.insee import wire
from providers.insee.etablissements import (
    EtablissementResponseV3,
    EtablissementResponseV4,
    answer_v3,
    answer_v4,
    open_answer_v3,
    open_answer_v4,
)
from providers.insee.sirene import OWN_ERROR, SEVERAL_SIEGES, SIEGE_NOT_FOUND, SIRENE, STILL_REFUSED, ask_siege_social

# How one becomes the other. The contract promises of a head office what it promises of any establishment.


def normalise_v3(sent: wire.EtablissementsSent, call: Call) -> EtablissementResponseV3:
    """All that Sirene says."""
    return answer_v3(_only(sent), call)


def normalise_v4(sent: wire.EtablissementsSent, call: Call) -> EtablissementResponseV4:
    """All that Sirene says."""
    return answer_v4(_only(sent), call)


def normalise_diffusible_v3(sent: wire.EtablissementsSent, call: Call) -> EtablissementResponseV3:
    """What open data may show."""
    return open_answer_v3(_only(sent), call, SIEGE_NOT_FOUND)


def normalise_diffusible_v4(sent: wire.EtablissementsSent, call: Call) -> EtablissementResponseV4:
    """What open data may show."""
    return open_answer_v4(_only(sent), call, SIEGE_NOT_FOUND)


def _only(sent: wire.EtablissementsSent) -> wire.Etablissement:
    if not sent.etablissements:
        raise SIEGE_NOT_FOUND.because()
    if len(sent.etablissements) > 1:
        raise SEVERAL_SIEGES.because()
    return sent.etablissements[0]


# The rules.

_DESCRIPTION = (
    "Ce que le répertoire Sirene sait du siège social d'une unité légale, {extent}."
    " L'activité principale est donnée en {nomenclature}."
)
_ALL = "données protégées des sièges en diffusion partielle comprises"
_OPEN = "limité à ce qui est public"
_FORMER, _RECENT = "NAF révision 2", "NAF 2025 et en NAF révision 2"
_TAG_V4 = "Informations generales"
"""The contract spells it so in these two operations, and the names in generated clients follow from it."""

sieges_v3 = Endpoint(
    operation_id="api_entreprise_v3_insee_sieges_unites_legales",
    path="/v3/insee/sirene/unites_legales/{siren}/siege_social",
    title="Siège social",
    description=_DESCRIPTION.format(extent=_ALL, nomenclature=_FORMER),
    tag="Informations générales",
    scopes=frozenset({"etablissements", "unites_legales_etablissements_insee"}),
    quota=JSON_RESOURCES,
    cache=Cache.during(hours=1),
    provider=SIRENE,
    request=ask_siege_social,
    wire=wire.EtablissementsSent,
    failures=(SIEGE_NOT_FOUND.when(status=404), STILL_REFUSED, OWN_ERROR),
    normalise=normalise_v3,
    deprecated=True,
)

sieges_v4 = sieges_v3.but(
    operation_id="api_entreprise_v4_insee_sieges_unites_legales",
    path="/v4/insee/sirene/unites_legales/{siren}/siege_social",
    description=_DESCRIPTION.format(extent=_ALL, nomenclature=_RECENT),
    tag=_TAG_V4,
    normalise=normalise_v4,
    deprecated=False,
)

sieges_diffusables_v3 = sieges_v3.but(
    operation_id="api_entreprise_v3_insee_sieges_diffusables_unites_legales",
    path="/v3/insee/sirene/unites_legales/diffusibles/{siren}/siege_social",
    title="Siège social en données ouvertes",
    description=_DESCRIPTION.format(extent=_OPEN, nomenclature=_FORMER),
    scopes=frozenset({"etablissements", "open_data"}),
    normalise=normalise_diffusible_v3,
)

sieges_diffusables_v4 = sieges_diffusables_v3.but(
    operation_id="api_entreprise_v4_insee_sieges_diffusables_unites_legales",
    path="/v4/insee/sirene/unites_legales/diffusibles/{siren}/siege_social",
    description=_DESCRIPTION.format(extent=_OPEN, nomenclature=_RECENT),
    tag=_TAG_V4,
    normalise=normalise_diffusible_v4,
    deprecated=False,
)
