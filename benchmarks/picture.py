"""A chart as a plain SVG: lines over a logarithmic axis, each named at its end."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import escape

WIDTH, HEIGHT = 960, 600
LEFT, RIGHT, TOP, BOTTOM = 64, 250, 48, 56
LINE: Final = 15
"""The height of a name, in pixels: names are at least so far apart."""

COLOURS: Final = ("#1b6ca8", "#b5541c", "#4a7f2c", "#7d4fa0", "#a02c48", "#2f7f7a", "#8a6d1a")
STYLE: Final = (
    "text{font:12px sans-serif;fill:#222}.t{font-size:15px;font-weight:bold}.b{font-weight:bold}"
    ".g{stroke:#ddd}.a{stroke:#222}.l{fill:none;stroke-width:1.4}.l.b{stroke-width:3}"
    ".k{stroke:#999;stroke-dasharray:2 3}"
)


@dataclass(frozen=True, slots=True)
class Series:
    """A line through *points* (x above 0, y), or a lone dot; *is_bold* where eyes should go."""

    name: str
    points: Sequence[tuple[float, float]]
    is_bold: bool = False


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where values stand: x from *low* to *high* by its logarithm, y from *floor* to *top*."""

    low: float
    high: float
    floor: float
    top: float

    def x(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.floor) / (self.top - self.floor)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def chart(series: Sequence[Series], *, title: str, x: str, y: str, top: float = 1.0) -> str:
    """Return *series* as one SVG document; *x* and *y* name the axes, y ends at *top*.

    Names stand at the right edge, in the order of the lines' ends. Raises ValueError where there is
    nothing to draw.
    """
    points = [point for each in series for point in each.points]
    if not points:
        raise ValueError("there are no points to draw")
    frame = _frame(points, top)
    drawn = [each for each in series if each.points]
    names = _spread([frame.y(each.points[-1][1]) for each in drawn])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text class="t" x="{LEFT}" y="26">{escape(title)}</text>',
        *_axes(frame, x, y),
    ]
    for number, (each, at) in enumerate(zip(drawn, names, strict=True)):
        parts += _line(frame, each, COLOURS[number % len(COLOURS)], at)
    return "\n".join([*parts, "</svg>", ""])


def _frame(points: Sequence[tuple[float, float]], top: float) -> _Frame:
    """Return a frame around *points*, with room left and right."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    floor = min(0.0, math.floor(10 * min(ys)) / 10)
    return _Frame(min(xs) / 1.3, max(xs) * 1.3, floor, top)


def _axes(frame: _Frame, x: str, y: str) -> list[str]:
    """Return both axes, their names and the grid: tenths up, 1-2-5 steps to the right."""
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    for tenth in range(round(10 * frame.floor), round(10 * frame.top) + 1):
        at = frame.y(tenth / 10)
        parts.append(f'<path class="g" d="M{LEFT} {at:.1f}H{right}"/>')
        parts.append(
            f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{tenth / 10:g}</text>'
        )
    for value in _steps(frame.low, frame.high):
        at = frame.x(value)
        parts.append(f'<path class="g" d="M{at:.1f} {TOP}V{bottom}"/>')
        parts.append(f'<text x="{at:.1f}" y="{bottom + 18}" text-anchor="middle">{value:,g}</text>')
    middle = (LEFT + right) / 2
    parts.append(f'<path class="a" fill="none" d="M{LEFT} {TOP}V{bottom}H{right}"/>')
    parts.append(f'<text x="{middle:g}" y="{HEIGHT - 14}" text-anchor="middle">{escape(x)}</text>')
    turned = f'transform="rotate(-90 18 {HEIGHT / 2:g})"'
    parts.append(
        f'<text x="18" y="{HEIGHT / 2:g}" text-anchor="middle" {turned}>{escape(y)}</text>'
    )
    return parts


def _steps(low: float, high: float) -> list[float]:
    """Return the round numbers 1, 2 and 5 times a power of ten from *low* to *high*."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    return [value for value in every if low <= value <= high]


def _line(frame: _Frame, series: Series, colour: str, at: float) -> list[str]:
    """Return one line, its last point, and its name at height *at*, led to by a thin line."""
    places = [(frame.x(x), frame.y(y)) for x, y in series.points]
    right, weight = WIDTH - RIGHT, " b" if series.is_bold else ""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    end_x, end_y = places[-1]
    size = 5 if series.is_bold else 3.5
    return [
        f'<polyline class="l{weight}" stroke="{colour}" points="{path}"/>',
        f'<circle cx="{end_x:.1f}" cy="{end_y:.1f}" r="{size}" fill="{colour}"/>',
        f'<path class="k" fill="none" d="M{end_x:.1f} {end_y:.1f}L{right + 10} {at:.1f}"/>',
        f'<text class="{weight.strip()}" x="{right + 14}" y="{at + 4:.1f}" '
        f'style="fill:{colour}">{escape(series.name)}</text>',
    ]


def _spread(wanted: Sequence[float]) -> list[float]:
    """Return heights for names near those *wanted*, in their order, `LINE` apart and in the frame.

    From the top down each goes below the last; then whatever fell out of the frame is pushed up.
    """
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    heights = [0.0] * len(wanted)
    least = float(TOP)
    for place in order:
        heights[place] = max(wanted[place], least)
        least = heights[place] + LINE
    most = float(HEIGHT - BOTTOM)
    for place in reversed(order):
        heights[place] = min(heights[place], most)
        most = heights[place] - LINE
    return heights
