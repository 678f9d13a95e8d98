"""What commands print: one line a row, whatever a caller put into it."""

import json

import pytest

from gateway.cli.common import show

NASTY = "a\r\nb\0c\x1b[31md\u202ee\x9bf\u2028"


def test_a_table_shows_what_would_act_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"siren": NASTY, "codes": [NASTY, "00301"]}], False, ("siren", "codes"))

    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == 2
    assert all(line.isprintable() for line in printed.split("\n"))
    assert r"c\u001b[31md\u202ee\u009bf\u2028" in printed


def test_a_line_of_json_reads_as_what_was_put_into_it(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"object": NASTY, "intitulé": "préfecture"}], True, ())

    printed = capsys.readouterr().out
    assert printed.rstrip("\n").isprintable()
    assert json.loads(printed) == {"object": NASTY, "intitulé": "préfecture"}
    assert "préfecture" in printed
