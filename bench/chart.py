"""Charts as SVG, by text alone: bars of what things cost, curves of how that grows. Readable on light and on dark."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

WIDTH = 860
LEFT, RIGHT, TOP = 190, 90, 90
BAR, GAP, GROUP_GAP = 13, 3, 16
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Told apart by every kind of eyes (Okabe and Ito), and on both grounds."""

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 17px; font-weight: 600; }
.note { font-size: 12px; fill: #59636e; }
.ground { fill: #ffffff; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.spread { stroke: #1f2328; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .note { fill: #9198a1; }
  .ground { fill: #0d1117; }
  .grid { stroke: #3d444d; }
  .spread { stroke: #f0f6fc; }
}
"""


class Bar(NamedTuple):
    """A value, between its extremes."""

    value: float
    low: float
    high: float


class Scale:
    """A logarithmic axis: from values to places."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.low = math.floor(math.log10(min(values) / 1.25))  # the shortest bar can still be seen
        self.high = max(math.ceil(math.log10(max(values))), self.low + 1)
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)

    @property
    def decades(self) -> list[int]:
        """The powers of ten on it."""
        return list(range(self.low, self.high + 1))


def bars(title: str, note: str, groups: Mapping[str, Mapping[str, Bar]]) -> str:
    """Groups of bars, to the right, on a logarithmic axis; one colour a name."""
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    colours = dict(zip(names, _cycled(len(names)), strict=True))
    every = [bar for group in groups.values() for bar in group.values()]
    scale = Scale([value for bar in every for value in bar if value > 0] or [1], LEFT, WIDTH - RIGHT)
    height = TOP + sum(len(group) * (BAR + GAP) + GROUP_GAP for group in groups.values()) + 30
    parts = [_head(title, note, height), _legend(colours)]
    for power in scale.decades:
        x = scale(10**power)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height - 28}"/>')
        parts.append(f'<text class="note" x="{x:.1f}" y="{height - 12}" text-anchor="middle">{_power(power)}</text>')
    y = float(TOP)
    for label, group in groups.items():
        middle = y + len(group) * (BAR + GAP) / 2 + 4
        parts.append(f'<text x="{LEFT - 10}" y="{middle:.1f}" text-anchor="end">{escape(label)}</text>')
        for name, bar in group.items():
            parts.append(_bar(scale, bar, y, colours[name]))
            y += BAR + GAP
        y += GROUP_GAP
    return "\n".join([*parts, "</svg>\n"])


def _bar(scale: Scale, bar: Bar, y: float, colour: str) -> str:
    end, low, high = (scale(max(value, 10**scale.low)) for value in bar)
    middle = y + BAR / 2
    return (
        f'<rect x="{LEFT}" y="{y:.1f}" width="{end - LEFT:.1f}" height="{BAR}" fill="{colour}"/>'
        f'<line class="spread" x1="{low:.1f}" x2="{high:.1f}" y1="{middle:.1f}" y2="{middle:.1f}"/>'
        f'<text class="note" x="{max(end, high) + 6:.1f}" y="{middle + 4:.1f}">{figure(bar.value)}</text>'
    )


class Curve(NamedTuple):
    """Points that belong together, by what is on the axis below."""

    name: str
    points: Sequence[tuple[str, Bar]]


def curves(title: str, note: str, panels: Mapping[str, Sequence[Curve]]) -> str:
    """Panels, two a row, each with curves over named steps; all on one axis from nought, so that they compare."""
    names = list(dict.fromkeys(curve.name for listed in panels.values() for curve in listed))
    colours = dict(zip(names, _cycled(len(names)), strict=True))
    most = max((bar.high for listed in panels.values() for c in listed for _, bar in c.points), default=1.0)
    step = _step(most)
    top = step * math.ceil(most / step)
    width, height = WIDTH / 2, 230
    rows = math.ceil(len(panels) / 2)
    parts = [_head(title, note, TOP + rows * height), _legend(colours)]
    for number, (label, listed) in enumerate(panels.items()):
        left, above = number % 2 * width, TOP + number // 2 * height
        parts.append(_panel(label, listed, colours, left=left, above=above, top=top, step=step))
    return "\n".join([*parts, "</svg>\n"])


def _panel(
    label: str,
    listed: Sequence[Curve],
    colours: Mapping[str, str],
    *,
    left: float,
    above: float,
    top: float,
    step: float,
) -> str:
    x0, x1, y0, y1 = left + 52, left + WIDTH / 2 - 22, above + 180, above + 26
    steps = list(dict.fromkeys(name for curve in listed for name, _ in curve.points))

    def x_of(name: str) -> float:
        return x0 + (steps.index(name) + 0.5) * (x1 - x0) / len(steps)

    def y_of(value: float) -> float:
        return y0 + value / top * (y1 - y0)

    parts = [f'<text x="{x0}" y="{above + 10:.1f}">{escape(label)}</text>']
    for number in range(round(top / step) + 1):
        y = y_of(number * step)
        parts.append(f'<line class="grid" x1="{x0}" x2="{x1}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="note" x="{x0 - 6}" y="{y + 4:.1f}" text-anchor="end">{number * step:g}</text>')
    parts += [
        f'<text class="note" x="{x_of(name):.1f}" y="{y0 + 18}" text-anchor="middle">{escape(name)}</text>'
        for name in steps
    ]
    for curve in listed:
        colour = colours[curve.name]
        line = " ".join(f"{x_of(name):.1f},{y_of(bar.value):.1f}" for name, bar in curve.points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for name, bar in curve.points:
            x = x_of(name)
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y_of(bar.low):.1f}" y2="{y_of(bar.high):.1f}"'
                f' stroke="{colour}" stroke-width="6" opacity="0.4"/>'
            )
            parts.append(f'<circle cx="{x:.1f}" cy="{y_of(bar.value):.1f}" r="4" fill="{colour}"/>')
            parts.append(f'<text class="note" x="{x + 7:.1f}" y="{y_of(bar.value) - 7:.1f}">{figure(bar.value)}</text>')
    return "\n".join(parts)


def _head(title: str, note: str, height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}"><style>{STYLE}</style>'
        f'<rect class="ground" width="{WIDTH}" height="{height:.0f}"/>'
        f'<text class="title" x="20" y="28">{escape(title)}</text>'
        f'<text class="note" x="20" y="47">{escape(note)}</text>'
    )


def _legend(colours: Mapping[str, str]) -> str:
    parts, x = [], 20.0
    for name, colour in colours.items():
        parts.append(f'<rect x="{x:.0f}" y="56" width="11" height="11" fill="{colour}"/>')
        parts.append(f'<text class="note" x="{x + 16:.0f}" y="66">{escape(name)}</text>')
        x += 34 + 7 * len(name)
    return "".join(parts)


def _cycled(count: int) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(count)]


def _step(most: float) -> float:
    """A round distance between lines, for about five of them."""
    rough = most / 5
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)


def _power(power: int) -> str:
    return f"{10**power:g}" if -3 < power < 6 else f"1e{power}"


def figure(value: float) -> str:
    """Two or three digits."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"
