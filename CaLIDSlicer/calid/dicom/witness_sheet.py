"""The picture of the witnesses: acquired, before and after, side by side on the plane of each long axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from calid.atomic import write_atomically
from calid.dicom import cycle
from calid.dicom.witnesses import Witness
from calid.stacks.agreement import correlation

_TILE, _LINE, _TEXT_HEIGHT = 260, 3, 22
_TEXT, _BACKGROUND = 210, 20
_WINDOW_PERCENT = 1, 99.5


def write_witnesses(witnesses: Sequence[Witness], names: Sequence[str], path: Path) -> None:
    """Draw witnesses as PNG: for each a row at end-diastole and one at end-systole, acquired | before | after.

    :param names: of the views.
    :raises UnusableInput: naming the file, if it cannot be written.
    """
    image = draw_witnesses(witnesses, names)
    write_atomically(path, partial(image.save, format="PNG"))


def draw_witnesses(witnesses: Sequence[Witness], names: Sequence[str]) -> Image.Image:
    """The picture of :func:`write_witnesses`, 8-bit grey."""
    rows = [row for witness, name in zip(witnesses, names, strict=True) for row in _rows(witness, name)]
    width = 3 * (_TILE + _LINE) + _LINE
    height = sum(tiles[0].height + _TEXT_HEIGHT + _LINE for _, tiles in rows)
    sheet = Image.new("L", (width, height), _BACKGROUND)
    pen, font, top = ImageDraw.Draw(sheet), ImageFont.load_default(12), 0
    for texts, tiles in rows:
        for column, (text, tile) in enumerate(zip(texts, tiles, strict=True)):
            left = _LINE + column * (_TILE + _LINE)
            pen.text((left + 2, top + 4), text, fill=_TEXT, font=font)
            sheet.paste(tile, (left, top + _TEXT_HEIGHT))
        top += tiles[0].height + _TEXT_HEIGHT + _LINE
    return sheet


def _rows(witness: Witness, name: str) -> Iterator[tuple[list[str], list[Image.Image]]]:
    """Texts and tiles of the phases that are shown."""
    cuts = witness.acquired, witness.before, witness.after
    grey = [_grey(witness.acquired, witness.acquired), *(_grey(cut, witness.before) for cut in cuts[1:])]
    systole = cycle.end_systole([witness.acquired])
    for phase in dict.fromkeys((0, systole)):
        scores = [correlation(cut[phase], cuts[0][phase], witness.region) for cut in cuts[1:]]
        texts = [f"{name}, phase {phase + 1}", f"before (linear): {scores[0]:.3f}", f"after (dense): {scores[1]:.3f}"]
        yield texts, [_tile(images[phase], witness.spacing) for images in grey]


def _grey(cuts: np.ndarray, like: np.ndarray) -> np.ndarray:
    """8-bit grey, black where nothing is known, in the window of other cuts, so that both can be compared."""
    low, high = np.nanpercentile(like, _WINDOW_PERCENT)
    return np.nan_to_num(255 * np.clip((cuts - low) / max(float(high - low), 1e-6), 0, 1)).astype(np.uint8)


def _tile(image: np.ndarray, spacing: tuple[float, float]) -> Image.Image:
    """As wide as every other, and as high as it is in mm beside that."""
    rows, columns = image.shape
    height = max(1, round(_TILE * rows * spacing[0] / (columns * spacing[1])))
    return Image.fromarray(image).resize((_TILE, height), Image.Resampling.BILINEAR)
