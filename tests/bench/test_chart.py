"""Charts: well-formed, complete, readable on both grounds."""

from xml.etree import ElementTree

from bench.chart import Bar, Curve, Scale, bars, curves

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_bars_have_title_units_legend_labels_and_values() -> None:
    svg = bars("CPU", "µs < a lot", {"hit & run": {"octroi": Bar(42, 40, 50), "haproxy": Bar(24, 20, 25)}})

    assert {"CPU", "µs < a lot", "octroi", "haproxy", "hit & run", "42", "24", "10", "100"} <= set(texts(svg))
    assert "prefers-color-scheme: dark" in svg


def test_longer_bars_are_larger_values() -> None:
    root = ElementTree.fromstring(bars("", "", {"hit": {"a": Bar(10, 10, 10), "b": Bar(1000, 900, 1100)}}))

    widths = [float(r.get("width", 0)) for r in root.iter(f"{SVG}rect") if r.get("height") == "13"]
    assert 0 < widths[0] < widths[1]


def test_a_scale_is_logarithmic() -> None:
    scale = Scale([2, 500], 0, 300)

    assert scale.decades == [0, 1, 2, 3]
    assert [round(scale(value)) for value in (1, 10, 100, 1000)] == [0, 100, 200, 300]


def test_curves_share_one_axis_from_nought() -> None:
    point = Bar(50, 45, 55)
    svg = curves(
        "Growth",
        "µs",
        {
            "tokens": [Curve("octroi", [("1", point), ("10⁵", Bar(100, 90, 110))])],
            "workers": [Curve("octroi", [("1", point), ("2", point)])],
        },
    )

    told = texts(svg)
    assert {"Growth", "tokens", "workers", "10⁵"} <= set(told)
    assert told.count("0") == 2
    assert len(list(ElementTree.fromstring(svg).iter(f"{SVG}polyline"))) == 2
