"""Every way to fill a gap behind one signature, so that they can be compared.

A method is a callable ``(SliceStack, DensePlan) -> (dense voxels, uncertainty or None)``, both
(phases, dense slices, rows, columns) in the stack's intensity units. :func:`make_method` finds one by name.

The classical ones weigh the acquired slices pixel by pixel: all they differ in is one small matrix,
(dense slices, acquired slices), that follows from the positions in mm.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from calid.baselines.axial import filter_along_axis, made_consistent
from calid.errors import UnusableInput
from calid.options import Options
from calid.stacks.plan import DensePlan
from calid.stacks.stack import SliceStack

Method = Callable[[SliceStack, DensePlan], tuple[np.ndarray, np.ndarray | None]]
Weights = Callable[[np.ndarray, np.ndarray], np.ndarray]


def nearest_weights(knots: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(at, knots) weights of the nearest slice; the lower one where two are equally near."""
    distance = np.abs(at[:, None] - knots[None, :])
    return np.eye(len(knots))[np.argmin(np.round(distance, 6), axis=1)]


def linear_weights(knots: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(at, knots) weights of linear interpolation between the two neighbours."""
    return np.stack([np.interp(at, knots, unit) for unit in np.eye(len(knots))], axis=1)


def cubic_weights(knots: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(at, knots) weights of the natural cubic spline: the cubic B-spline through all slices, straight at both ends.

    In each gap it is the chord plus a part proportional to the second derivatives at its two ends, which solve a
    linear system; gaps may be unequal.
    """
    gaps, identity = np.diff(knots), np.eye(len(knots))
    below = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(gaps) - 1)
    gap = gaps[below, None]
    b = (at - knots[below])[:, None] / gap
    a = 1 - b
    second = _second_derivatives(gaps)
    bend = (a**3 - a) * second[below] + (b**3 - b) * second[below + 1]
    return a * identity[below] + b * identity[below + 1] + bend * gap**2 / 6


def _second_derivatives(gaps: np.ndarray) -> np.ndarray:
    """(knots, knots) matrix from the values at the knots to the second derivatives of the natural spline there."""
    identity = np.eye(len(gaps) + 1)
    slopes = np.diff(identity, axis=0) / gaps[:, None]
    system, change = identity.copy(), np.zeros_like(identity)
    for i in range(1, len(gaps)):
        system[i, i - 1 : i + 2] = gaps[i - 1], 2 * (gaps[i - 1] + gaps[i]), gaps[i]
        change[i] = 6 * (slopes[i] - slopes[i - 1])
    return np.linalg.solve(system, change)


def interpolate(weights: Weights, stack: SliceStack, plan: DensePlan) -> tuple[np.ndarray, None]:
    """Dense voxels, float32, as weighted sums of acquired slices."""
    matrix = weights(stack.positions, plan.positions).astype(np.float32)
    return np.einsum("dk,tkji->tdji", matrix, stack.voxels.astype(np.float32), optimize=True), None


def _latent(rule: str, models: str | None = None, device: str = "cpu") -> Method:
    def method(stack: SliceStack, plan: DensePlan) -> tuple[np.ndarray, np.ndarray | None]:
        from calid.baselines.latent import RULES, interpolate_latents, load_once

        return interpolate_latents(load_once(models, device), RULES[rule], stack, plan)

    return method


def _calid(**chosen: Any) -> Method:
    """The model, with the defaults of :class:`~calid.options.Options` for what is not chosen."""
    options = Options(uncertainty=True, **chosen)

    def method(stack: SliceStack, plan: DensePlan) -> tuple[np.ndarray, np.ndarray | None]:
        from calid.reconstruction.reconstruct import reconstruct

        # The largest step of a plan, asked for as a spacing, gives the same plan again.
        result = reconstruct(stack, float(np.diff(plan.positions).max()), options=options)
        return result.stack.voxels, result.uncertainty

    return method


def _registration(stack: SliceStack, plan: DensePlan) -> tuple[np.ndarray, np.ndarray | None]:
    from calid.baselines.registration import interpolate_registered

    return interpolate_registered(stack, plan)


def _learned(kind: str, weights: str | None, device: str, **sampling: int) -> Method:
    """A learned baseline; missing weights are told at once, not when the first case has been loaded."""
    from calid.baselines.learned import LearnedFill, load_baseline

    return LearnedFill(load_baseline(kind, weights, device), **sampling)


def _unet(weights: str | None = None, device: str = "auto") -> Method:
    return _learned("unet", weights, device)


def _pixel_diffusion(
    weights: str | None = None, steps: int = 20, samples: int = 1, seed: int = 0, device: str = "auto"
) -> Method:
    return _learned("pixel-diffusion", weights, device, steps=steps, samples=samples, seed=seed)


_FACTORIES: dict[str, Callable[..., Method]] = {
    "nearest": lambda: partial(interpolate, nearest_weights),
    "linear": lambda: partial(interpolate, linear_weights),
    "cubic": lambda: partial(interpolate, cubic_weights),
    "latent-linear": partial(_latent, "linear"),
    "latent-slerp": partial(_latent, "slerp"),
    "axial-filter": lambda: filter_along_axis,
    "registration": lambda: _registration,
    "unet": _unet,
    "pixel-diffusion": _pixel_diffusion,
    "calid": _calid,
}

_NUMBERS: dict[str, Callable[[str], int | float]] = {
    **dict.fromkeys(("samples", "steps", "seed", "consistent"), int),
    **dict.fromkeys(("detail", "thickness"), float),
}


def make_method(spec: str) -> Method:
    """The method that ``spec`` names: ``"linear"``, or with options ``"calid:samples=8,steps=4"``.

    Every interpolator can be made consistent with the acquired slices: ``"registration:consistent=1"``. The model is so
    by itself, and ``"calid:consistent=0"`` is not.

    :raises UnusableInput: for a name that is not known, or an option that its method does not have.
    """
    name, _, options = spec.partition(":")
    if name not in _FACTORIES:
        raise UnusableInput(f"there is no method {name!r}", f"choose from {', '.join(_FACTORIES)}")
    try:
        chosen = _parse_options(options)
        own = name == "calid" or not chosen.pop("consistent", 0)
        method = _FACTORIES[name](**chosen)
    except (TypeError, ValueError) as error:
        raise UnusableInput(f"method {spec!r}: {error}", "write options as name:key=value,key=value") from error
    return method if own else made_consistent(method)


def _parse_options(text: str) -> dict[str, int | float | str]:
    pairs = (option.partition("=") for option in text.split(",") if option)
    return {key: _NUMBERS[key](value) if key in _NUMBERS else value for key, _, value in pairs}
