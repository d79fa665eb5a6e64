"""Charts: marks on two axes become SVG that follows the reader's light or dark, with words for who cannot see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.reports.markup import Html, joined, tag
from chainrule.reports.scale import Axis

WIDTH, HEIGHT = 352, 244
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 24, 40
MOST_POINTS = 600
"""Of more points an even sample is drawn."""


@dataclass(frozen=True, eq=False)
class Line:
    """Points joined in their order; a value that is not finite leaves a gap."""

    x: Any
    y: Any
    name: str = ""
    color: int = 1
    dashed: bool = False


@dataclass(frozen=True, eq=False)
class Band:
    """The area between two lines."""

    x: Any
    low: Any
    high: Any
    color: int = 1
    name: str = ""


@dataclass(frozen=True, eq=False)
class Points:
    """Dots, with whiskers from ``low`` to ``high`` where these are given."""

    x: Any
    y: Any
    name: str = ""
    color: int = 1
    low: Any = None
    high: Any = None
    hollow: bool = False
    many: bool = False


@dataclass(frozen=True, eq=False)
class Bars:
    """Bars between edges, from the bottom of the chart to their heights."""

    edges: Any
    heights: Any
    color: int = 1
    name: str = ""


Mark = Line | Band | Points | Bars


def chart(title: str, x: Axis, y: Axis, marks: Sequence[Mark], caption: Any = "", words: str = "") -> Html:
    """A figure: the drawing, the key of its colors, and a caption. ``words`` tell the drawing to who cannot see it."""
    drawn = joined([_grid(x, y), *(_mark(mark, x, y) for mark in marks)])
    named = [mark for mark in marks if mark.name]
    key = joined(
        tag("li", tag("span", class_=f"key c{m.color} {type(m).__name__.lower()}{_manner(m)}"), m.name) for m in named
    )
    described = f"{x.label} across, {y.label} up. {words}".strip()
    picture = tag(
        "svg",
        tag("title", title),
        tag("desc", described),
        drawn,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        width=WIDTH,
        height=HEIGHT,
        role="img",
        aria_label=f"{title}. {described}",
    )
    legend = tag("ul", key, class_="keys") if named else ""
    return tag("figure", tag("h3", title), picture, legend, tag("figcaption", caption) if caption else "")


def figures(*parts: Html) -> Html:
    """Figures side by side as the page is wide."""
    return tag("div", *parts, class_="figures")


def spark(counts: Any, words: str) -> Html:
    """A histogram as small as a word."""
    heights = np.asarray(counts, float)
    top, step = max(float(heights.max(initial=0)), 1e-300), 96 / max(len(heights), 1)
    bars = joined(
        _bar(j * step, 24 * (1 - h / top), max(step - (1 if step > 4 else 0.3), 0.3), 24 * h / top, 1)
        for j, h in enumerate(heights)
    )
    return tag("svg", tag("title", words), bars, viewBox="0 0 96 24", width=96, height=24, role="img", class_="spark")


def gauge(value: float, low: float, high: float, begin: float, end: float, words: str) -> Html:
    """A value with its interval on a line from ``begin`` to ``end``, with a mark at 0."""

    def place(v: float) -> float:
        return 4 + 152 * (min(max(v, begin), end) - begin) / ((end - begin) or 1.0)

    zero = f'<path class="axis" d="M{place(0.0):.1f} 1V19"/>' if begin <= 0 <= end else ""
    shown = Html(
        f'{zero}<path class="line c1" d="M{place(low):.1f} 10H{place(high):.1f}"/>'
        f'<circle class="dot c1" cx="{place(value):.1f}" cy="10" r="4"/>'
    )
    return tag(
        "svg", tag("title", words), shown, viewBox="0 0 160 20", width=160, height=20, role="img", class_="gauge"
    )


def sampled(count: int, most: int = MOST_POINTS) -> np.ndarray:
    """Even places among ``count``, at most so many."""
    return np.arange(count) if count <= most else np.linspace(0, count - 1, most).astype(int)


def _grid(x: Axis, y: Axis) -> Html:
    """Ticks with their lines, and the names of the axes."""
    out = []
    for value, text in y.ticks:
        at = _down(y, value)
        out.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>')
        out.append(f'<text class="tick" x="{LEFT - 6}" y="{at + 3.5:.1f}" text-anchor="end">{text}</text>')
    for value, text in x.ticks:
        at = _across(x, value)
        out.append(f'<path class="grid" d="M{at:.1f} {HEIGHT - BOTTOM}v4"/>')
        out.append(f'<text class="tick" x="{at:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{text}</text>')
    out.append(f'<path class="axis" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>')
    names = [
        tag("text", x.label, class_="name", x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 6, text_anchor="middle"),
        tag("text", y.label, class_="name", x=2, y=11),
    ]
    return joined([*map(Html, out), *names])


def _mark(mark: Mark, x: Axis, y: Axis) -> Html:
    if isinstance(mark, Band):
        across, low, high = _across(x, mark.x), _down(y, mark.low), _down(y, mark.high)
        fine = np.isfinite(across) & np.isfinite(low) & np.isfinite(high)
        there = _path(across[fine], high[fine])
        back = _path(across[fine][::-1], low[fine][::-1]).replace("M", "L", 1)
        return Html(f'<path class="band c{mark.color}" d="{there}{back}Z"/>' if fine.any() else "")
    if isinstance(mark, Line):
        dashed = " dashed" if mark.dashed else ""
        return Html(f'<path class="line c{mark.color}{dashed}" d="{_path(_across(x, mark.x), _down(y, mark.y))}"/>')
    if isinstance(mark, Bars):
        edges, tops, floor = _across(x, mark.edges), _down(y, mark.heights), HEIGHT - BOTTOM
        bars = zip(edges[:-1], edges[1:], tops, strict=True)
        return joined(_bar(a, t, max(b - a - 0.8, 0.5), floor - t, mark.color) for a, b, t in bars)
    across, down = _across(x, mark.x), _down(y, mark.y)
    fine = np.isfinite(across) & np.isfinite(down)
    out = []
    if mark.low is not None and mark.high is not None:
        low, high = _down(y, mark.low), _down(y, mark.high)
        lines = "".join(f"M{across[i]:.1f} {low[i]:.1f}V{high[i]:.1f}" for i in np.flatnonzero(fine))
        out.append(f'<path class="line thin c{mark.color}" d="{lines}"/>')
    radius, kind = (1.9, "cloud") if mark.many else (3.6, "hollow" if mark.hollow else "dot")
    out += [
        f'<circle class="{kind} c{mark.color}" cx="{across[i]:.1f}" cy="{down[i]:.1f}" r="{radius}"/>'
        for i in np.flatnonzero(fine)
    ]
    return Html("".join(out))


def _manner(mark: Mark) -> str:
    dashed, hollow = getattr(mark, "dashed", False), getattr(mark, "hollow", False)
    return " dashed" if dashed else " hollow" if hollow else ""


def _bar(x: float, y: float, width: float, height: float, color: int) -> Html:
    return Html(
        f'<rect class="bar c{color}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{max(height, 0):.1f}"/>'
    )


def _across(axis: Axis, values: Any) -> Any:
    return LEFT + np.clip(axis.place(values), 0, 1) * (WIDTH - LEFT - RIGHT)


def _down(axis: Axis, values: Any) -> Any:
    return HEIGHT - BOTTOM - np.clip(axis.place(values), 0, 1) * (HEIGHT - TOP - BOTTOM)


def _path(across: np.ndarray, down: np.ndarray) -> str:
    out, pen = [], "M"
    for a, d in zip(np.atleast_1d(across), np.atleast_1d(down), strict=True):
        if np.isfinite(a) and np.isfinite(d):
            out.append(f"{pen}{a:.1f} {d:.1f}")
            pen = "L"
        else:
            pen = "M"
    return "".join(out)
