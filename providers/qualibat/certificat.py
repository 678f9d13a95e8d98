"""What is read in a certificate: its dates, its insurers, and the qualifications it lists.

A page is made of two columns (administrative data, ways to reach the company) above a table of qualifications, and is
drawn in no order: it is read by the place of its texts. No certificate makes the reading fail; what is not where it
should be is left unknown.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from unicodedata import normalize

import structlog

from providers.base.pdf import Line, first_pages_in_lines
from providers.qualibat.nomenclature import label_of

log = structlog.get_logger()

MOST_PAGES = 20
RIGHT_COLUMN = 270.0
"""Points from the left beyond which a text belongs to the right-hand column, which begins at 280."""
TITLE_LINES = 6
"""The title stands among the first lines of a page."""

INVALID_FILE = "invalid_file"
UNSUPPORTED = {
    "TRAITEMENT DE L'AMIANTE": "amiante_pdf_not_supported",
    "MESURES DE LA PERMÉABILITE A L'AIR": "permeabilite_air_pdf_not_supported",
    "MÉTALLERIE FEU": "metallerie_feu_pdf_not_supported",
    "RÉSEAUX AÉRAULIQUES": "reseaux_aerauliques_pdf_not_supported",
    "TRAITEMENT DES BOIS": "traitement_bois_pdf_not_supported",
    "CORDISTES": "cordistes_pdf_not_supported",
    "VÉRIFICATIONS ET MESURES DES SYSTÈMES DE VENTILATION": (
        "verification_mesures_systemes_ventilation_pdf_not_supported"
    ),
}
"""Titles of certificates of another kind, whose layout is not read, and the word for each."""

INSURERS = (
    "ABEILLE IARD & SANTE",
    "ABEILLE",
    "ACTE IARD",
    "ACM-IARD SA",
    "AIG",
    "ALLIANZ IARD",
    "APRIL",
    "AUXILIAIRE",
    "AVIVA",
    "AREAS",
    "AXAASSURANCES",
    "AXA FRANCE IARD",
    "AXA CSA",
    "AXERIA IARD",
    "AXELLIANCE",
    "BHEI",
    "BPCE ASSURANCES",
    "BPCE IARD",
    "CAMBTP",
    "CAMCA ASSURANCE",
    "CHUBB",
    "CREDIT AGRICOLE ASSURANCE",
    "ENTORIA",
    "ERGO",
    "EUROMAF",
    "GAN",
    "GENERALI IARD",
    "GOTHAER VERSICHERUNGBANK",
    "GROUPAMA",
    "LA BRESSE",
    "LIBERTY MUTUAL INSURANCE",
    "HDI GLOBAL",
    "MAAF",
    "MACIF",
    "MMA IARD",
    "MIC ASSURANCE",
    "MIC INSURANCE",
    "MONCEAU GENERALE ASSURANCES",
    "MUTUELLE BRESSE BUGEY",
    "MUTUELLE VAL DE SAÔNE BEAUJOLAIS",
    "MUTUELLE DE POITIERS ASSURANCES",
    "PACIFICA",
    "UNIRE",
    "QBE",
    "SAM BTP",
    "SMA COURTAGE",
    "SMA SA",
    "SMABTP",
    "SMA",
    "SWISSLIFE",
    "VHV",
    "THELEMASSURANCES",
    "XL INSURANCE",
    "ZURICH INSURANCE",
)
"""Those whose name is told apart from the number of the contract. The longer of two names that overlap comes first."""


@dataclass(frozen=True, slots=True)
class Assurance:
    """An insurer, and what it calls the company."""

    nom: str | None = None
    identifiant: str | None = None


@dataclass(frozen=True, slots=True)
class Attribution:
    """A qualification, and since when it is held. `rge`: it carries that mention."""

    code: str
    nom: str | None
    rge: bool
    date_attribution: date | None


@dataclass(frozen=True, slots=True)
class Extrait:
    """What was read, or the word for why nothing was."""

    error: str | None = None
    date_emission: date | None = None
    date_fin_validite: date | None = None
    responsabilite_travaux: Assurance = Assurance()
    responsabilite_civile: Assurance = Assurance()
    attributions: tuple[Attribution, ...] = ()


def extract(content: bytes) -> Extrait:
    """What a certificate says. It takes CPU."""
    pages = first_pages_in_lines(content, MOST_PAGES, column=RIGHT_COLUMN)
    texts = [[_text(line) for line in page] for page in pages]
    error = _unsupported(texts[0]) if texts else INVALID_FILE
    if error is None and not any(_title(page) for page in texts):
        error = INVALID_FILE
    if error is not None:
        log.info("qualibat_certificate_not_read", reason=error, pages=len(pages))
        return Extrait(error=error)
    first = texts[0]
    return Extrait(
        date_emission=_date_after(first, "ÉDITÉ LE", "Edité le"),
        date_fin_validite=_date_after(first, "VALABLE JUSQU'AU", "Valable du", "Validité du"),
        responsabilite_travaux=_assurance(pages[0], "Assurance Responsabilité Travaux"),
        responsabilite_civile=_assurance(pages[0], "Assurance Responsabilité Civile"),
        attributions=_attributions(texts),
    )


def _text(line: Line) -> str:
    """A line as one text: accents in one character, straight apostrophes, single blanks."""
    return normalize("NFC", " ".join(piece.text for piece in line)).replace("’", "'")


# Which certificate it is.

_TITLE = re.compile(r"CERTIFICAT\s+QUALIBAT(.*\bRGE\b)?", re.IGNORECASE)


def _unsupported(page: Iterable[str]) -> str | None:
    text = " ".join(page)
    return next((word for title, word in UNSUPPORTED.items() if title in text), None)


def _title(page: Sequence[str]) -> re.Match[str] | None:
    """The title of a certificate's page; its group says whether it is a page of RGE qualifications."""
    return next((found for line in page[:TITLE_LINES] if (found := _TITLE.search(line))), None)


# Dates and insurers, on the first page.

_DATE = re.compile(r"\d{2}/\d{2}/\d{4}")


def _date_after(page: Sequence[str], *phrases: str) -> date | None:
    """The last date of the first line that holds the first of the phrases to be found: the end of an interval."""
    line = next((line for phrase in phrases for line in page if phrase in line), "")
    return _as_date(_DATE.findall(line)[-1:])


def _as_date(texts: Sequence[str]) -> date | None:
    """The date of the text, where there is one and the calendar has it."""
    try:
        return datetime.strptime(texts[0], "%d/%m/%Y").date() if texts else None  # noqa: DTZ007  a calendar date
    except ValueError:
        return None


def _assurance(page: Sequence[Line], label: str) -> Assurance:
    """The insurer of one of the two lines below the label."""
    place = next((place for place, line in enumerate(page) if label in _text(line)), None)
    if place is None:
        return Assurance()
    below = (_text(_left(line)) for line in page[place + 1 : place + 3])
    return next((found for text in below if (found := _insurer(text))), Assurance())


def _left(line: Line) -> Line:
    return tuple(piece for piece in line if piece.x < RIGHT_COLUMN)


def _insurer(text: str) -> Assurance | None:
    """The first insurer whose name stands in the text, as words; the rest of the text is the number of the contract."""
    for name in INSURERS:
        if found := re.search(rf"(?<![^\W\d_]){re.escape(name)}(?![^\W\d_])", text):
            rest = f"{text[: found.start()]}{text[found.end() :].lstrip()}".strip()
            return Assurance(nom=name, identifiant=rest or None)
    return None


# The table of qualifications, page after page.

_CODE = re.compile(r"(\d{2,4})(?!\d*/)")  # what begins by a date is no code


def _attributions(pages: Iterable[Sequence[str]]) -> tuple[Attribution, ...]:
    """A qualification listed without RGE gives way to the same one listed later, with it most often."""
    found: list[Attribution] = []
    for page in pages:
        title = _title(page)
        for line in _table(page) if title else ():
            if row := _attribution(line, rge=title is not None and title[1] is not None):
                found = [one for one in found if one.code != row.code or one.rge]
                found.append(row)
    return tuple(found)


def _table(page: Sequence[str]) -> Iterator[str]:
    """The lines from the head of the table on; none where the page has no table."""
    begun = False
    for line in page:
        begun = begun or "d'attribution" in line
        if begun:
            yield line


def _attribution(line: str, *, rge: bool) -> Attribution | None:
    """The row of a line that begins by a code and holds a date. Its label may wrap: the nomenclature's is taken."""
    code, dates = _CODE.match(line), _DATE.findall(line)
    if code is None or not dates:
        return None
    return Attribution(code=code[1], nom=label_of(code[1]), rge=rge, date_attribution=_as_date(dates))
