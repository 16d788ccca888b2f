"""How the panel says what went wrong: as sentences, and what to do about it by the names of its own controls."""

from __future__ import annotations

from calid.errors import CalidError
from calid.remedies import ANYWHERE, Words, spell

from ..Translation import _

PANEL: Words = {
    **ANYWHERE,
    "again": lambda _: "press Apply again",
    "device": lambda name: f'"{deviceLabel(name)}" as Device, under Advanced',
    "install": lambda _: "press Apply or Detect, which ask before they install what is missing",
    "intact_models": lambda _: 'import intact weights with "Import ...", under Advanced',
    "lines": lambda _: "what the Python console says",
    "one_phase": lambda _: 'only the phase that is shown now ("Phases")',
    "output": lambda _: 'choose another "Dense volume" under Output, or "Create new"',
    "whole_stack": lambda _: 'open the folder of the study with "Open study ...", which makes one stack of them',
}


def deviceLabel(name: str) -> str:
    """What the panel calls a device.

    :param name: as in :class:`calid.options.Options`.
    """
    labels = {
        "auto": _("Automatic"),
        "cuda": _("NVIDIA card (CUDA)"),
        "mps": _("Apple GPU (MPS)"),
        "cpu": _("Processor (CPU)"),
    }
    return labels.get(name, name)


def errorText(error: CalidError) -> str:
    """What went wrong and what to do about it, as sentences."""
    return " ".join(sentence(part) for part in (str(error), spell(error.terms, PANEL)) if part)


def warningText(warning: str) -> str:
    """A warning as a line of its own."""
    return _("Warning: {text}").format(text=sentence(warning))


def sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
