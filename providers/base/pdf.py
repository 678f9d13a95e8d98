"""The text of a provider's PDF: its first pages only, within bounds, and nothing at all where it cannot be read."""

import logging
from io import BytesIO

import filetype
import structlog
from pypdf import Configuration, PdfReader, apply_configuration

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
    if not is_pdf(content):
        return ()
    if len(content) > LARGEST:
        log.info("pdf_not_read", reason="too large", size=len(content))
        return ()
    try:
        with apply_configuration(BOUNDS):
            pages = PdfReader(BytesIO(content)).pages
            return tuple(pages[number].extract_text() for number in range(min(count, len(pages))))
    except Exception as error:  # pypdf lets nearly anything out of a damaged document: its content is to blame
        log.info("pdf_not_read", reason=type(error).__name__, size=len(content))
        return ()
