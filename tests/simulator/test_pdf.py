"""The PDF writer, read back by pypdf."""

import io

import pypdf

from providers.simulator import pdf


def read(document: bytes) -> list[list[str]]:
    return [page.extract_text().splitlines() for page in pypdf.PdfReader(io.BytesIO(document), strict=True).pages]


def test_lines_are_read_back_as_written() -> None:
    pages = [["Attestation délivrée à l'entreprise", "N° 12 (à vérifier) \\ 50 €"], ["Deuxième page"], []]

    assert read(pdf.write(pages)) == pages


def test_a_character_outside_winansi_becomes_a_question_mark() -> None:
    assert read(pdf.write([["prix 漢 œuvre"]])) == [["prix ? œuvre"]]


def test_the_same_lines_give_the_same_bytes() -> None:
    assert pdf.write([["un", "deux"]]) == pdf.write([["un", "deux"]])
