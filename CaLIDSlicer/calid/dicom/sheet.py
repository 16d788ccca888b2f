"""The contact sheet: every slice of a stack in a few phases, cut out around the heart, to be looked at."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from calid.atomic import write_atomically
from calid.stacks.heart import around_heart
from calid.stacks.stack import SliceStack

_TILE = 120
_MOST_PHASES = 6
_MARGIN_LEFT, _MARGIN_TOP, _LINE = 76, 24, 2
_CUT_OUT_MM = 160.0
_WINDOW_PERCENT = 1, 99.5
_TEXT, _BACKGROUND = 210, 20


def write_sheet(stack: SliceStack, path: Path) -> None:
    """Draw a stack as PNG: a row for each slice, with its number and place; a column for each phase, with its time.

    All tiles share one window, so that another intensity scale is seen.

    :raises UnusableInput: naming the file, if it cannot be written.
    """
    image = draw_sheet(stack)
    write_atomically(path, partial(image.save, format="PNG"))


def draw_sheet(stack: SliceStack) -> Image.Image:
    """The picture of :func:`write_sheet`, 8-bit grey."""
    phases = np.unique(np.linspace(0, len(stack.voxels), _MOST_PHASES, endpoint=False).astype(int))
    rows, columns = around_heart(stack, _CUT_OUT_MM)
    cut = stack.voxels[phases][:, :, rows, columns].astype(np.float32)
    low, high = np.percentile(cut, _WINDOW_PERCENT)
    grey = (255 * np.clip((cut - low) / max(float(high - low), 1e-6), 0, 1)).astype(np.uint8)
    height, width = _tile_size(stack, grey.shape[2:])
    count = grey.shape[1]
    size = (_MARGIN_LEFT + len(phases) * (width + _LINE), _MARGIN_TOP + count * (height + _LINE))
    sheet = Image.new("L", size, _BACKGROUND)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for column, phase in enumerate(phases):
        left = _MARGIN_LEFT + column * (width + _LINE)
        pen.text((left + 3, 5), _phase_name(stack, int(phase)), fill=_TEXT, font=font)
        for row in range(count):
            tile = Image.fromarray(grey[column, row]).resize((width, height), Image.Resampling.BILINEAR)
            sheet.paste(tile, (left, _MARGIN_TOP + row * (height + _LINE)))
    for row, position in enumerate(stack.positions):
        top = _MARGIN_TOP + row * (height + _LINE)
        pen.text((5, top + height // 2 - 14), f"{row + 1}", fill=_TEXT, font=font)
        pen.text((5, top + height // 2), f"{position:.1f} mm", fill=_TEXT, font=font)
    return sheet


def _phase_name(stack: SliceStack, phase: int) -> str:
    when = ""
    if stack.times is not None:
        when = f"  {1000 * stack.times[phase]:.0f} ms"
    elif stack.index is not None:
        when = f"  {float(stack.index.values[phase]):.0f} {stack.index.unit}"
    return f"phase {phase + 1}{when}"


def _tile_size(stack: SliceStack, shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width in pixels, as long as they are in mm."""
    down, along = stack.pixel_spacing
    height, width = shape[0] * down, shape[1] * along
    scale = _TILE / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))
