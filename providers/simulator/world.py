"""The invented world: the documented companies of `companies.toml`, and as many others as there are numbers for."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from providers.simulator.company import (
    Address,
    Association,
    Company,
    Diffusion,
    Establishment,
    Kind,
    Officer,
    Person,
    Shareholder,
    Succession,
)
from providers.simulator.generation import Generator
from providers.simulator.identifiers import is_siren, rna_of, siren_of, siret_of
from providers.simulator.vocabulary import read_vocabulary

__all__ = [
    "GENERATED",
    "SHOWCASE",
    "Address",
    "Association",
    "Company",
    "Diffusion",
    "Establishment",
    "Kind",
    "Officer",
    "Person",
    "Shareholder",
    "Showcase",
    "Succession",
    "World",
]

GENERATED = {
    "002": Kind.SOCIETE,
    "003": Kind.ENTREPRENEUR,
    "004": Kind.ASSOCIATION,
    "000090": Kind.SOCIETE,  # the companies that bring faults, see faults.py
}
"""First digits of the SIREN under which each number valid by Luhn has its company, and the kind of these."""

KEPT = 8192
"""Generated companies kept at hand: a load test asks for far more than it is worth remembering."""

RNA = re.compile(r"W[0-9A-Z]\d{8}")


@dataclass(frozen=True, slots=True)
class Showcase:
    """Identifiers that a demonstration may count on."""

    siren: str
    siret: str
    rna: str
    siret_absent: str
    """Well formed and known to no provider."""
    recipient: str
    """SIRET of a public body, to ask in the name of."""


_COMPANY, _ASSOCIATION, _COMMUNE = siren_of("00001001"), siren_of("00002001"), siren_of("00004001")
SHOWCASE = Showcase(
    siren=_COMPANY,
    siret=siret_of(_COMPANY, "0001"),
    rna=rna_of(_ASSOCIATION),
    siret_absent=siret_of(siren_of("00009999"), "0001"),
    recipient=siret_of(_COMMUNE, "0001"),
)


class World:
    """Every company, found by its identifiers. Nothing in it ever changes."""

    def __init__(
        self,
        generator: Generator,
        companies: Sequence[Company],
        duplicates: Mapping[str, str],
        successions: Sequence[Succession],
    ) -> None:
        """Hold the documented companies, the SIREN that point to another, and who took over from whom."""
        self.companies = tuple(companies)
        self.duplicates = dict(duplicates)
        self.succession_links = tuple(successions)
        self._by_siren = {company.siren: company for company in companies if company.siren}
        self._by_rna = {company.rna: company for company in companies if company.rna}
        self._generated = lru_cache(maxsize=KEPT)(generator.company)

    @classmethod
    def load(cls) -> "World":
        """The world described in `companies.toml`."""
        told = tomllib.loads((files("providers.simulator") / "companies.toml").read_text(encoding="utf-8"))
        generator = Generator(read_vocabulary())
        return cls(
            generator,
            [generator.company(row["siren"], Kind(row["kind"]), row) for row in told["company"]],
            {row["siren"]: row["of"] for row in told["duplicate"]},
            [Succession(**row) for row in told["succession"]],
        )

    def company(self, siren: str) -> Company | None:
        """The company with that SIREN."""
        if siren in self._by_siren:
            return self._by_siren[siren]
        if not is_siren(siren) or siren in self.duplicates:
            return None
        kind = next((kind for first, kind in GENERATED.items() if siren.startswith(first)), None)
        return self._generated(siren, kind) if kind else None

    def establishment(self, siret: str) -> Establishment | None:
        """The establishment with that SIRET."""
        company = self.company(siret[:9])
        places = company.etablissements if company else ()
        return next((place for place in places if place.siret == siret), None)

    def association(self, rna: str) -> Company | None:
        """The association with that RNA number."""
        if rna in self._by_rna:
            return self._by_rna[rna]
        company = self.company(rna[1:]) if RNA.fullmatch(rna) else None
        return company if company and company.rna == rna else None

    def find(self, identifier: str) -> Company | None:
        """The company with that SIREN, RNA number, or an establishment with that SIRET."""
        if identifier.startswith("W"):
            return self.association(identifier)
        if len(identifier) == 14:
            return self.company(identifier[:9]) if self.establishment(identifier) else None
        return self.company(identifier)

    def successions(self, siret: str) -> tuple[Succession, ...]:
        """The successions in which that establishment takes part."""
        return tuple(link for link in self.succession_links if siret in (link.predecesseur, link.successeur))

    def filiales(self, siren: str) -> tuple[tuple[Company, int], ...]:
        """The documented companies that this one owns, with its percentage of each."""
        owned: list[tuple[Company, int]] = []
        for company in self.companies:
            owned += [(company, owner.percent) for owner in company.actionnaires if owner.siren == siren]
        return tuple(owned)

    def known(self) -> list[dict[str, Any]]:
        """What a reader of `GET /_simulator` should know of each documented company."""
        return [
            {
                "siren": company.siren or None,
                "siret": [place.siret for place in company.etablissements],
                "rna": company.rna,
                "name": company.name,
                "kind": company.kind.value,
                "note": company.note,
            }
            for company in self.companies
        ]
