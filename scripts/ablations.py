"""What each part of the shipped model is worth: the held-out-slice protocol with one part of it switched off.

    python scripts/ablations.py DATA --out FOLDER [--only NAME ...]

The parts are switched off in the trained model, not trained anew: this says what the model relies on, not how good a
model without the part could become. Numbers of steps, samples and the detail are varied in the same way. Writes one
report a variant into FOLDER and prints a table.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MethodType
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from calid.cohorts.acdc import split_patients
from calid.evaluation.cases import load_cases
from calid.evaluation.evaluate import evaluate
from calid.model.conditioning import Context, Neighbours
from calid.model.motion import FIELD
from calid.model.sampler import AnchoredNoise
from calid.model.weights import CalidModel, load_model
from calid.reconstruction.reconstruct import reconstruct

Change = Callable[[CalidModel], None]


def two_slices(model: CalidModel) -> None:
    """tau_theta1 sees the two slices that bound the gap, not the two beyond."""
    _change_neighbours(model, lambda n: replace(n, present=n.present * torch.tensor([0.0, 1.0, 1.0, 0.0])))


def no_geometry(model: CalidModel) -> None:
    """Every slice lies in the middle of a gap of 20 mm, as far as the networks know."""
    typical = torch.tensor([30.0, 10.0, 10.0, 30.0])
    _change_neighbours(model, lambda n: replace(n, distance=typical.expand_as(n.distance)))


def no_motion(model: CalidModel) -> None:
    """The bounding slices stay where they are."""
    model.motion.find = lambda bounding, gap: torch.zeros(  # type: ignore[method-assign]
        len(bounding), 4, bounding.shape[2] // FIELD, bounding.shape[3] // FIELD
    )


def no_refinement(model: CalidModel) -> None:
    """Motion as the network finds it, not refined on the slices themselves."""
    model.motion.find = model.motion.forward  # type: ignore[method-assign]


def one_level(model: CalidModel) -> None:
    """tau_theta2 speaks at the finest level only."""
    inject = model.interpolator.inject

    def finest(self: Any, context: Context) -> list[Tensor]:
        levels = inject(context)
        return [levels[0], *(torch.zeros_like(level) for level in levels[1:])]

    model.interpolator.inject = MethodType(finest, model.interpolator)  # type: ignore[method-assign]


def _change_neighbours(model: CalidModel, change: Callable[[Neighbours], Neighbours]) -> None:
    context = model.interpolator.context

    def changed(self: Any, neighbours: Neighbours, symmetric: bool = True) -> Context:
        return context(change(neighbours), symmetric)

    model.interpolator.context = MethodType(changed, model.interpolator)  # type: ignore[method-assign]


class IndependentNoise(AnchoredNoise):
    """A new field for every slice, instead of one that changes slowly along the stack."""

    def at(self, sample: int, below: int, fraction: float) -> Tensor:
        """See :meth:`AnchoredNoise.at`."""
        key = hash((self.seed, sample, below, round(fraction, 6)))
        return torch.randn(self.shape, generator=torch.Generator().manual_seed(key % 2**63))


VARIANTS: dict[str, tuple[str, Change | None]] = {
    "as shipped": ("calid", None),
    "motion off": ("calid", no_motion),
    "motion not refined": ("calid", no_refinement),
    "two slices instead of four": ("calid", two_slices),
    "positions and gap hidden": ("calid", no_geometry),
    "conditioned, tau_theta2 at all levels": ("calid:conditioned=1", None),
    "conditioned, tau_theta2 at the finest level": ("calid:conditioned=1", one_level),
    **{f"detail {d}": (f"calid:detail={d}", None) for d in (0, 0.35, 0.5, 0.75)},
    **{f"{n} steps": (f"calid:steps={n}", None) for n in (2, 5, 10, 20, 50)},
    **{f"mean of {n} samples": (f"calid:samples={n}", None) for n in (2, 4, 8, 16)},
}


NOISE = "correlated and independent noise"  # held-out slices lie too far apart to tell them from each other


@contextmanager
def changed_model(change: Change | None, independent: bool = False) -> Iterator[None]:
    """All reconstructions use the bundled model with a part switched off."""

    def load(*arguments: Any) -> CalidModel:
        model = load_model(*arguments)
        if change is not None:
            change(model)
        return model

    noise = IndependentNoise if independent else AnchoredNoise
    module = sys.modules["calid.reconstruction.reconstruct"]
    with mock.patch("calid.reconstruction.view.AnchoredNoise", noise), mock.patch.object(module, "load_model", load):
        yield


def step_between_slices(data: Path, independent: bool, patients: int = 4) -> float:
    """Mean absolute change from one synthesised slice to the next, 2 mm on, where 1 is bright blood."""
    steps = []
    for case in load_cases(data, split_patients("validation")[:patients]):
        with changed_model(None, independent):
            dense = reconstruct(case.sparse(), 2.0)
        inner = dense.synthesised[:-1] & dense.synthesised[1:]
        steps.append(np.abs(np.diff(case.scaled(dense.stack.voxels[0]), axis=0))[inner].mean())
    return float(np.mean(steps))


def main() -> None:
    """Run all variants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=[*VARIANTS, NOISE], default=[*VARIANTS, NOISE])
    args = parser.parse_args()
    args.out.mkdir(exist_ok=True)
    for name in args.only:
        if name == NOISE:
            compare_noise(args.data)
        else:
            score_variant(name, args.data, args.out)


def score_variant(name: str, data: Path, out: Path) -> None:
    """Print a row for each set: PSNR, SSIM, HaarPSI and Dice as differences to linear interpolation, sharpness."""
    method, change = VARIANTS[name]
    with changed_model(change):
        file = out / f"{name.replace(' ', '_').replace(',', '')}.json"
        summary = evaluate(data, [method], file, figures=False)
    for subset, found in summary["sets"].items():
        scores = found["methods"][method]
        cells = [f"{scores[m]['difference']['mean']:+.3f}" for m in ("psnr", "ssim", "haarpsi", "dice")]
        print("|", " | ".join([name, subset, *cells, f"{scores['sharpness']['mean']:.2f}"]), "|", flush=True)


def compare_noise(data: Path) -> None:
    """Print how much synthesised slices change along the stack, with either kind of noise."""
    for kind, independent in {"correlated": False, "independent": True}.items():
        print(f"{kind} noise: {step_between_slices(data, independent):.4f} from one slice to the next", flush=True)


if __name__ == "__main__":
    main()
