"""The first bytes of the image files that are written: NRRD, MetaImage and NIfTI-1, little-endian.

The voxels follow phase after phase, so a file can be written while its last phase is still being made. A NRRD cine is
what 3D Slicer writes as a volume sequence (``vtkMRMLVolumeSequenceStorageNode``): a list axis, here the last, with the
index values in ``axis 3 index values``. The libraries that read these formats write a file at once or not at all, so
the text of NRRD and MetaImage is written here; a NIfTI header is nibabel's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote

import numpy as np
from nibabel import nifti1
from nibabel.spatialimages import HeaderDataError

from calid.errors import UnusableInput
from calid.files.image import THICKNESS
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
_NO_EXTENSION = bytes(4)
_LPS_TO_RAS = np.diag([-1.0, -1, 1, 1])
_NIFTI_UNITS = {"s": "sec", "ms": "msec", "us": "usec", "Hz": "hz", "ppm": "ppm", "rad/s": "rads"}
_SCANNER = 1


def nrrd_header(layout: Layout, metadata: Mapping[str, str], is_sequence: bool, length: int = 0) -> bytes:
    """A NRRD header, up to the empty line; the voxels follow as a gzip stream.

    :param is_sequence: write a list axis even for a single phase.
    :param length: of the header in bytes; blanks in a comment make it that long.
    """
    columns = layout.matrix[:3, :3].T
    fields = {
        "type": {"float32": "float", "float64": "double"}.get(layout.dtype.name, layout.dtype.name),
        "dimension": "4" if is_sequence else "3",
        "space": "left-posterior-superior",
        "sizes": _join([*layout.sizes, *layout.shape[: int(is_sequence)]]),
        "space directions": " ".join([*map(_vector, columns), *["none"] * is_sequence]),
        "kinds": "domain domain domain" + " list" * is_sequence,
        "endian": "little",
        "encoding": "gzip",
        "space origin": _vector(layout.origin),
    }
    if layout.thickness is not None:
        values = ["NaN" if np.isnan(mm) else f"{mm:.17g}" for mm in layout.thicknesses]
        fields["thicknesses"] = " ".join([*values, *["NaN"] * is_sequence])
    keys = {**_said(layout), **metadata}
    if is_sequence:
        name, unit, values, kind = _index(layout)
        fields |= {"labels": f'"" "" "" "{name}"', "units": f'"" "" "" "{unit}"'}
        keys = {
            "DataNodeClassName": "vtkMRMLScalarVolumeNode",
            "axis 3 index type": kind,
            "axis 3 index values": " ".join(values),
            **keys,
        }
    lines = [f"{name}: {value}" for name, value in fields.items()]
    lines += [f"{name}:={_escaped(value)}" for name, value in keys.items()]
    text = "\n".join([*lines, "", ""]).encode()
    return _NRRD_START.ljust(length - len(text) - 1) + b"\n" + text


def _said(layout: Layout) -> dict[str, str]:
    """What a format has no field for, or none that all programs keep."""
    return {} if layout.thickness is None else {THICKNESS: f"{layout.thickness:g}"}


def _index(layout: Layout) -> tuple[str, str, list[str], str]:
    """Name, unit, values and type of the list axis. Slicer replaces a phase by the next one that has the same value."""
    index = layout.phase_index
    if index is None or len(set(index.values)) < layout.shape[0]:
        return "frame", "", [str(phase) for phase in range(layout.shape[0])], "numeric"
    values = [quote(value, safe="+-.,:;()/#") for value in index.values]
    return index.name, index.unit, values, "text" if index.numbers is None else "numeric"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def meta_header(layout: Layout, metadata: Mapping[str, str], compressed_bytes: int) -> bytes:
    """A MetaImage header; ``compressed_bytes`` of a zlib stream follow. Its length does not depend on their number."""
    dimension = 3 if layout.shape[0] == 1 else 4
    start, step = _in_seconds(layout)
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
        "DimSize": _join([*layout.sizes, layout.shape[0]][:dimension]),
        **_said(layout),
        **metadata,
        "ElementType": f"MET_{_META_TYPES[layout.dtype.name]}",
        "ElementDataFile": "LOCAL",
    }
    return "".join(f"{name} = {value}\n" for name, value in fields.items()).encode()


def _in_seconds(layout: Layout) -> tuple[float, float]:
    """Start and step of a format without a unit: seconds, or what a source without a unit says."""
    start, step, unit = layout.time_axis or (0.0, 1.0, "")
    scale = {"ms": 1e-3, "msec": 1e-3, "us": 1e-6, "µs": 1e-6}.get(unit.lower(), 1.0)
    return start * scale, step * scale


def nifti_header(layout: Layout) -> bytes:
    """A NIfTI-1 header and the mark that no extension follows; the time axis in the unit of its source."""
    header = nifti1.Nifti1Header(endianness="<")
    phases = layout.shape[0]
    try:
        header.set_data_shape([*layout.sizes, *([phases] if phases > 1 else [])])
        header.set_data_dtype(layout.dtype)
    except HeaderDataError as error:
        raise UnusableInput(f"a NIfTI file cannot hold it: {error}", "write .nrrd") from error
    affine = _LPS_TO_RAS @ layout.matrix
    header.set_qform(affine, _SCANNER)
    header.set_sform(affine, _SCANNER)
    header["vox_offset"] = header.single_vox_offset
    header["scl_slope"], header["scl_inter"] = 1, 0
    start, step, unit = layout.time_axis or (0.0, 1.0, "")
    if phases > 1:
        header["pixdim"][4], header["toffset"] = step, start
    header.set_xyzt_units("mm", _NIFTI_UNITS.get(unit) if phases > 1 else None)
    return header.binaryblock + _NO_EXTENSION


def _join(numbers: Iterable[float]) -> str:
    return " ".join(f"{number:.17g}" for number in numbers)


def _vector(numbers: Iterable[float]) -> str:
    return "(" + ",".join(f"{number:.17g}" for number in numbers) + ")"
