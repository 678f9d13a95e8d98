"""A writer of small PDFs: pages of text lines, real enough for any reader, the same bytes for the same lines."""

from collections.abc import Sequence
from typing import NamedTuple

TOP, LEFT, LEADING, SIZE = 790, 50, 15, 10
"""Where the first line stands on an A4 page, the distance between lines and the size of letters, in points."""

FIRST_PAGE_OBJECT = 4
"""Objects 1 to 3 are the catalogue, the list of pages and the font; then come two objects a page."""


class Placed(NamedTuple):
    """A text and where it begins on its page: in points, from the left and from the bottom."""

    x: float
    y: float
    text: str
    size: int = SIZE


def write(pages: Sequence[Sequence[str]]) -> bytes:
    """The PDF whose pages hold these lines. Characters that WinAnsi does not have become question marks."""
    return _document([_content(lines) for lines in pages])


def place(pages: Sequence[Sequence[Placed]]) -> bytes:
    """The PDF whose pages hold these texts, each at its place."""
    return _document([b"\n".join(_placed(text) for text in texts) for texts in pages])


def _document(pages: Sequence[bytes]) -> bytes:
    kids = " ".join(f"{FIRST_PAGE_OBJECT + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, content in enumerate(pages):
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >>"
            + f" /Contents {FIRST_PAGE_OBJECT + 2 * number + 1} 0 R >>".encode(),
            f"<< /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream",
        ]
    return _assemble(objects)


def _content(lines: Sequence[str]) -> bytes:
    shown = [b"(" + _escape(line) + b") Tj T*" for line in lines]
    return b"\n".join([f"BT /F1 {SIZE} Tf {LEADING} TL {LEFT} {TOP} Td".encode(), *shown, b"ET"])


def _placed(text: Placed) -> bytes:
    return f"BT /F1 {text.size} Tf {text.x:.2f} {text.y:.2f} Td (".encode() + _escape(text.text) + b") Tj ET"


def _escape(line: str) -> bytes:
    text = line.encode("cp1252", errors="replace")
    return text.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _assemble(objects: Sequence[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{offset:010d} 00000 n \n".encode() for offset in offsets)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)
