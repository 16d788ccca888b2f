"""Patients with experts' labels at end-diastole and end-systole, and what those labels measure.

The experts' volume is the area of their label in each slice times the distance between slices; papillary muscles count
as cavity, as in the labels of ACDC.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from calid.cohorts.acdc import PHASES, end_phase_files, read_index
from calid.errors import UnusableInput
from calid.files.reading import read_stack
from calid.measurement.volumes import GRAMS_PER_ML, counted_volumes, slab_lengths
from calid.stacks.stack import SliceStack


@dataclass(frozen=True, eq=False)
class Patient:
    """``stack`` with two phases, end-diastole and end-systole, and their ``labels`` (2, k, rows, columns).

    :param start_mm: of its first slice in the stack that it was thinned from.
    """

    name: str
    group: str
    stack: SliceStack
    labels: np.ndarray
    start_mm: float = 0.0

    @property
    def gap(self) -> float:
        """Mm between slices."""
        return float(np.median(self.stack.gaps))

    def thinned(self, start: int) -> Patient:
        """Every second slice only, beginning with ``start``."""
        kept = slice(start, None, 2)
        positions = self.stack.positions[kept]
        stack = replace(self.stack, voxels=self.stack.voxels[:, kept], positions=positions - positions[0])
        return replace(self, stack=stack, labels=self.labels[:, kept], start_mm=float(positions[0]))

    @property
    def reach(self) -> tuple[float, float]:
        """From where to where its slices stand for the heart, mm along the axis of the whole stack."""
        lengths = slab_lengths(self.stack.positions)
        first, last = self.start_mm, self.start_mm + self.stack.positions[-1]
        return float(first - lengths[0] / 2), float(last + lengths[-1] / 2)

    def expert(self) -> dict[str, float]:
        """The measures of the experts' labels, by the names of :func:`named`."""
        return self.measures_of(self.labels, slab_lengths(self.stack.positions))

    def measures_of(self, labels: np.ndarray, lengths: np.ndarray) -> dict[str, float]:
        """Of other labels, whose slices stand for ``lengths`` mm (k,)."""
        rows, columns = self.stack.pixel_spacing
        phases = [counted_volumes(each, lengths, rows * columns) for each in labels]
        return named({part: np.array([each[part] for each in phases]) for part in phases[0]})


def lengths_within(positions: np.ndarray, low: float, high: float) -> np.ndarray:
    """How many mm of a reach each slice stands for: those nearest to it, (k,)."""
    borders = np.concatenate([[-np.inf], (positions[1:] + positions[:-1]) / 2, [np.inf]])
    return np.diff(np.clip(borders, low, high))


def named(ml: dict[str, np.ndarray]) -> dict[str, float]:
    """Measures of volumes by parts of the heart at end-diastole and end-systole, in this order."""
    found = {"lv_mass_g": GRAMS_PER_ML * float(ml["wall"][0]), "wall_es_ml": float(ml["wall"][1])}
    for ventricle in ("lv", "rv"):
        edv, esv = (float(each) for each in ml[ventricle])
        found |= {f"{ventricle}_edv_ml": edv, f"{ventricle}_esv_ml": esv, f"{ventricle}_sv_ml": edv - esv}
        found[f"{ventricle}_ef_percent"] = 100 * (edv - esv) / edv if edv else float("nan")
    return found


def load_patients(data: Path, names: Sequence[str]) -> Iterator[Patient]:
    """One after the other; raises :class:`UnusableInput` before the first if ``data`` lacks any, naming them."""
    index = read_index(data / "index.json")
    files = {
        name: [end_phase_files(data, name, index[name][phase]) for phase in PHASES] for name in names if name in index
    }
    missing = [n for n in names if n not in files or not all(f.is_file() for pair in files[n] for f in pair)]
    if missing:
        raise UnusableInput(
            f"{data} lacks {len(missing)} of {len(names)} patients: {', '.join(missing)}",
            "add their stacks and label maps under ed_es/, and their entries in index.json",
        )
    return (_load(name, index[name].get("group", ""), files[name]) for name in names)


def _load(name: str, group: str, files: list[tuple[Path, Path]]) -> Patient:
    images = [read_stack(image) for image, _ in files]
    labels = [read_stack(label).voxels[0] for _, label in files]
    if len({each.voxels.shape for each in images} | {(1, *each.shape) for each in labels}) > 1:
        raise UnusableInput(f"{files[0][0]} and its label map or other phase differ in shape", "check the files")
    voxels = np.concatenate([each.voxels for each in images])
    return Patient(name, group, replace(images[0], voxels=voxels), np.stack(labels))
