"""The first bytes of the image files that are written: NRRD, MetaImage and NIfTI-1, little-endian.

The voxels follow phase after phase, so a file can be written while its last phase is still being made. A NRRD cine is
what 3D Slicer writes as a volume sequence (``vtkMRMLVolumeSequenceStorageNode``): a list axis, here the last, with the
index values in ``axis 3 index values``.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from calid.stacks.layout import Layout

_META_TYPES = {
    "int8": "CHAR",
    "uint8": "UCHAR",
    "int16": "SHORT",
    "uint16": "USHORT",
    "int32": "INT",
    "uint32": "UINT",
    "int64": "LONG_LONG",
    "uint64": "ULONG_LONG",
    "float32": "FLOAT",
    "float64": "DOUBLE",
}
_NRRD_START = b"NRRD0004\n# Format: http://teem.sourceforge.net/nrrd/format.html"
_NIFTI_BYTES = 352
_DIM, _PIXDIM, _XYZT_UNITS, _TIME_OFFSET = 40, 76, 123, 136
_MM, _SECONDS = 2, 8


def nrrd_header(layout: Layout, metadata: Mapping[str, str], is_sequence: bool, length: int = 0) -> bytes:
    """A NRRD header, up to the empty line; the voxels follow as a gzip stream.

    :param is_sequence: write a list axis even for a single phase.
    :param length: of the header in bytes; blanks in a comment make it that long.
    """
    columns = layout.affine[:3, :3].T
    fields = {
        "type": {"float32": "float", "float64": "double"}.get(layout.dtype.name, layout.dtype.name),
        "dimension": "4" if is_sequence else "3",
        "space": "left-posterior-superior",
        "sizes": _join([*layout.shape[:0:-1], *layout.shape[: int(is_sequence)]]),
        "space directions": " ".join([*map(_vector, columns), *["none"] * is_sequence]),
        "kinds": "domain domain domain" + " list" * is_sequence,
        "endian": "little",
        "encoding": "gzip",
        "space origin": _vector(layout.origin),
    }
    keys = dict(metadata)
    if is_sequence:
        name, unit, values = _index(layout)
        fields |= {"labels": f'"" "" "" "{name}"', "units": f'"" "" "" "{unit}"'}
        keys = {
            "DataNodeClassName": "vtkMRMLScalarVolumeNode",
            "axis 3 index type": "numeric",
            "axis 3 index values": " ".join(values),
            **keys,
        }
    lines = [f"{name}: {value}" for name, value in fields.items()]
    lines += [f"{name}:={_escaped(value)}" for name, value in keys.items()]
    text = "\n".join([*lines, "", ""]).encode()
    return _NRRD_START.ljust(length - len(text) - 1) + b"\n" + text


def _index(layout: Layout) -> tuple[str, str, list[str]]:
    """Name, unit and values of the list axis. Slicer replaces a phase by the next one that has the same value."""
    values = [f"{1000 * time:.12g}" for time in layout.times or ()]
    if len(set(values)) == layout.shape[0]:
        return "time", "ms", values
    return "frame", "", [str(phase) for phase in range(layout.shape[0])]


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def meta_header(layout: Layout, metadata: Mapping[str, str], compressed_bytes: int) -> bytes:
    """A MetaImage header; ``compressed_bytes`` of a zlib stream follow. Its length does not depend on their number."""
    dimension = 3 if layout.shape[0] == 1 else 4
    start, step = layout.time_axis or (0.0, 1.0)
    directions = np.eye(dimension)
    directions[:3, :3] = layout.directions.T  # MetaImage writes one axis after the other
    fields = {
        "ObjectType": "Image",
        "NDims": dimension,
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": f"{compressed_bytes:020d}",
        "TransformMatrix": _join(directions.ravel()),
        "Offset": _join([*layout.origin, start][:dimension]),
        "CenterOfRotation": _join([0] * dimension),
        "ElementSpacing": _join([*layout.spacing, step][:dimension]),
        "DimSize": _join([*layout.shape[:0:-1], layout.shape[0]][:dimension]),
        **metadata,
        "ElementType": f"MET_{_META_TYPES[layout.dtype.name]}",
        "ElementDataFile": "LOCAL",
    }
    return "".join(f"{name} = {value}\n" for name, value in fields.items()).encode()


def nifti_header(layout: Layout) -> bytes:
    """A NIfTI-1 header: SimpleITK's of a single empty phase, then with the time axis, whose unit is seconds."""
    header = bytearray(_single_phase_header(layout))
    phases = layout.shape[0]
    if phases > 1:
        start, step = layout.time_axis or (0.0, 1.0)
        struct.pack_into("<h", header, _DIM, 4)
        struct.pack_into("<h", header, _DIM + 8, phases)
        struct.pack_into("<f", header, _PIXDIM + 16, step)
        struct.pack_into("<f", header, _TIME_OFFSET, start)
        header[_XYZT_UNITS] = _MM | (_SECONDS if layout.time_axis else 0)
    return bytes(header)


def _single_phase_header(layout: Layout) -> bytes:
    image = sitk.GetImageFromArray(np.zeros(layout.shape[1:], layout.dtype))
    image.SetSpacing(layout.spacing.tolist())
    image.SetDirection(layout.directions.ravel().tolist())
    image.SetOrigin(layout.origin.tolist())
    with tempfile.TemporaryDirectory(prefix="calid-") as folder:
        path = Path(folder, "phase.nii")
        sitk.WriteImage(image, str(path))
        with path.open("rb") as file:
            return file.read(_NIFTI_BYTES)


def _join(numbers: Iterable[float]) -> str:
    return " ".join(f"{number:.17g}" for number in numbers)


def _vector(numbers: Iterable[float]) -> str:
    return "(" + ",".join(f"{number:.17g}" for number in numbers) + ")"
