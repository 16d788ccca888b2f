"""A histogram as SVG, for a page without scripts or files beside it."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

_WIDTH, _HEIGHT, _BASE, _TOP = 280, 120, 18, 14
_MOST_BARS = 24


def histogram(values: Sequence[float], title: str) -> str:
    """A figure with the median marked, lowest and highest value below, and how many a bar stands for on pointing."""
    counts, edges = np.histogram(values, bins=min(_MOST_BARS, max(1, int(np.sqrt(len(values))) * 2)))
    span, step = float(edges[-1] - edges[0]), _WIDTH / len(counts)
    room = _HEIGHT - _BASE - _TOP
    bars = []
    for n, count in enumerate(counts):
        tall = room * count / counts.max()
        bars.append(
            f'<rect x="{n * step:.1f}" y="{_HEIGHT - _BASE - tall:.1f}" width="{max(step - 1, 1):.1f}" '
            f'height="{tall:.1f}"><title>{edges[n]:.4g} to {edges[n + 1]:.4g}: {count}</title></rect>'
        )
    middle = float(np.median(values))
    x = _WIDTH * (middle - edges[0]) / span
    side = "end" if x > _WIDTH / 2 else "start"
    return (
        f'<figure><figcaption>{html.escape(title)}</figcaption><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
        f'{"".join(bars)}<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BASE}"/>'
        f'<text x="{x:.1f}" y="10" text-anchor="{side}">median {middle:.4g}</text>'
        f'<text x="0" y="{_HEIGHT - 4}">{min(values):.4g}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT - 4}" text-anchor="end">{max(values):.4g}</text></svg></figure>'
    )
