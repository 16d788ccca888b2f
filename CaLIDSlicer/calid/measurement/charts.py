"""Drawings of measures as SVG: the volumes of a beat, and the 17 segments as a bullseye. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

COLOURS = {"lv": "#d0453a", "wall": "#e8a92c", "rv": "#3b82d6"}
"""Of cavity and wall of the left ventricle and of the right one, wherever they are drawn."""

THICKNESS_MM, THICKENING_PERCENT = (4.0, 14.0), (0.0, 100.0)
"""From the palest to the darkest segment of a bullseye."""

_WIDTH, _HEIGHT = 420, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 12, 14, 32
_MOST_TICKS = 6
_STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000)

_CENTRE, _RADII = 110, (25, 52, 78, 104)
"""Of the apex and of three rings around it, in a square of twice the centre."""
_TOP_DEGREES = 90


@dataclass(frozen=True)
class Line:
    """A curve over the phases: ml at each, how it is coloured, and whether it is dashed."""

    ml: Sequence[float]
    colour: str
    dashed: bool = False


def volume_curve(lines: Sequence[Line], times_ms: Sequence[float] | None, marked: Mapping[str, int]) -> str:
    """Volumes over the phases, whose numbers stand below where nobody knows the times.

    :param marked: numbers (from 0) of the phases that are marked by a name.
    """
    count = len(lines[0].ml)
    x = list(range(1, count + 1)) if times_ms is None else list(times_ms)
    most = max(max(line.ml) for line in lines)
    across, up = _ticks(x[0], x[-1]), _ticks(0, most)
    low, high, top = x[0], x[-1], max(up[-1], most)

    def place(at: float, ml: float) -> tuple[float, float]:
        right, below = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return _LEFT + right * (at - low) / (high - low), _TOP + below * (1 - ml / top)

    parts = [_grid_line(place(low, ml), place(high, ml), f"{ml:g}") for ml in up]
    parts += [_text(place(at, 0)[0], _HEIGHT - _BOTTOM + 14, f"{at:g}") for at in across]
    for name, phase in marked.items():
        (at, bottom), (_, end) = place(x[phase], 0), place(x[phase], top)
        parts.append(f'<path d="M{at:.1f} {bottom:.1f}V{end:.1f}" stroke="#999" stroke-dasharray="2 3"/>')
        parts.append(_text(at, _TOP - 4, name))
    for line in lines:
        points = " ".join("{:.1f},{:.1f}".format(*place(at, ml)) for at, ml in zip(x, line.ml, strict=True))
        style = 'stroke-width="1" stroke-dasharray="3 3"' if line.dashed else 'stroke-width="2"'
        parts.append(f'<polyline points="{points}" fill="none" stroke="{line.colour}" {style}/>')
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 4, "phase" if times_ms is None else "ms"))
    parts.append(_text(_LEFT - 6, _TOP - 4, "ml", "end"))
    return _svg(_WIDTH, _HEIGHT, parts)


def bullseye(values: Mapping[int, float], low: float, high: float) -> str:
    """The segments of the American Heart Association by their numbers, seen from the apex, the anterior wall up.

    :param values: what is written in each; from ``low`` to ``high`` it is the darker. Segments without one are empty.
    """
    parts = []
    for number in range(1, 18):
        value = values.get(number)
        parts.append(f'<path d="{_outline(number)}" fill="{_shade(value, low, high)}" stroke="#666"/>')
        radius, degrees = _middle(number)
        x, y = _polar(radius, degrees)
        parts.append(_text(x, y + 4, "–" if value is None else f"{value:.0f}" if high > 50 else f"{value:.1f}"))
    return _svg(2 * _CENTRE, 2 * _CENTRE, parts)


def _ticks(low: float, high: float) -> list[float]:
    step = next((step for step in _STEPS if (high - low) / step <= _MOST_TICKS), _STEPS[-1])
    return [step * n for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _ring(number: int) -> tuple[int, float, float]:
    """Which ring a segment lies in, counted from the apex, and where it begins and ends, degrees against the clock."""
    if number == 17:
        return 0, 0, 360
    ring, first, width = (3, 1, 60) if number <= 6 else (2, 7, 60) if number <= 12 else (1, 13, 90)
    middle = _TOP_DEGREES + width * (number - first)
    return ring, middle - width / 2, middle + width / 2


def _middle(number: int) -> tuple[float, float]:
    ring, start, end = _ring(number)
    return (0.0 if ring == 0 else (_RADII[ring] + _RADII[ring - 1]) / 2), (start + end) / 2


def _outline(number: int) -> str:
    ring, start, end = _ring(number)
    outer, inner = _RADII[ring], _RADII[ring - 1]
    if ring == 0:
        left, right, y = _CENTRE - outer, _CENTRE + outer, _CENTRE
        return f"M{left} {y}A{outer} {outer} 0 1 1 {right} {y}A{outer} {outer} 0 1 1 {left} {y}Z"
    corners = (_polar(inner, start), _polar(outer, start), _polar(outer, end), _polar(inner, end))
    a, b, c, d = (f"{x:.1f} {y:.1f}" for x, y in corners)
    return f"M{a}L{b}A{outer} {outer} 0 0 0 {c}L{d}A{inner} {inner} 0 0 1 {a}Z"


def _polar(radius: float, degrees: float) -> tuple[float, float]:
    angle = math.radians(degrees)
    return _CENTRE + radius * math.cos(angle), _CENTRE - radius * math.sin(angle)


def _shade(value: float | None, low: float, high: float) -> str:
    """From white to a blue that black numbers can still be read on."""
    if value is None:
        return "#eee"
    share = min(max((value - low) / (high - low), 0.0), 1.0)
    return "#" + "".join(f"{round(255 - share * (255 - full)):02x}" for full in (110, 165, 225))


def _grid_line(start: tuple[float, float], end: tuple[float, float], name: str) -> str:
    line = f'<path d="M{start[0]:.1f} {start[1]:.1f}H{end[0]:.1f}" stroke="#ddd"/>'
    return line + _text(start[0] - 6, start[1] + 4, name, "end")


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    box = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-size="11" role="img">{"".join(parts)}</svg>'
