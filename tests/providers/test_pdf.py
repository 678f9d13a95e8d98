"""What a provider's PDF may cost and what is read in it, well made or not."""

import time
import zlib
from collections.abc import Sequence

import pytest

from providers.base.pdf import first_pages, is_pdf

GENEROUS_SECONDS = 5.0
"""Each bomb takes a fraction of that; unbounded, minutes."""


def a_pdf(*objects: bytes, trailer: bytes = b"/Root 1 0 R") -> bytes:
    """A PDF of these objects, numbered from 1."""
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d %b >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)
    return bytes(out)


def a_stream(content: bytes, more: bytes = b"") -> bytes:
    return b"<< /Length %d %b >>\nstream\n%b\nendstream" % (len(content), more, content)


def a_page_of(content: bytes, *others: bytes, resources: bytes = b"") -> bytes:
    """One page whose content is this stream; other objects are numbered from 6."""
    return a_pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> "
        + resources
        + b" >> >>",
        content,
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        *others,
    )


def text_of(lines: Sequence[str]) -> bytes:
    shown = b"\n".join(b"(%b) Tj T*" % line.encode("cp1252") for line in lines)
    return b"BT /F1 10 Tf 12 TL 50 780 Td\n" + shown + b"\nET"


def test_the_lines_of_a_page_are_read() -> None:
    content = a_page_of(a_stream(text_of(["Attestation délivrée", "le 28/04/2026"])))

    (page,) = first_pages(content, 2)

    assert page.splitlines() == ["Attestation délivrée", "le 28/04/2026"]


def test_a_text_is_no_pdf() -> None:
    assert not is_pdf(b"this is not one")
    assert first_pages(b"this is not one", 1) == ()


def nested_forms(depth: int, width: int) -> bytes:
    """Each form shows the next one several times: width to the power of depth invocations."""
    forms = []
    for number in range(depth):
        below = b"/XObject << /X %d 0 R >>" % (7 + number) if number < depth - 1 else b""
        shown = b"/X Do " * width if number < depth - 1 else text_of(["x"])
        forms.append(a_stream(shown, b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << %b >>" % below))
    return a_page_of(a_stream(b"/X Do " * width), *forms, resources=b"/XObject << /X 6 0 R >>")


BOMBS = {
    "inflated": a_page_of(a_stream(zlib.compress(b" " * 300_000_000, 9), b"/Filter /FlateDecode")),
    "inflated_twice": a_page_of(
        a_stream(zlib.compress(zlib.compress(b" " * 300_000_000, 9), 9), b"/Filter [/FlateDecode /FlateDecode]")
    ),
    "endless_operators": a_page_of(a_stream(b"BT /F1 1 Tf (x) Tj ET\n" * 400_000)),
    "nested_forms": nested_forms(12, 8),
    "looping_pages": a_pdf(b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Count 9 /Kids [2 0 R 2 0 R] >>"),
    "wide_pages": a_pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 9 /Kids [" + b"3 0 R " * 200_000 + b"] >>",
        b"<< >>",
    ),
    "deep_arrays": a_page_of(a_stream(b"[" * 200_000)),
    "deep_object": a_pdf(b"<< /Type /Catalog /Pages " + b"[" * 100_000 + b" >>"),
    "self_reference": a_pdf(b"1 0 R"),
    "looping_xref": a_pdf(b"<< /Type /Catalog >>", trailer=b"/Root 1 0 R /Prev 15"),
    "encrypted": a_pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        trailer=b"/Root 1 0 R /Encrypt << /Filter /Standard /V 5 /R 6 /O (x) /U (x) /P -1 >>",
    ),
    "cut_short": a_page_of(a_stream(text_of(["x"])))[:300],
    "header_alone": b"%PDF-1.7\n",
    "noise": b"%PDF-1.7\n" + bytes(range(256)) * 4000,
    "open_parentheses": a_page_of(a_stream(b"(" * 1_000_000)),
    "too_large": b"%PDF-1.7\n" + b" " * 11_000_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_pdf_that_is_damaged_or_hostile_holds_nothing_up(name: str) -> None:
    start = time.monotonic()

    pages = first_pages(BOMBS[name], 2)

    assert time.monotonic() - start < GENEROUS_SECONDS
    assert sum(map(len, pages)) < 1_000_000
