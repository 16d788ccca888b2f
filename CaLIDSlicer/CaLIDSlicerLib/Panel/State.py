"""Which situation shows which texts and which enabled controls: pure, so that every state can be tested and read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from calid.errors import CalidError
from calid.protocol import Event, Progress, Started
from calid.stacks.findings import counted
from calid.stacks.plan import plan_slices, slice_indices
from calid.stacks.stack import SliceStack
from calid.stacks.thickness import choose_thickness

from .Words import errorText, warningText


class Activity(Enum):
    """What the panel is busy with."""

    NOTHING = auto()
    PREPARING = auto()
    RECONSTRUCTION = auto()
    SELF_CHECK = auto()
    MEASUREMENT = auto()
    STUDY = auto()


@dataclass(frozen=True)
class Plan:
    """What Apply would make of the input.

    :param spacing: in mm, the largest distance between slices of the result.
    :param slices: of the dense stack; 0 if ``error`` says why there is none.
    """

    spacing: float
    slices: int
    text: str
    error: str = ""


@dataclass(frozen=True)
class PanelState:
    """What the controls of the upper half of the panel show."""

    understood: str
    inputWarnings: str
    plan: str
    phasesEnabled: bool
    settingsEnabled: bool
    spacingEnabled: bool
    applyText: str
    applyToolTip: str
    applyEnabled: bool
    keepVisible: bool
    selfCheckEnabled: bool


def panelState(
    understanding: Any, plan: Plan | None, isotropic: bool, activity: Activity, savesPhases: bool
) -> PanelState:
    """The state of the panel.

    :param understanding: ``Understanding.Understanding`` of the chosen node, ``None`` if none is chosen.
    :param plan: of a usable input, else ``None``.
    :param savesPhases: whether all phases of a cine would be, or are being reconstructed.
    """
    isIdle = activity is Activity.NOTHING
    obstacle = _obstacle(understanding, plan)
    applyText, applyToolTip = _applyTexts(activity, obstacle)
    isUsable = understanding is not None and not understanding.error
    return PanelState(
        understood=_understood(understanding),
        inputWarnings="\n".join(map(warningText, understanding.warnings)) if understanding else "",
        plan=(plan.error or plan.text) if plan else "",
        phasesEnabled=isUsable and understanding.phases > 1,
        settingsEnabled=isIdle,
        spacingEnabled=isIdle and not isotropic,
        applyText=applyText,
        applyToolTip=applyToolTip,
        applyEnabled=not obstacle if isIdle else activity is not Activity.PREPARING,
        keepVisible=savesPhases,
        selfCheckEnabled=isIdle and isUsable,
    )


def planFor(
    stack: SliceStack, spacing: float, isotropic: bool, thickness: float | None = None, inPlace: Sequence[int] = ()
) -> Plan:
    """What the chosen spacing makes of a stack.

    :param thickness: mm of its slices, as it was chosen; ``None`` for what the file says or is usual.
    :param inPlace: slices, from 1, whose shifts were taken back.
    """
    spacing = min(stack.pixel_spacing) if isotropic else spacing
    try:
        choose_thickness(stack, thickness)
        left = slice_indices(len(stack.positions), inPlace)
        positions = plan_slices(stack.positions, spacing).positions
    except CalidError as error:
        return Plan(spacing, 0, "", errorText(error))
    steps = np.diff(positions)
    distance = f"{steps.min():.2f}" if np.ptp(steps) < 0.005 else f"{steps.min():.2f} - {steps.max():.2f}"
    text = _("{before} slices become {after}, {distance} mm apart")
    text = text.format(before=len(stack.positions), after=len(positions), distance=distance)
    return Plan(spacing, len(positions), text + _leftInPlace(left))


def _leftInPlace(slices: Sequence[int]) -> str:
    """What is added to a plan that leaves some slices, counted from 0, where they are."""
    if not slices:
        return ""
    text = _("; slice {numbers} stays in place") if len(slices) == 1 else _("; slices {numbers} stay in place")
    return text.format(numbers=counted(slices))


def progressText(event: Event, phases: int) -> str:
    """One line for a running job; empty for an event that says nothing new.

    :param phases: how many phases are reconstructed; 0 while a study is opened.
    """
    if isinstance(event, Started):
        return _("{model} on {device}").format(model=event.model, device=event.device)
    if not isinstance(event, Progress):
        return ""
    if phases == 0:
        return _study(event)
    phase = _("Phase {phase} of {phases}").format(phase=event.phase + 1, phases=phases) if phases > 1 else ""
    return ", ".join(filter(None, (phase, _left(event))))


def openedText(study: Any) -> str:
    """Which stack of a study was taken, and what came with it.

    :param study: ``Dicom.Nodes.OpenedStudy``.
    """
    parts = [_("Found: {what}").format(what=study.what)]
    if study.read.stacks > 1:
        parts.append(_("stack {number} of {count}").format(number=study.read.stack, count=study.read.stacks))
    count = len(study.longAxes)
    if count:
        parts.append(_("with {count} long-axis views").format(count=count) if count > 1 else _("with a long-axis view"))
    return ", ".join(parts) + "."


def _study(event: Progress) -> str:
    if event.steps:
        return _("Reading slice {step} of {steps} ...").format(step=event.step, steps=event.steps)
    return _("{count} files so far ...").format(count=event.step)


def _left(event: Progress) -> str:
    """An estimate that has run out says nothing of what is still written and shown."""
    if event.seconds_left is None:
        return ""
    seconds = round(event.seconds_left)
    return _("{seconds} s left").format(seconds=seconds) if seconds and event.fraction < 1 else _("finishing ...")


def _understood(understanding: Any) -> str:
    if understanding is None:
        return _("Choose a short-axis stack, open a study, or take a sample: Sample Data has three, under Cardiac.")
    return understanding.error or understanding.text


def _obstacle(understanding: Any, plan: Plan | None) -> str:
    """Why Apply cannot be pressed; empty if it can."""
    if understanding is None:
        return _("Choose a short-axis stack first.")
    return understanding.error or (plan.error if plan else "")


def _applyTexts(activity: Activity, obstacle: str) -> tuple[str, str]:
    if activity is Activity.PREPARING:
        return _("Preparing ..."), _("Looking at the device and what is installed.")
    if activity is not Activity.NOTHING:
        return _("Cancel"), _("Stop, and end everything that was started.")
    return _("Apply"), obstacle or _("Fill the gaps between the acquired slices.")
