"""What a duel tells, from samples."""

from pathlib import Path

import pytest

from bench.duel import main, names, table
from tests.bench.test_report import HIT256, sample


def test_checkouts_bear_the_names_of_their_folders_numbered_where_these_are_the_same() -> None:
    told = names([Path("/here/octroi"), Path("/there/octroi"), Path("/there/before")])

    assert told == ["octroi (1)", "octroi (2)", "before"]


def test_each_is_compared_with_the_first_at_the_median_and_at_the_least() -> None:
    samples = [sample("before", cost, round=at) for at, cost in enumerate((40, 60, 50))]
    samples += [sample("after", cost, round=at) for at, cost in enumerate((20, 25, 90))]

    _, head, before, after = table(HIT256, samples).splitlines()

    assert "of before's" in head
    assert before.split() == ["before", "50.0", "40.0", "60.0", "1.00", "1.00", "5.00", "4.00"]
    assert after.split() == ["after", "25.0", "20.0", "90.0", "0.50", "0.50", "5.00", "4.00"]


def test_a_folder_without_octroi_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path)])

    assert f"{tmp_path} holds no gateway/" in capsys.readouterr().err
