"""CaLID: fill the gaps between the slices of a sparse short-axis cardiac MR stack by conditional latent diffusion.

    import calid
    result = calid.reconstruct(calid.read_stack("sax.nii.gz"), spacing=2.0)
    calid.write_stack(result.stack, "dense.nrrd")

Importing the package is free: 3D Slicer imports ``calid.protocol`` in its own process, which must never load torch,
so the public names are imported on first use (PEP 562).
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calid.errors import CalidError, OutOfResources, UnusableInput, WeightsError
    from calid.files import read_stack, write_stack
    from calid.plan import DensePlan, plan_slices
    from calid.reconstruct import DenseResult, reconstruct
    from calid.stack import SliceStack

__version__ = "0.1.0"

__all__ = [
    "CalidError",
    "DensePlan",
    "DenseResult",
    "OutOfResources",
    "SliceStack",
    "UnusableInput",
    "WeightsError",
    "plan_slices",
    "read_stack",
    "reconstruct",
    "write_stack",
]

_HOMES = {
    "errors": ("CalidError", "OutOfResources", "UnusableInput", "WeightsError"),
    "files": ("read_stack", "write_stack"),
    "plan": ("DensePlan", "plan_slices"),
    "reconstruct": ("DenseResult", "reconstruct"),
    "stack": ("SliceStack",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"calid.{home}"), name)
    raise AttributeError(f"module 'calid' has no attribute '{name}'")


class _Package(ModuleType):
    """Importing the file ``reconstruct`` must not hide the function of the same name."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
