"""Which formats there are, by the end of a file's name in any case of letters, and what to say to others."""

from __future__ import annotations

from pathlib import Path

from calid.errors import UnusableInput

SUFFIXES = (".nii.gz", ".nii", ".seq.nrrd", ".nrrd", ".mha")
"""Written and read."""

_READ_ONLY = (".nii.bz2", ".nii.zst", ".nhdr", ".mhd", ".hdr", ".img")
"""Read, where the libraries for it are there: other compressions, and headers whose voxels are in a second file."""

READABLE = (*SUFFIXES, *_READ_ONLY)

NIFTI = (".nii.gz", ".nii", ".nii.bz2", ".nii.zst", ".hdr", ".img")
NRRD = (".seq.nrrd", ".nrrd", ".nhdr")

_OTHERS = {
    ".dcm": ("a DICOM image", "pass the folder of its series"),
    ".ima": ("a DICOM image", "pass the folder of its series"),
    ".zip": ("an archive, which cannot be opened", "unpack it, or pack the DICOM study again"),
    ".gipl": ("a GIPL image", "save it as .nii.gz, for example with 3D Slicer"),
    ".vtk": ("a VTK file", "save it as .nrrd, for example with 3D Slicer"),
    ".vti": ("a VTK file", "save it as .nrrd, for example with 3D Slicer"),
    ".mgz": ("a FreeSurfer volume", "convert it: mri_convert IN.mgz OUT.nii.gz"),
    ".par": ("a Philips header", "convert it with dcm2niix"),
    ".npy": ("an array without geometry", "in Python, make a stack of it: calid.SliceStack.from_affine"),
    ".mat": ("a Matlab file", "save it as NIfTI: niftiwrite"),
}


def suffix_of(path: Path, known: tuple[str, ...] = SUFFIXES) -> str:
    """The entry of ``known`` that a file name ends with; raises ``UnusableInput`` if there is none."""
    name = path.name.lower()
    for suffix in known:
        if name.endswith(suffix):
            return suffix
    if name.endswith(READABLE):
        raise UnusableInput(f"'{path.suffix}' is read, but not written", f"use one of {' '.join(SUFFIXES)}")
    unknown, known_ones = f"'{path.suffix}' is not a known image format", f"use one of {' '.join(SUFFIXES)}"
    if path.suffix.lower() not in _OTHERS:
        raise UnusableInput(unknown, known_ones)
    what, remedy = _OTHERS[path.suffix.lower()]
    raise UnusableInput(f"{unknown} but {what}", f"{remedy}; or {known_ones}")


def is_dicom(path: Path) -> bool:
    """Whether a file has the prefix of DICOM part 10, whatever its name is; ``False`` for one that cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False
