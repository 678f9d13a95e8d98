"""The parameters of calls: how each is read, and the refusal where it cannot be (behaviours §2.2)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from stdnum import luhn

LA_POSTE = "356000000"
"""The SIRET of La Poste's establishments do not satisfy Luhn; any fourteen digits that begin so are accepted."""

_RNA = re.compile(r"W\d[0-9A-Z]\d{7}|0\d{3}00\d{4}", re.ASCII)


@lru_cache(maxsize=65536)
def siren_is_valid(text: str) -> bool:
    """Nine digits that satisfy Luhn. `000000000` does: it serves as a SIREN that does not exist."""
    return len(text) == 9 and text.isascii() and text.isdigit() and luhn.is_valid(text)


@lru_cache(maxsize=65536)
def siret_is_valid(text: str) -> bool:
    """Fourteen digits that satisfy Luhn, or that are La Poste's."""
    if not (len(text) == 14 and text.isascii() and text.isdigit()):
        return False
    return text.startswith(LA_POSTE) or luhn.is_valid(text)


def rna_is_valid(text: str) -> bool:
    """An association's number: `W` and nine characters, or the old ten digits."""
    return _RNA.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Format:
    """A row of the table of formats: the code of the refusal, and what the caller reads.

    `source` is the parameter named in the error; None: the parameter's own name; "": none is named.
    """

    code: str
    detail: str
    source: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class WrongParameter(Exception):
    """A parameter that cannot be read."""

    format: Format
    parameter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of an endpoint. `read` gives its value from the text, or None where the text is wrong.

    It raises WrongParameter itself where the reason is another than `format`.
    """

    name: str
    format: Format
    read: Callable[[str, datetime], Any]
    title: str
    where: Literal["path", "query"] = "path"
    required: bool = True
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    example: Any = None

    def value(self, text: str, now: datetime) -> Any:
        """The value told by the text. `now` is in Paris time. Raises WrongParameter."""
        found = self.read(text, now)
        if found is None:
            raise WrongParameter(self.format, self.format.source if self.format.source is not None else self.name)
        return found


class Formats:
    """The table of formats."""

    SIREN = Format("00301", "Le SIREN doit compter 9 chiffres et satisfaire à la clé de Luhn.")
    SIRET = Format("00302", "Le SIRET doit compter 14 chiffres et satisfaire à la clé de Luhn.")
    SIRET_OR_RNA = Format("00303", "L'identifiant doit être un SIRET ou un numéro RNA.", "id")
    SIRET_OR_EORI = Format("00304", "L'identifiant doit être un SIRET ou un numéro EORI.", "id")
    MONTH = Format("00305", "Le mois s'écrit sur deux chiffres, de 01 à 12.")
    YEAR = Format("00307", "L'année s'écrit sur quatre chiffres et ne peut être à venir.")
    USER_ID = Format("00308", "L'identifiant de l'appelant doit être un UUID.")
    LIMIT = Format("00313", "La limite est un entier de 1 à 1000.")
    LINK = Format("00314", "Le lien de téléchargement n'est pas de ceux que la passerelle a délivrés.")
    FISCAL_YEAR = Format("00315", "L'année demandée doit aller de 2006 à l'année dernière.", "year")
    SIREN_SIRET_OR_RNA = Format("00330", "L'identifiant doit être un SIREN, un SIRET ou un numéro RNA.", "id")
    SIREN_OR_RNA = Format("00333", "L'identifiant doit être un SIREN ou un numéro RNA.", "id")
    DEPTH = Format("00390", "La profondeur est un entier de 0 à 13.", "")
    DOCUMENT_ID = Format("00501", "L'identifiant du document doit compter 24 chiffres hexadécimaux.", "")


def either(*tests: Callable[[str], bool]) -> Callable[[str, datetime], str | None]:
    """Reads a text that satisfies one of the tests, and keeps it as it is."""
    return lambda text, _: text if any(test(text) for test in tests) else None


def eori_is_valid(text: str) -> bool:
    """A SIRET with or without `FR`, or another country's number, of which only the two capitals are known."""
    if text.startswith("FR"):
        return siret_is_valid(text[2:])
    return siret_is_valid(text) or (len(text) > 2 and text[:2].isascii() and text[:2].isalpha() and text[:2].isupper())


_FORMS = {"siren": "[0-9]{9}", "siret": "[0-9]{14}", "rna": "W[0-9][0-9A-Z][0-9]{7}|0[0-9]{3}00[0-9]{4}"}


def form(*names: str) -> Mapping[str, str]:
    """The schema of identifiers: what they look like. Whether their key is right, no schema can tell."""
    return {"type": "string", "pattern": f"^({'|'.join(_FORMS[name] for name in names)})$"}


SIREN = Parameter(
    name="siren",
    format=Formats.SIREN,
    read=either(siren_is_valid),
    title="SIREN de l'unité légale",
    schema=form("siren"),
    example="999500002",
)
SIRET = Parameter(
    name="siret",
    format=Formats.SIRET,
    read=either(siret_is_valid),
    title="SIRET de l'établissement",
    schema=form("siret"),
    example="99950000200012",
)

BY_NAME = {
    parameter.name: parameter
    for parameter in (
        SIREN,
        SIRET,
        Parameter(
            name="siret_or_rna",
            format=Formats.SIRET_OR_RNA,
            read=either(siret_is_valid, rna_is_valid),
            title="SIRET ou numéro RNA de l'association",
            schema=form("siret", "rna"),
        ),
        Parameter(
            name="siren_or_rna",
            format=Formats.SIREN_OR_RNA,
            read=either(siren_is_valid, rna_is_valid),
            title="SIREN ou numéro RNA de l'association",
            schema=form("siren", "rna"),
        ),
        Parameter(
            name="siren_or_siret_or_rna",
            format=Formats.SIREN_SIRET_OR_RNA,
            read=either(siren_is_valid, siret_is_valid, rna_is_valid),
            title="SIREN, SIRET ou numéro RNA de l'association",
            schema=form("siren", "siret", "rna"),
        ),
        Parameter(
            name="siret_or_eori",
            format=Formats.SIRET_OR_EORI,
            read=either(eori_is_valid),
            title="SIRET de l'établissement ou numéro EORI",
            schema={"type": "string", "pattern": "^([0-9]{14}|[A-Z]{2}[0-9A-Za-z]+)$"},
        ),
    )
}
"""The identifiers: `{siret}` in an endpoint's path is its rule."""
