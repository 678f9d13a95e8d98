"""What the simulator knows of a company: one frozen description, of which each provider tells its part."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from providers.simulator.identifiers import tva_of

TRANCHES = (
    ("00", 0),
    ("01", 1),
    ("02", 3),
    ("03", 6),
    ("11", 10),
    ("12", 20),
    ("21", 50),
    ("22", 100),
    ("31", 200),
    ("32", 250),
    ("41", 500),
    ("42", 1000),
    ("51", 2000),
    ("52", 5000),
    ("53", 10000),
)
"""Codes of the head-count bands and where each begins."""


class Kind(StrEnum):
    """What a unite legale is, which decides who knows it."""

    SOCIETE = "societe"
    ASSOCIATION = "association"
    ENTREPRENEUR = "entrepreneur"
    PUBLIC = "public"


class Diffusion(StrEnum):
    """INSEE's diffusion status."""

    OUVERTE = "O"
    PARTIELLE = "P"
    REFUSEE = "N"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A postal address as the register writes it: capitals, no accents; a French town or a foreign one."""

    libelle_voie: str
    type_voie: str | None = "RUE"
    numero_voie: str | None = None
    indice_repetition: str | None = None
    complement: str | None = None
    distribution_speciale: str | None = None
    code_postal: str | None = None
    code_commune: str | None = None
    libelle_commune: str | None = None
    code_cedex: str | None = None
    libelle_cedex: str | None = None
    commune_etrangere: str | None = None
    code_pays: str | None = None
    libelle_pays: str | None = None

    @property
    def voie(self) -> str:
        """Number, type and name of the street."""
        return " ".join(part for part in (self.numero_voie, self.type_voie, self.libelle_voie) if part)

    @property
    def ville(self) -> str:
        """Postal code and town."""
        return f"{self.code_postal} {self.libelle_commune}" if self.code_postal else self.commune_etrangere or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An invented natural person; surnames are trees and colours, so that nobody bears the whole name."""

    sexe: str
    nom: str
    prenoms: tuple[str, ...]
    nom_usage: str | None = None
    pseudonyme: str | None = None
    naissance: date
    commune_naissance: str
    code_postal_naissance: str
    nationalite: str = "FRANCAISE"
    adresse: Address

    @property
    def civilite(self) -> str:
        """M or MME."""
        return "M" if self.sexe == "M" else "MME"

    @property
    def nom_complet(self) -> str:
        """First given name and surname."""
        return f"{self.prenoms[0]} {self.nom}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer:
    """Who directs or controls a company: a natural person, or another company by its SIREN."""

    qualite: str
    role: str
    """Code of the role in the national register of companies."""
    person: Person | None = None
    siren: str | None = None
    denomination: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shareholder:
    """Who owns a part of a company: a natural person, or another company by its SIREN."""

    percent: int
    parts: int
    person: Person | None = None
    siren: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """A trade: its codes in both nomenclatures, and the sector bodies that know those who ply it."""

    naf: str
    naf25: str
    word: str
    """How the trade is called in a company's name."""
    conventions: tuple[int, ...] = ()
    """IDCC numbers of the collective agreements."""
    dossiers: frozenset[str] = frozenset()
    """Slugs of the sector bodies that hold a file on such companies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Establishment:
    """A place of business."""

    siret: str
    adresse: Address
    opened: date
    closed: date | None = None
    is_siege: bool
    enseignes: tuple[str, ...] = ()
    activity: Activity
    headcount: int
    diffusion: Diffusion
    updated: datetime

    @property
    def siren(self) -> str:
        """The company it belongs to."""
        return self.siret[:9]

    @property
    def nic(self) -> str:
        """Its number inside the company."""
        return self.siret[9:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """What the register of associations holds."""

    rna: str
    objet: str
    declared: date
    published: date
    dissolved: date | None = None
    regime: str
    """`loi1901` or `alsaceMoselle`."""
    utilite_publique: bool = False
    adresse: Address
    volunteers: int
    members: int
    subventions: int
    """Euros received in the last year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """The name a company bore, and its last day."""

    name: str
    until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """One establishment taking over from another."""

    predecesseur: str
    successeur: str
    on: date
    transfert_siege: bool
    continuite_economique: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercice:
    """The accounts of one year; `total` is both sides of the balance sheet."""

    fin: date
    days: int
    chiffre_affaires: int
    resultat: int
    salaires: int
    capital: int
    capitaux_propres: int
    dettes: int

    @property
    def total(self) -> int:
        """Balance sheet total."""
        return self.capitaux_propres + self.dettes


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A unite legale. `siren` is empty for an association that has a RNA number only."""

    siren: str
    kind: Kind
    name: str
    """Denomination; for an entrepreneur, surname and given names."""
    sigle: str | None = None
    trade_name: str | None = None
    person: Person | None = None
    categorie_juridique: str
    activity: Activity
    created: date
    """1900-01-01 where the register does not know."""
    ceased: date | None = None
    former: Former | None = None
    updated: datetime
    diffusion: Diffusion
    headcount: int
    economie_sociale: bool
    societe_mission: bool
    capital: int
    base_turnover: int
    closing_month: int
    association: Association | None = None
    etablissements: tuple[Establishment, ...]
    dirigeants: tuple[Officer, ...] = ()
    actionnaires: tuple[Shareholder, ...] = ()
    dossiers: frozenset[str]
    """Slugs of the sector bodies that hold a file on it."""
    greffe: tuple[str, str]
    """Code and name of the registry of the commercial court."""
    peculiarities: Mapping[str, str] = field(default_factory=dict)
    """By provider slug, the word for what that provider answers out of the ordinary about this company."""
    note: str = ""
    """What it is there to show; empty for the generated ones."""

    @property
    def siege(self) -> Establishment:
        """The head office."""
        return next(etablissement for etablissement in self.etablissements if etablissement.is_siege)

    @property
    def categorie_entreprise(self) -> str | None:
        """PME, ETI or GE, by head count; nothing for public bodies."""
        if self.kind is Kind.PUBLIC:
            return None
        return "PME" if self.headcount < 250 else "ETI" if self.headcount < 5000 else "GE"

    @property
    def rna(self) -> str | None:
        """The RNA number of an association."""
        return self.association.rna if self.association else None

    @property
    def tva(self) -> str:
        """The VAT number."""
        return tva_of(self.siren)

    @property
    def is_trading(self) -> bool:
        """Whether it declares a turnover."""
        return self.kind in (Kind.SOCIETE, Kind.ENTREPRENEUR)


def tranche(headcount: int) -> str:
    """The code of the head-count band."""
    return next(code for code, low in reversed(TRANCHES) if headcount >= low)
