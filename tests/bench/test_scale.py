"""The curves, from samples."""

from xml.etree import ElementTree

from bench.scale import Sample, drawn, short_count, table


def samples() -> list[Sample]:
    steps = (("1", 40.0), ("10⁵", 60.0))
    return [
        Sample("tokens", step, headers, cost * factor + number, 18.0, 9000.0)
        for number in range(3)
        for step, cost in steps
        for headers, factor in (("steady", 1), ("varying", 2))
    ]


def test_counts_are_told_as_powers_of_ten() -> None:
    assert [short_count(count) for count in (1, 100, 1_000, 1_000_000)] == ["1", "100", "10³", "10⁶"]


def test_the_table_tells_growth_against_the_first_step() -> None:
    _, first, last = table(samples()).splitlines()

    assert first.split() == ["tokens:", "1", "41.0", "(40.0-42.0)", "81.0", "(80.0-82.0)", "18.0", "1.00", "1.00"]
    assert last.split()[-2:] == ["1.49", "1.49"]


def test_the_chart_has_a_curve_for_each_kind_of_headers_and_one_for_redis() -> None:
    root = ElementTree.fromstring(drawn(samples()))

    assert len(list(root.iter("{http://www.w3.org/2000/svg}polyline"))) == 3
