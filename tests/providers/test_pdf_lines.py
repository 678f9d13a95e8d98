"""How the lines of a page are put together from texts drawn in any order, in any number of pieces."""

import pytest

from providers.base.pdf import first_pages_in_lines
from tests.providers.test_pdf import BOMBS, a_page_of, a_stream, nested_forms

COLUMN = 270.0


def lines_of(content: str) -> list[str]:
    """The lines of a page with this content, a bar between pieces."""
    document = a_page_of(a_stream(content.encode("cp1252")))
    (page,) = first_pages_in_lines(document, 1, column=COLUMN)
    return [" | ".join(piece.text for piece in line) for line in page]


def test_lines_go_from_top_to_bottom_and_from_left_to_right() -> None:
    drawn = "BT /F1 7 Tf 300 100 Td (d) Tj ET BT 50 100 Td (c) Tj ET BT 300 200 Td (b) Tj ET BT 50 201.4 Td (a) Tj ET"

    assert lines_of(drawn) == ["a | b", "c | d"]


def test_a_small_step_down_is_another_line() -> None:
    # What pypdf takes for one line: a label that wraps 4 points above and below its code, drawn at one go.
    drawn = "BT /F1 7 Tf 94 400 Td (libelle) Tj 0 -8 Td (suite) Tj -39 4 Td (5111) Tj 458 0 Td (01/02/2020) Tj ET"

    assert lines_of(drawn) == ["libelle", "5111 | 01/02/2020", "suite"]


def test_words_placed_one_by_one_are_one_piece_as_far_as_the_column() -> None:
    drawn = "BT /F1 7 Tf 69 100 Td (MAAF) Tj 30 0 Td (0042) Tj 192 0 Td (Site) Tj 30 0 Td (Internet) Tj ET"

    assert lines_of(drawn) == ["MAAF 0042 | Site Internet"]


def test_letters_placed_one_by_one_make_words() -> None:
    drawn = "BT /F1 10 Tf 50 100 Td (M) Tj 8.3 0 Td (A) Tj 6.7 0 Td (i) Tj 2.2 0 Td (f) Tj 9 0 Td (4) Tj ET"

    assert lines_of(drawn) == ["MAif 4"]


def test_a_word_in_letters_is_not_cut_by_the_column() -> None:
    drawn = "BT /F1 10 Tf 262 100 Td (M) Tj 8.3 0 Td (A) Tj 6.7 0 Td (i) Tj ET"

    assert lines_of(drawn) == ["MAi"]


def test_texts_shown_one_after_the_other_stay_together() -> None:
    drawn = "BT /F1 7 Tf 50 100 Td (SMA) Tj (BTP) Tj [(12) -20 (34)] TJ ET"

    assert lines_of(drawn) == ["SMABTP1234"]


def test_characters_are_those_of_the_font() -> None:
    assert lines_of("BT /F1 7 Tf 50 100 Td (l’œuvre à 5 €) Tj ET") == ["l’œuvre à 5 €"]


@pytest.mark.parametrize("next_line", ["(b) '", '0 0 (b) "', "T* (b) Tj", "0 -12 TD (b) Tj"])
def test_each_way_to_begin_a_line_is_known(next_line: str) -> None:
    assert lines_of(f"BT /F1 7 Tf 12 TL 50 100 Td (a) Tj {next_line} ET") == ["a", "b"]


def test_the_page_may_be_scaled_and_moved() -> None:
    drawn = "q 2 0 0 2 10 20 cm BT /F1 7 Tf 1 0 0 1 20 100 Tm (a) Tj ET Q BT 300 221 Td (b) Tj ET"

    (page,) = first_pages_in_lines(a_page_of(a_stream(drawn.encode())), 1, column=COLUMN)

    assert [[(piece.x, piece.y, piece.text) for piece in line] for line in page] == [[(50, 220, "a"), (300, 221, "b")]]


def test_text_that_is_not_upright_is_left_out() -> None:
    drawn = "BT /F1 7 Tf 0 1 -1 0 20 100 Tm (marge) Tj ET BT 50 100 Td (a) Tj ET"

    assert lines_of(drawn) == ["a"]


def test_a_page_without_content_has_no_lines() -> None:
    assert lines_of("") == []
    assert first_pages_in_lines(b"%PDF-1.4 damaged", 1, column=COLUMN) == ()


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_read_in_no_time(name: str) -> None:
    assert not any(first_pages_in_lines(BOMBS[name], 2, column=COLUMN))


def test_forms_within_forms_are_bounded() -> None:
    assert first_pages_in_lines(nested_forms(6, 10), 1, column=COLUMN) == ((),)
