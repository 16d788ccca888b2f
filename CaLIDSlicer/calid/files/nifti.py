"""NIfTI by nibabel: headers of both editions, units and scaling; and which geometry counts where a header has several.

A header can say where its voxels are in three ways (nifti1.h): ``sform``, an affine; ``qform``, a rotation and an
offset together with ``pixdim``; and ``pixdim`` alone. They are meant to agree. The rule here:

1. A part whose code is 0 was never filled in, and is not asked.
2. An ``sform`` that has direction cosines and no sizes gets those of ``pixdim``, as much clinical NIfTI means it.
3. An ``sform`` whose sizes are those of ``pixdim`` counts, before the ``qform``. Otherwise the ``qform`` does, if there
   is one: two parts of three say the same. Without one, the ``sform`` counts, as the standard has it.
4. Where any two parts disagree, a remark says so with both numbers.
5. A part that was filled in and is damaged (not finite, a quaternion longer than 1) does not count; a remark says so.
6. Nothing is safe, and the file is refused, where no sound part is left but ``pixdim``, which has no directions, or an
   ``sform`` whose axes are sheared or have no length.

``scl_slope`` 0 means no scaling, ``vox_offset`` 0 of a single file the end of the header, a unit of m or µm is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nibabel import nifti1, nifti2
from nibabel.spatialimages import HeaderDataError

from calid.errors import UnusableInput
from calid.files.image import Image, check_sizes, check_spacing
from calid.files.streams import decompressed, read_voxels
from calid.stacks.phases import PhaseIndex
from calid.stacks.stack import GRID_TOLERANCE_MM, PERPENDICULAR_TOLERANCE, not_finite

_RAS_TO_LPS = np.diag([-1.0, -1, 1, 1])
_MM = {"meter": 1e3, "mm": 1.0, "micron": 1e-3, "unknown": 1.0}
_TIME_UNITS = {"sec": "s", "msec": "ms", "usec": "us", "hz": "Hz", "ppm": "ppm", "rads": "rad/s"}
_HEADERS = {348: nifti1.Nifti1Header, 540: nifti2.Nifti2Header}
_PAIRS = {b"ni1": nifti1.Nifti1PairHeader, b"ni2": nifti2.Nifti2PairHeader}
_QUATERNION = ("quatern_b", "quatern_c", "quatern_d")
_EXACT_INTEGERS = 2
"""Bytes of the largest integers that float32 holds exactly, with room for a slope."""


def read_nifti(path: Path) -> Image:
    """A NIfTI file, or a pair of .hdr and .img."""
    header_path, voxel_path = _files(path)
    is_pair = header_path != voxel_path
    with decompressed(header_path) as file:
        header = _header(file.read(540), is_pair)
    try:
        sizes, dtype, offset = _sizes(header), header.get_data_dtype(), _offset(header, is_pair)
        geometry, remarks = _Geometry.of(header).decide()
        spatial, temporal = _units(header)
    except (HeaderDataError, ValueError, KeyError, IndexError, OverflowError) as error:
        raise UnusableInput(f"it cannot be read: its header is damaged ({error})", "export it again") from error
    with decompressed(voxel_path) as file:
        file.read(offset)
        voxels = read_voxels(file, sizes, dtype)
    _check_finite(voxels)
    affine = _RAS_TO_LPS @ np.diag([spatial, spatial, spatial, 1.0]) @ geometry
    return Image(_scaled(voxels, header), affine, _index(header, sizes, temporal), tuple(remarks))


def _sizes(header: nifti1.Nifti1Header) -> list[int]:
    """Of the axes of space and, if there is more than one phase, of time."""
    sizes, dtype = [int(size) for size in header.get_data_shape()], header.get_data_dtype()
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    check_sizes(sizes[:4], len(dtype.fields) if dtype.fields else sizes[4] if len(sizes) == 5 and sizes[3] == 1 else 1)
    check_sizes(sizes)
    return sizes


def _units(header: nifti1.Nifti1Header) -> tuple[float, str]:
    """mm of one unit of space, and the unit of time."""
    try:
        space, time = header.get_xyzt_units()
    except KeyError:  # a code that there is not
        return 1.0, ""
    return _MM.get(space, 1.0), _TIME_UNITS.get(time, "")


def _files(path: Path) -> tuple[Path, Path]:
    """Where the header is and where the voxels are."""
    if path.suffix.lower() not in (".hdr", ".img"):
        return path, path
    pair = [path.with_suffix(end.upper() if path.suffix.isupper() else end) for end in (".hdr", ".img")]
    for part in pair:
        if not part.is_file():
            raise UnusableInput(f"{part.name}, its other half, is missing", "put both files into one folder")
    return pair[0], pair[1]


def _header(raw: bytes, is_pair: bool) -> nifti1.Nifti1Header:
    """The header in the first bytes of a file, in either byte order."""
    size = {int.from_bytes(raw[:4], order) for order in ("little", "big")} & set(_HEADERS)
    if not size or len(raw) < min(size):
        raise UnusableInput(
            f"it cannot be read: it is no NIfTI file, or damaged ({len(raw)} bytes of a header of 348 or 540)",
            "check that it is a complete image file",
        )
    length = size.pop()
    magic = raw[4:7] if length == 540 else raw[344:347]
    kind = _PAIRS.get(magic) if is_pair else _HEADERS[length]
    if kind is None:
        raise UnusableInput("it is an Analyze file, which does not say where it lies", "convert it to NIfTI")
    try:
        return kind(raw[:length], check=False)
    except (HeaderDataError, ValueError) as error:
        raise UnusableInput(f"it cannot be read: its header is damaged ({error})", "export it again") from error


def _offset(header: nifti1.Nifti1Header, is_pair: bool) -> int:
    offset = float(header["vox_offset"])
    first = 0 if is_pair else header.single_vox_offset
    if not np.isfinite(offset) or offset < 0 or 0 < offset < header.sizeof_hdr * (not is_pair):
        raise UnusableInput(
            f"the voxels are said to begin at byte {offset:g}", "export it again: its header is damaged"
        )
    return int(offset) or first


def _scaled(voxels: np.ndarray, header: nifti1.Nifti1Header) -> np.ndarray:
    """With the slope and intercept of the header; as they are where these change nothing or are none."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if not np.isfinite(slope) or slope == 0:
        return voxels
    intercept = intercept if np.isfinite(intercept) else 0.0
    if (slope, intercept) == (1.0, 0.0):
        return voxels
    is_small = voxels.dtype.kind in "iu" and voxels.dtype.itemsize <= _EXACT_INTEGERS
    return (voxels * np.float64(slope) + intercept).astype(
        np.float32 if is_small or voxels.dtype == np.float32 else float
    )


def _check_finite(voxels: np.ndarray) -> None:
    if voxels.dtype.kind == "f" and not np.isfinite(voxels).all():
        phases = voxels if voxels.ndim == 4 else voxels[np.newaxis]
        counts = (~np.isfinite(phases)).sum(axis=(1, 2, 3))
        raise not_finite(int(counts.sum()), int(np.flatnonzero(counts)[0]), len(counts))


def _index(header: nifti1.Nifti1Header, sizes: list[int], unit: str) -> PhaseIndex | None:
    if len(sizes) < 4:
        return None
    step, start = float(header["pixdim"][4]), float(header["toffset"])
    if not np.isfinite([start, step]).all() or step <= 0:
        return None
    return PhaseIndex.even(_shortest(start), _shortest(step), sizes[3], unit)


def _shortest(number: float) -> float:
    """A float32 as it was meant: 0.04, not 0.03999999910593033."""
    return float(str(np.float32(number)))


@dataclass(frozen=True)
class _Geometry:
    """What the three parts of a header say, RAS mm; ``None`` for a part that was not filled in, or is damaged."""

    sizes: np.ndarray
    pixdim: np.ndarray
    qform: np.ndarray | None
    sform: np.ndarray | None
    damaged: tuple[str, ...] = ()

    @classmethod
    def of(cls, header: nifti1.Nifti1Header) -> _Geometry:
        sizes = np.array([*header.get_data_shape(), 1, 1][:3])
        pixdim = np.array(header["pixdim"][1:4], dtype=np.float64)
        check_spacing(pixdim.tolist())
        given = {"qform": _qform(header), "sform": header.get_sform() if header["sform_code"] > 0 else None}
        damaged = tuple(
            f"its {name} is damaged ({_numbers(header, name)})"
            for name, affine in given.items()
            if affine is not None and not np.isfinite(affine).all()
        )
        sound = {name: affine if _is_finite(affine) else None for name, affine in given.items()}
        return cls(sizes, pixdim, sound["qform"], sound["sform"], damaged)

    def decide(self) -> tuple[np.ndarray, list[str]]:
        """The affine that counts, and remarks."""
        if self.damaged and self.sform is None and self.qform is None:
            raise UnusableInput(
                f"{' and '.join(self.damaged)}, and nothing else says where it lies", "export it again, or repair it"
            )
        affine, remarks = self._choose()
        used = "sform" if self.qform is None else "qform"
        return affine, [*remarks, *(f"{part}; the {used} is used" for part in self.damaged)]

    def _choose(self) -> tuple[np.ndarray, list[str]]:
        """Between the parts that are sound."""
        sform, qform = self.sform, self.qform
        if sform is None:
            return (np.diag([*self.pixdim, 1.0]) if qform is None else qform), []
        if self._has_no_sizes(sform):
            sform = sform @ np.diag([*self.pixdim, 1.0])
        lengths = np.linalg.norm(sform[:3, :3], axis=0)
        if qform is None:
            if self._is_off(lengths):
                used = "the sform is used, as the standard says"
                return sform, [f"{_differing(lengths, self.pixdim)}; {used}. Check that the heart has its size"]
            return sform, []
        away = self._largest_distance(sform, qform)
        if away <= GRID_TOLERANCE_MM:
            return sform, []
        if not _is_box(sform):
            is_flat = not np.linalg.norm(sform[:3, :3], axis=0).all()
            what = "has an axis without length" if is_flat else "is sheared"
            return qform, [f"its sform {what}, and is up to {away:.4g} mm off the qform; the qform is used"]
        if self._is_off(lengths):
            return qform, [f"{_differing(lengths, self.pixdim)}; the qform is used, which goes with pixdim"]
        return sform, [f"its sform and its qform are up to {away:.4g} mm apart; the sform is used"]

    def _has_no_sizes(self, sform: np.ndarray) -> bool:
        cosines = sform[:3, :3]
        return bool(np.abs(cosines.T @ cosines - np.eye(3)).max() <= PERPENDICULAR_TOLERANCE) and self._is_off(
            np.ones(3)
        )

    def _is_off(self, lengths: np.ndarray) -> bool:
        """Whether sizes differ from those of ``pixdim`` by more than rounding, over the whole image."""
        return bool((np.abs(lengths - self.pixdim) * self.sizes).max() > GRID_TOLERANCE_MM)

    def _largest_distance(self, one: np.ndarray, other: np.ndarray) -> float:
        corners = np.array([[*((self.sizes - 1) * corner), 1] for corner in np.ndindex(2, 2, 2)])
        return float(np.linalg.norm(corners @ (one - other).T, axis=1).max())


def _qform(header: nifti1.Nifti1Header) -> np.ndarray | None:
    """The qform that was filled in; not a number where its quaternion is none of a rotation."""
    if header["qform_code"] <= 0:
        return None
    try:
        return np.asarray(header.get_qform())
    except (HeaderDataError, ValueError):
        return np.full((4, 4), np.nan)


def _numbers(header: nifti1.Nifti1Header, part: str) -> str:
    """What is damaged in a part: numbers that are none, or else its quaternion."""
    names = ("srow_x", "srow_y", "srow_z") if part == "sform" else (*_QUATERNION, "qoffset_x", "qoffset_y", "qoffset_z")
    numbers = {name: np.ravel(header[name]) for name in names}
    odd = [name for name in names if not np.isfinite(numbers[name]).all()] or list(_QUATERNION)
    return ", ".join(f"{name} {' '.join(f'{number:.4g}' for number in numbers[name])}" for name in odd)


def _is_finite(affine: np.ndarray | None) -> bool:
    return affine is not None and bool(np.isfinite(affine).all())


def _is_box(affine: np.ndarray) -> bool:
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not (lengths > 0).all():
        return False
    cosines = affine[:3, :3] / lengths
    return bool(np.abs(cosines.T @ cosines - np.eye(3)).max() <= PERPENDICULAR_TOLERANCE)


def _differing(lengths: np.ndarray, pixdim: np.ndarray) -> str:
    """Both sizes, of the axes where they differ most."""
    one, other = (" x ".join(f"{length:.4g}" for length in sizes) for sizes in (lengths, pixdim))
    return f"its voxels are {one} mm by its sform, but {other} mm by its pixdim"
