"""The forms a company filed for a year, as DGFIP sends them: what liasses and liens capitalistiques are read from."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import count

from pydantic import Field

from providers.base import Call, Failure, Formats, Get, OneOrMany, Parameter, Reply, Request, Wire
from providers.base.parameters import WrongParameter
from providers.dgfip.adelie import OPERATIONS

FIRST_YEAR = 2006
"""The first year whose declarations DGFIP gives."""


def _fiscal_year(text: str, now: datetime) -> int | None:
    if not re.fullmatch(r"\d{4}", text, re.ASCII):
        return None
    if not FIRST_YEAR <= int(text) < now.year:
        raise WrongParameter(Formats.FISCAL_YEAR, Formats.FISCAL_YEAR.source or "")
    return int(text)


YEAR = Parameter(
    name="year",
    format=Formats.YEAR,
    read=_fiscal_year,
    title="Année de la déclaration, de 2006 à l'année dernière",
    schema={"type": "integer"},
    example=2024,
)


class Valeur(Wire):
    """A value, and its rank where the field is one that repeats itself."""

    rank: int | None = Field(None, alias="indiceRepetition", ge=1, le=9999)
    valeur: str | None = None


class Donnee(Wire):
    """A filled-in field; one that repeats itself comes as several of them, under the same code."""

    code: str = Field(alias="code_nref")
    valeur: str | None = None
    valeurs: OneOrMany[Valeur] = Field(default_factory=list)

    @property
    def seen(self) -> list[Valeur]:
        """The values it holds, whichever way they are written."""
        return self.valeurs or [Valeur(valeur=self.valeur)]


class Imprime(Wire):
    """The content of a form."""

    donnees: OneOrMany[Donnee] = Field(default_factory=list)


class Declaration(Wire):
    """A form, as it was filed."""

    numero_imprime: str | None = None
    code_regime: str | None = None
    date_declaration: str | None = None
    fin_exercice: str | None = None
    duree_exercice: str | None = None
    millesime: str | None = None
    imprime: Imprime | None = None

    @property
    def values(self) -> Mapping[str, list[str | None]]:
        """The values of each code, in the order of the wire, each list in the order of ranks."""
        found: dict[str, list[Valeur]] = {}
        for donnee in self.imprime.donnees if self.imprime else ():
            found.setdefault(donnee.code, []).extend(donnee.seen)
        return {code: _in_order(seen) for code, seen in found.items()}


def _in_order(seen: list[Valeur]) -> list[str | None]:
    """A field seen once comes first whatever its rank; among several, a missing rank leaves a gap.

    Values without a rank, which nothing should send, take the free places in their order.
    """
    if len(seen) == 1:
        return [seen[0].valeur]
    placed = {valeur.rank: valeur.valeur for valeur in seen if valeur.rank is not None}
    free = (rank for rank in count(1) if rank not in placed)
    for valeur in seen:
        if valeur.rank is None:
            placed[next(free)] = valeur.valeur
    return [placed.get(rank) for rank in range(1, max(placed) + 1)]


def request(call: Call) -> Request:
    """The call that both resources make."""
    query = {"userId": call.user_id, "annee": call["year"], "siren": call.siren}
    return Get(f"{OPERATIONS}/getLiasseFiscale", query)


def is_error_page(reply: Reply) -> bool:
    """ADELIE's page of errors, whatever the status it comes with."""
    return b"Une erreur applicative s'est produite sur le serveur ADELIE." in reply.body


def nothing_filed(reply: Reply) -> bool:
    """An object without declarations, whatever its status: even an error ADELIE describes says no more (facts §5)."""
    return reply.is_json and isinstance(reply.json(), dict) and not reply.find("declarations")


FAILURES = (
    Failure.INTERNAL.when(is_error_page),
    Failure.NOT_FOUND.when(nothing_filed, status=404),
)


def first(declarations: Iterable[Declaration], form: str) -> Declaration | None:
    """The first declaration made on that form."""
    return next((declaration for declaration in declarations if declaration.numero_imprime == form), None)
