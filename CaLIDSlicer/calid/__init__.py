"""CaLID: fill the gaps between the slices of a sparse short-axis cardiac MR stack by conditional latent diffusion.

    import calid
    result = calid.reconstruct(calid.read_stack("sax.nii.gz"), spacing=2.0)
    calid.write_stack(result.stack, "dense.nrrd")

Importing the package is free: 3D Slicer imports ``calid.protocol`` in its own process, which must never load torch,
so the public names are imported on first use (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from calid.version import __version__

if TYPE_CHECKING:
    from calid.dicom.opening import read_stack
    from calid.dicom.study import Study, read_study
    from calid.errors import CalidError, OutOfResources, UnusableInput, WeightsError
    from calid.files.writing import write_stack
    from calid.measurement.body import Body
    from calid.measurement.measure import measure
    from calid.measurement.result import Measurement
    from calid.options import Options
    from calid.reconstruction.reconstruct import DenseResult, reconstruct
    from calid.stacks.plan import DensePlan, plan_slices
    from calid.stacks.stack import SliceStack


__all__ = [
    "Body",
    "CalidError",
    "DensePlan",
    "DenseResult",
    "Measurement",
    "Options",
    "OutOfResources",
    "SliceStack",
    "Study",
    "UnusableInput",
    "WeightsError",
    "__version__",
    "measure",
    "plan_slices",
    "read_stack",
    "read_study",
    "reconstruct",
    "write_stack",
]

_HOMES = {
    "errors": ("CalidError", "OutOfResources", "UnusableInput", "WeightsError"),
    "dicom.opening": ("read_stack",),
    "dicom.study": ("Study", "read_study"),
    "files.writing": ("write_stack",),
    "measurement.body": ("Body",),
    "measurement.measure": ("measure",),
    "measurement.result": ("Measurement",),
    "options": ("Options",),
    "stacks.plan": ("DensePlan", "plan_slices"),
    "stacks.stack": ("SliceStack",),
    "reconstruction.reconstruct": ("DenseResult", "reconstruct"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"calid.{home}"), name)
    raise AttributeError(f"module 'calid' has no attribute '{name}'")
