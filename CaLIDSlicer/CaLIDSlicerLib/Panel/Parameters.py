"""What the user chose in the panel, stored in the scene and saved with it."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Union

import slicer
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from calid.options import LARGEST_SEED, Options

from .Words import deviceLabel

AUTOMATIC_DETAIL = -0.1
"""Below the real range 0..1: the spin box shows it as "Automatic"."""


class Phases(Enum):
    """Which phases of a cine to reconstruct; the value is that of ``Reconstruction``'s parameter ``phases``."""

    ALL = "all"
    CURRENT = "current"

    def label(self) -> str:
        """The text in the combo box."""
        return {Phases.ALL: _("All"), Phases.CURRENT: _("The one shown now")}[self]


class Device(Enum):
    """What computes; the value is that of the field ``device`` of :class:`calid.options.Options`."""

    AUTO = "auto"
    CUDA = "cuda"
    MPS = "mps"
    CPU = "cpu"

    def label(self) -> str:
        """The text in the combo box."""
        return deviceLabel(self.value)


class Align(Enum):
    """What becomes of breath-hold shifts; the value is that of the field ``align`` of ``Options``."""

    AUTO = "auto"
    STRAIGHT = "straight"
    OFF = "off"

    def label(self) -> str:
        """The text in the combo box."""
        return {
            Align.AUTO: _("Between the slices"),
            Align.STRAIGHT: _("Move the slices too"),
            Align.OFF: _("Off"),
        }[self]


class Acquired(Enum):
    """What becomes of the acquired slices; the value is that of the field ``acquired`` of ``Options``."""

    KEEP = "keep"
    THIN = "thin"

    def label(self) -> str:
        """The text in the combo box."""
        return {Acquired.KEEP: _("Keep bit for bit"), Acquired.THIN: _("As thin as the others")}[self]


class Papillary(Enum):
    """Where papillary muscles are counted; the value is that of the field of :class:`calid.protocol.HeartFacts`."""

    CAVITY = "cavity"
    WALL = "wall"

    def label(self) -> str:
        """The text in the combo box."""
        return {Papillary.CAVITY: _("Count to the cavity"), Papillary.WALL: _("Count to the wall")}[self]


# Slicer's wrapper knows a choice of node classes by typing.Union with None only, not by "A | B".
StackNode = Union[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLSequenceNode, None]  # noqa: UP007


@parameterNodeWrapper
class Parameters:
    """The panel's parameters; Slicer's decorator gives it ``parameterNode`` and what connects widgets.

    :param input: a volume, or a cine by its proxy or sequence.
    :param output: what to overwrite, or ``None`` for new nodes.
    :param result: the dense volume that the section "Results" shows.
    :param spacing: largest distance between slices of the result in mm; ``isotropic`` overrides it.
    :param thickness: mm of the acquired slices; 0 for what the file says, else a usual one.
    :param inPlace: slices of the input, counted from 1, that stay where they are although they are shifted.
    :param samples: 0 for the model's own default, and so ``steps``.
    :param height: of the patient in cm, with ``weight`` in kg and ``rr``, from one heart beat to the next, in ms: 0
        where it is not known.
    :param detail: 0..1, or :data:`AUTOMATIC_DETAIL` for the model's own default.
    """

    input: StackNode
    output: StackNode
    result: slicer.vtkMRMLScalarVolumeNode
    spacing: Annotated[float, WithinRange(0.25, 10.0)] = 2.0
    isotropic: bool = False
    phases: Phases = Phases.ALL
    keepPhases: bool = True
    thickness: Annotated[float, WithinRange(0.0, 100.0)] = 0.0
    align: Align = Align.AUTO
    inPlace: list[int]
    acquired: Acquired = Acquired.KEEP
    samples: Annotated[int, WithinRange(0, 64)] = 0
    steps: Annotated[int, WithinRange(0, 1000)] = 0
    detail: Annotated[float, WithinRange(AUTOMATIC_DETAIL, 1.0)] = AUTOMATIC_DETAIL
    seed: Annotated[int, WithinRange(0, LARGEST_SEED)] = 0
    uncertainty: bool = True
    device: Device = Device.AUTO
    height: Annotated[float, WithinRange(0.0, 230.0)] = 0.0
    weight: Annotated[float, WithinRange(0.0, 350.0)] = 0.0
    rr: Annotated[float, WithinRange(0.0, 2500.0)] = 0.0
    papillary: Papillary = Papillary.CAVITY


def optionsOf(parameters: Any, models: str | None) -> Options:
    """What the section "Advanced" sets, with a folder of weights."""
    return Options(
        thickness=parameters.thickness or None,
        align=parameters.align.value,
        in_place=tuple(parameters.inPlace),
        acquired=parameters.acquired.value,
        samples=parameters.samples or None,
        steps=parameters.steps or None,
        detail=parameters.detail if parameters.detail >= 0 else None,
        seed=parameters.seed,
        uncertainty=parameters.uncertainty,
        device=parameters.device.value,
        models=models,
    )
