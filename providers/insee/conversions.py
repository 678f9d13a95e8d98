"""From Sirene's codes and dates to the words and numbers of the contract, for legal units and establishments alike."""

from collections.abc import Iterable
from datetime import date, datetime, time
from functools import lru_cache
from typing import Literal

from pydantic import Field

from config.clock import PARIS
from providers.base import Contract
from providers.insee.nomenclatures import UNLISTED, label_categorie_juridique, label_naf_2025, label_naf_rev2
from providers.insee.wire import PeriodeEtablissement, PeriodeUniteLegale

Diffusion = Literal["diffusible", "partiellement_diffusible", "non_diffusible"]
TypePersonne = Literal["personne_physique", "personne_morale"]

PERSONNE_PHYSIQUE = "1000"
"""The one legal category of natural persons."""

_DIFFUSIONS: dict[str | None, Diffusion] = {
    "O": "diffusible",
    "P": "partiellement_diffusible",
    "N": "non_diffusible",
}

_UNKNOWN_CREATION = date(1900, 1, 1)
"""What INSEE writes for a legal unit so old that nobody knows when it was created."""


class FormeJuridique(Contract):
    """A legal category and its label."""

    code: str | None = Field(
        title="Code de la catégorie juridique",
        description="Quatre chiffres de la nomenclature des catégories juridiques de l'INSEE.",
        examples=["5710"],
    )
    libelle: str = Field(
        title="Libellé de la catégorie juridique",
        description="« non référencé » lorsque la nomenclature ne contient pas le code.",
        examples=["SAS, société par actions simplifiée"],
    )


class ActivitePrincipale(Contract):
    """An activity, the nomenclature in which it is told, and its label there."""

    code: str | None = Field(
        title="Code de l'activité principale (APE)",
        description="Nul lorsque l'INSEE ne donne pas de code dans cette nomenclature.",
        examples=["62.01Z"],
    )
    nomenclature: Literal["NAFRev2", "NAF2025"] | None = Field(
        title="Nomenclature du code",
        description="« NAFRev2 » : nomenclature d'activités française, révision 2 ; « NAF2025 » : celle de 2025.",
        examples=["NAFRev2"],
    )
    libelle: str = Field(
        title="Libellé de l'activité principale",
        description="« non référencé » lorsque la nomenclature ne contient pas le code, ou que le code est nul.",
        examples=["Programmation informatique"],
    )


class TrancheEffectif(Contract):
    """A band of head-counts."""

    de: int | None = Field(
        title="Plus petit effectif de la tranche", description="Nul si la tranche est inconnue.", examples=[20]
    )
    a: int | None = Field(
        title="Plus grand effectif de la tranche",
        description="Nul si la tranche est inconnue, ou n'a pas de borne supérieure.",
        examples=[49],
    )
    code: str | None = Field(
        title="Code de la tranche",
        description="Code de l'INSEE sur deux caractères ; NN désigne une unité qui n'emploie personne.",
        examples=["12"],
    )
    date_reference: str | None = Field(
        title="Année de référence", description="Année à laquelle l'effectif a été compté.", examples=["2023"]
    )
    intitule: str | None = Field(title="Intitulé de la tranche", examples=["20 à 49 salariés"])


_TRANCHES: dict[str, tuple[int | None, int | None, str]] = {
    "NN": (None, None, "Unités non employeuses"),
    "00": (0, 0, "0 salarié"),
    "01": (1, 2, "1 ou 2 salariés"),
    "02": (3, 5, "3 à 5 salariés"),
    "03": (6, 9, "6 à 9 salariés"),
    "11": (10, 19, "10 à 19 salariés"),
    "12": (20, 49, "20 à 49 salariés"),
    "21": (50, 99, "50 à 99 salariés"),
    "22": (100, 199, "100 à 199 salariés"),
    "31": (200, 249, "200 à 249 salariés"),
    "32": (250, 499, "250 à 499 salariés"),
    "41": (500, 999, "500 à 999 salariés"),
    "42": (1000, 1999, "1 000 à 1 999 salariés"),
    "51": (2000, 4999, "2 000 à 4 999 salariés"),
    "52": (5000, 9999, "5 000 à 9 999 salariés"),
    "53": (10000, None, "10 000 salariés et plus"),
}


@lru_cache(4096)
def epoch(day: date | None) -> int | None:
    """The first instant of a day in Paris, in seconds since 1970; negative before."""
    return None if day is None else int(datetime.combine(day, time.min, PARIS).timestamp())


def creation_epoch(day: date | None) -> int | None:
    """The date a legal unit was created, unless nobody knows it."""
    return None if day == _UNKNOWN_CREATION else epoch(day)


def end_epoch(etat: str | None, periodes: Iterable[PeriodeUniteLegale | PeriodeEtablissement]) -> int | None:
    """When a legal unit ceased, or an establishment was closed: the last change of its state, if it is not active."""
    if etat == "A":
        return None
    return epoch(next((periode.debut for periode in periodes if periode.etat_changed), None))


def diffusion(statut: str | None) -> Diffusion | None:
    """How far INSEE lets the data go."""
    return _DIFFUSIONS.get(statut)


def type_personne(categorie_juridique: str | None) -> TypePersonne | None:
    """Whether a legal unit is a natural person; None where its category is blank."""
    if categorie_juridique is None or not categorie_juridique.strip():
        return None
    return "personne_physique" if categorie_juridique == PERSONNE_PHYSIQUE else "personne_morale"


def is_economie_sociale(text: str | None) -> bool | None:
    """Whether a legal unit belongs to the social economy; None where nothing is told."""
    return None if text is None else text == "O"


@lru_cache(1024)
def forme_juridique(code: str | None) -> FormeJuridique:
    """A legal category with its label."""
    return FormeJuridique(code=code, libelle=label_categorie_juridique(code))


@lru_cache(1024)
def activite_naf_rev2(code: str | None) -> ActivitePrincipale:
    """An activity told in NAF rev. 2. The nomenclature that Sirene names is not relied on."""
    return ActivitePrincipale(code=code, nomenclature="NAFRev2", libelle=label_naf_rev2(code))


@lru_cache(1024)
def activite_naf_2025(code: str | None) -> ActivitePrincipale:
    """An activity told in NAF 2025."""
    return ActivitePrincipale(code=code, nomenclature="NAF2025", libelle=label_naf_2025(code))


@lru_cache(1024)
def tranche_effectif(code: str | None, annee: str | None) -> TrancheEffectif:
    """A band of head-counts with its bounds. `annee` is kept as it is told."""
    if code is None:
        return TrancheEffectif(de=None, a=None, code=None, date_reference=annee, intitule=None)
    de, a, intitule = _TRANCHES.get(code, (None, None, UNLISTED))
    return TrancheEffectif(de=de, a=a, code=code, date_reference=annee, intitule=intitule)
