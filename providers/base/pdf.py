"""The text of a provider's PDF: its first pages only, within bounds, and nothing at all where it cannot be read."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, TypeVar

import filetype
import structlog
from pypdf import Configuration, PageObject, PdfReader, apply_configuration
from pypdf.generic import ContentStream, NameObject

from providers.base.exchange import Reply

log = structlog.get_logger()

LARGEST = 10 * 1024 * 1024
"""A certificate is a hundred times smaller; beyond, a document is kept but not read."""

BOUNDS = Configuration(
    maximum_declared_stream_length=LARGEST,
    array_based_stream_maximum_output_length=LARGEST,
    array_maximum_element_count=20_000,
    dictionary_maximum_element_count=20_000,
    lzw_maximum_output_length=LARGEST,
    run_length_maximum_output_length=LARGEST,
    zlib_maximum_output_length=LARGEST,
    brotli_maximum_output_length=LARGEST,
    zlib_maximum_recovery_input_length=100_000,
    stream_filters_maximum_length=4,
    stream_decoding_work_maximum_length=2 * LARGEST,
    stream_parsing_work_maximum_count=50_000,
    page_tree_maximum_entries=500,
    page_tree_maximum_depth=20,
    page_tree_maximum_page_entries=10_000,
    xform_maximum_invocations_per_extraction=20,
    jbig2dec_binary=None,
    disable_legacy_handling=True,
)
"""What a document may cost: far above what certificates need, far below what would hold a thread."""

# What pypdf has to say of a damaged document is for its author; that it was not read is logged below.
logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)


def is_pdf(content: bytes) -> bool:
    """Whether the first bytes are those of a PDF."""
    found: str | None = filetype.guess_mime(content)
    return found == "application/pdf"


def is_another_file(reply: Reply) -> bool:
    """A success that brings anything but a PDF; nothing at all counts as such too."""
    return reply.status == 200 and not is_pdf(reply.body)


def first_pages(content: bytes, count: int) -> tuple[str, ...]:
    """The text of the first pages: as many as were asked or as there are, none where the document cannot be read.

    It takes milliseconds of CPU: not to be called on the event loop.
    """
    return _of_first_pages(content, count, lambda page: page.extract_text())


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text, and where it begins on its page: in points, from the left and from the bottom."""

    x: float
    y: float
    text: str


Line = tuple[Piece, ...]
"""The pieces that stand at one height, from left to right."""


def first_pages_in_lines(content: bytes, count: int, *, column: float) -> tuple[tuple[Line, ...], ...]:
    """The lines of the first pages, from top to bottom, for documents whose order of drawing is not that of reading.

    No piece goes on past `column`, the left edge of a column on the right. As `first_pages`, it takes CPU.
    """
    return _of_first_pages(content, count, lambda page: _lines(_pieces(page, column)))


T = TypeVar("T")


def _of_first_pages(content: bytes, count: int, read: Callable[[PageObject], T]) -> tuple[T, ...]:
    if not is_pdf(content):
        return ()
    if len(content) > LARGEST:
        log.info("pdf_not_read", reason="too large", size=len(content))
        return ()
    try:
        with apply_configuration(BOUNDS):
            pages = PdfReader(BytesIO(content)).pages
            return tuple(read(pages[number]) for number in range(min(count, len(pages))))
    except Exception as error:  # pypdf lets nearly anything out of a damaged document: its content is to blame
        log.info("pdf_not_read", reason=type(error).__name__, size=len(content))
        return ()


# Pieces and lines.

SHOWING = frozenset({b"Tj", b"TJ"})
MOVING_AND_SHOWING = frozenset({b"'", b'"'})
NOTHING_MOVES = ([1, 0, 0, 1, 0, 0], b"cm")
"""An operation that changes nothing, at which pypdf hands over the text it holds, with the place where it began."""

UPRIGHT = (0,)
"""What is written along the margin is not part of any line."""
SAME_PIECE = 0.5
"""Points by which the height may change within a piece."""
WIDEST_LETTER = 20.0
"""Points from one text to the next within which the column may be passed: letters may be placed one by one."""
SAME_LINE = 1.6
"""Points by which neighbours of one line may differ in height."""


def _pieces(page: PageObject, column: float) -> list[Piece]:
    """pypdf joins what stands near, lines of small print included: the page is told where to begin a piece anew."""
    if page.get_contents() is None:
        return []
    # As bytes: what they mean depends on the font.
    content = ContentStream(page["/Contents"].get_object(), page.pdf, "bytes")
    page[NameObject("/Contents")] = content
    beginnings = _beginnings(page, column)
    content.operations = [
        step
        for operands, operator in content.operations
        for step in ((NOTHING_MOVES, (operands, operator)) if id(operands) in beginnings else ((operands, operator),))
    ]
    found: list[Piece] = []

    def note(text: str, cm: Sequence[float], tm: Sequence[float], *_: Any) -> None:
        if words := " ".join(text.split()):
            found.append(Piece(*_place(cm, tm), words))

    page.extract_text(orientations=UPRIGHT, visitor_text=note)
    return found


def _beginnings(page: PageObject, column: float) -> frozenset[int]:
    """The operations that show text elsewhere than after the text before them, by the identity of their operands."""
    found: set[int] = set()
    last: tuple[float, float] | None = None

    def note(operator: bytes, operands: Any, cm: Sequence[float], tm: Sequence[float]) -> None:
        nonlocal last
        if operator in MOVING_AND_SHOWING:
            found.add(id(operands))
            last = None
        elif operator in SHOWING:
            x, y = _place(cm, tm)
            jumps = last is not None and x - last[0] > WIDEST_LETTER and last[0] < column <= x
            if last is None or abs(y - last[1]) > SAME_PIECE or x < last[0] or jumps:
                found.add(id(operands))
            last = x, y

    page.extract_text(orientations=UPRIGHT, visitor_operand_before=note)
    return frozenset(found)


def _place(cm: Sequence[float], tm: Sequence[float]) -> tuple[float, float]:
    """Where the origin of text stands on the page."""
    return tm[4] * cm[0] + tm[5] * cm[2] + cm[4], tm[4] * cm[1] + tm[5] * cm[3] + cm[5]


def _lines(pieces: Sequence[Piece]) -> tuple[Line, ...]:
    lines: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda piece: -piece.y):
        if lines and lines[-1][-1].y - piece.y <= SAME_LINE:
            lines[-1].append(piece)
        else:
            lines.append([piece])
    return tuple(tuple(sorted(line, key=lambda piece: piece.x)) for line in lines)
