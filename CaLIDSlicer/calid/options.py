"""What a user chooses of a reconstruction: defined once, for Python, the command line, job folders, panel and console.

Standard library only: Slicer's own process makes these too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from numbers import Integral, Real
from typing import Any

from calid.errors import OutOfResources, UnusableInput

LARGEST_SEED = 2**31 - 1
MOST_SAMPLES, MOST_STEPS = 1000, 1000
"""More gain nothing: the mean is known to a thirtieth of the deviation, and the flow is straight."""

_DEVICES = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def _choice(
    default: Any, kind: type, help: str, low: float | None = None, high: float | None = None, **more: Any
) -> Any:
    """A field that is of a kind, from ``low`` to ``high``; ``None`` is allowed where it is the default.

    :param help: for the command line.
    :param more: ``metavar`` or ``choices`` of its command line argument.
    """
    return field(default=default, metadata={"kind": kind, "help": help, "low": low, "high": high, **more})


@dataclass(frozen=True)
class Options:
    """How to fill the gaps of a stack.

    :param spacing: largest distance between slices of the result, mm; see :func:`calid.plan_slices`.
    :param samples: of which the mean is returned, each of the slices mirrored in another way; ``None`` takes the
        model's default.
    :param steps: denoising steps of one draw; ``None`` takes the model's default.
    :param seed: of the sampler; the same seed on the same machine gives the same result.
    :param detail: from 0, the mean of what a slice can be, nearest to the truth and blurred, to 1, as sharp as real
        slices, which latent diffusion draws; ``None`` takes the model's default.
    :param device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.
    :param thickness: mm that an acquired slice averages over; ``None`` takes what the file says, else a usual one.
    :param consistent: let the result explain the acquired slices, as means over their thickness.
    :param acquired: ``"keep"`` returns acquired slices bit for bit; ``"thin"`` synthesises them too, as thin as the
        slices between them, so that they cannot be seen in long-axis cuts.
    :param align: breath-hold shifts of slices: ``"auto"`` takes them out before the gaps are filled and puts them back
        after it, so that acquired slices stay and the wall between them is continuous; ``"straight"`` leaves them out,
        so that acquired slices move too; ``"off"`` takes the slices as they are.
    :param in_place: slices, counted from 1, that are left where they are, whatever shift is found of them.
    :param uncertainty: also return the standard deviation of the real slices that the model predicts.
    :param models: folder of the model weights; ``None`` finds the bundled ones.
    :raises UnusableInput: naming the option, for a value that is of another kind or out of range.
    :raises OutOfResources: for a device that no machine has.
    """

    spacing: float = _choice(2.0, float, "largest distance between slices, mm", metavar="MM")
    samples: int | None = _choice(
        None, int, "views of the slices, mirrored in turn, whose mean is taken", low=1, high=MOST_SAMPLES, metavar="N"
    )
    steps: int | None = _choice(None, int, "denoising steps of one draw", low=1, high=MOST_STEPS, metavar="N")
    seed: int = _choice(0, int, "of the sampler", low=0, high=LARGEST_SEED, metavar="N")
    detail: float | None = _choice(
        None, float, "0: the mean, blurred and nearest to the truth; 1: sharp", low=0, high=1, metavar="0..1"
    )
    device: str = _choice("auto", str, "auto, cpu, cuda, cuda:N or mps", metavar="NAME")
    thickness: float | None = _choice(None, float, "of the acquired slices, mm", metavar="MM")
    consistent: bool = _choice(True, bool, "let the result explain the acquired slices")
    acquired: str = _choice(
        "keep", str, "acquired slices: bit for bit, or as thin as the others", choices=("keep", "thin")
    )
    align: str = _choice(
        "auto",
        str,
        "breath-hold shifts: between the slices, of acquired slices too, or not at all",
        choices=("auto", "straight", "off"),
    )
    in_place: tuple[int, ...] = _choice(
        (), tuple, "slices that are not shifted, whatever is found; the first is 1", low=1, metavar="N,N"
    )
    uncertainty: bool = _choice(False, bool, "also return the predicted standard deviation")
    models: str | None = _choice(None, str, "folder of model weights (default: the bundled ones)", metavar="DIR")

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None or each.default is not None:
                object.__setattr__(self, each.name, _checked(each.name, value, each.metadata))
        if not _DEVICES.fullmatch(self.device):
            raise OutOfResources(f"there is no device {self.device!r}", "use auto, cpu, cuda, cuda:N or mps")

    def changed(self, **chosen: Any) -> Options:
        """The same with other values; raises ``TypeError`` for an option that there is not."""
        return replace(self, **chosen) if chosen else self


def _checked(name: str, value: Any, about: Any) -> Any:
    """The value as Python's own type, so that it can be written as JSON; ``models`` may be a path."""
    kind = about["kind"]
    if kind is str:
        return str(value)
    if kind is bool:
        return bool(value)
    if kind is tuple:
        return tuple(sorted({_checked(name, each, {**about, "kind": int}) for each in _several(name, value)}))
    if isinstance(value, bool) or not isinstance(value, Integral if kind is int else Real):
        raise UnusableInput(f"{name} is {value!r}, not a{' whole' * (kind is int)} number", f"give {name} as a number")
    low, high = about["low"], about["high"]
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        raise UnusableInput(f"{name} is {value}", f"choose {_range(low, high)} for {name}")
    return kind(value)


def _several(name: str, value: Any) -> Iterable[Any]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise UnusableInput(f"{name} is {value!r}, not several numbers", f"give {name} as a list of whole numbers")
    return value


def _range(low: float | None, high: float | None) -> str:
    return f"at least {low:g}" if high is None else f"a number from {low:g} to {high:.10g}"
