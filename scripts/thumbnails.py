"""The thumbnails of the sample data: ``python scripts/thumbnails.py`` renders them into the resources of the module.

Above, a short-axis slice in the middle of the stack; below, a long-axis cut through all its slices, as thick as they
are. The cine shows both at the two ends of the beat.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from calid.files.reading import read_stack
from calid.phantom.beating_heart import make_phantom

FOLDER = Path(__file__).resolve().parents[1] / "CaLIDSlicer" / "Resources" / "SampleData"
WIDTH, HEIGHT = 260, 280
CUT_HEIGHT = 100
SLICES, GAP, PIXEL, MATRIX = 8, 10.0, 1.6, (128, 128)
PHASES, END_SYSTOLE = 12, 4
HEART, HEART_END_SYSTOLE = "SunnybrookCine", 6


def main() -> None:
    """Write one thumbnail for each sample."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    heart = read_stack(FOLDER / f"{HEART}.seq.nrrd").voxels
    _write(heart[[0, HEART_END_SYSTOLE]], FOLDER / f"{HEART}.png")
    voxels = make_phantom(PHASES, SLICES, GAP, PIXEL, MATRIX).sparse.voxels
    _write(voxels[[0, END_SYSTOLE]], FOLDER / "CaLIDPhantomCine.png")
    _write(voxels[[0]], FOLDER / "CaLIDPhantom.png")


def _write(phases: np.ndarray, path: Path) -> None:
    """Write (phases, slices, rows, columns), a column of the picture for each phase, as grey PNG."""
    grey = np.clip(phases / np.percentile(phases, 99.5) * 255, 0, 255).astype(np.uint8)
    picture = Image.new("L", (WIDTH, HEIGHT))
    width = WIDTH // len(grey)
    rows, columns = _window(grey.shape[2:], width / (HEIGHT - CUT_HEIGHT))
    for column, stack in enumerate(grey):
        left = column * width + 1
        cut = stack[::-1, stack.shape[1] // 2, columns]  # from the base, above, to the apex
        picture.paste(_resized(stack[len(stack) // 2, rows, columns], (width - 2, HEIGHT - CUT_HEIGHT - 2)), (left, 0))
        picture.paste(_resized(cut, (width - 2, CUT_HEIGHT)), (left, HEIGHT - CUT_HEIGHT))
    picture.save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def _window(matrix: tuple[int, ...], aspect: float) -> tuple[slice, slice]:
    """Rows and columns of the middle of a slice, three quarters of it high, with a given width : height."""
    height = matrix[0] * 3 // 4
    width = min(matrix[1], round(height * aspect))
    top, left = (matrix[0] - height) // 2, (matrix[1] - width) // 2
    return slice(top, top + height), slice(left, left + width)


def _resized(image: np.ndarray, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(image)).resize(size, Image.Resampling.NEAREST)


if __name__ == "__main__":
    main()
