"""Train the network of a gap: ``calid train gap CONFIG --data DIR --hearts DIR --out DIR [--start FILE]``.

Two kinds of truth meet in one batch. Dense hearts, acquired as a scanner would, say what is between thick slices, at
every knot at once. Hidden slices of real stacks say what a cine looks like: of the knots only the mean over the slab
is known. ``DIR`` of ``--data`` has the layout of :mod:`calid.cohorts.acdc`, that of ``--hearts`` holds
``heartNNN_sax.nii.gz``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from calid.model.gap import GapConfig, GapNet
from calid.model.weights import load_weights
from calid.training.loop import Run, export
from calid.training.losses import dissimilarity
from calid.training.material import Material, joined, load_material

ENDS = 0.7  # weight of the knots at the bounding slices, which two gaps share
DISSIMILAR_KNOTS = 3  # similarity is looked at for as many of the nine, drawn anew in each step: it costs most


def dense_loss(thin: Tensor, truth: Tensor, about: Mapping[str, float], knots: Sequence[int]) -> Tensor:
    """Error, dissimilarity (of some ``knots``) and error of the change along the axis, of (n, 9, rows, columns)."""
    weight = thin.new_ones(thin.shape[1])
    weight[0] = weight[-1] = ENDS
    error = ((thin - truth).abs().mean(dim=(0, 2, 3)) * weight).mean()
    change = (thin.diff(dim=1) - truth.diff(dim=1)).abs().mean()
    pictures, wanted = (a[:, list(knots)].flatten(0, 1)[:, None] for a in (thin, truth))
    return error + about["change_weight"] * change + about["dissimilar_weight"] * dissimilarity(pictures, wanted)


def thick_loss(thin: Tensor, weights: Tensor, slices: Tensor, about: Mapping[str, float]) -> Tensor:
    """Error and dissimilarity of the slab (n, 1, rows, columns) that the knots make."""
    slab = torch.einsum("ntk,nkhw->nthw", weights, thin)
    return (slab - slices).abs().mean() + about["dissimilar_weight"] * dissimilarity(slab, slices)


def step_loss(net: GapNet, material: Material, about: Mapping[str, Any]) -> tuple[Tensor, dict[str, float]]:
    """The loss of one batch, and its parts beside what linear interpolation would have."""
    near, truth = material.dense(about["dense"])
    real, weights, slices = material.thick(about["thick"])
    thin = net(joined([near, real]))
    knots = material.rng.choice(truth.shape[1], DISSIMILAR_KNOTS, replace=False).tolist()
    dense = dense_loss(thin[: len(truth)], truth, about, knots)
    thick = thick_loss(thin[len(truth) :], weights, slices, about)
    numbers = {"dense": float(dense.detach()), "linear": float(dense_loss(near.linear, truth, about, knots))}
    numbers["thick"] = float(thick.detach())
    numbers["linear_thick"] = float(thick_loss(real.linear, weights, slices, about))
    return dense + about["thick_weight"] * thick, numbers


def main(argv: Sequence[str]) -> int:
    """Entry of ``calid train gap``."""
    parser = argparse.ArgumentParser(prog="calid train gap", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="ACDC, for hidden slices")
    parser.add_argument("--hearts", type=Path, required=True, help="dense hearts")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="gap.safetensors of an earlier run, to start from")
    args = parser.parse_args(argv)
    config = json.loads(args.config.read_text(encoding="utf-8"))
    about = config["gap_training"]
    torch.manual_seed(config["seed"])
    net = GapNet(GapConfig.of(config["gap"]))
    if args.start is not None:
        net.load_state_dict(load_weights(GapNet(net.config), args.start).state_dict())
    run = Run(args.out, net, about["steps"], about["rate"], about["average"], about["decay_from"])
    run.resume()
    material = load_material(args.data, args.hearts, config, "train", config["seed"] + run.step)
    judge = load_material(args.data, args.hearts, config, "validation", 0)
    near, truth = judge.dense(about["judged"])
    real, weights, slices = judge.thick(about["judged"])

    def validate() -> dict[str, float]:
        with torch.no_grad():
            thin, slab = run.averaged(near), torch.einsum("ntk,nkhw->nthw", weights, run.averaged(real))
        export(run.averaged, args.out / "gap.safetensors")
        lines, thick_lines = near.linear, torch.einsum("ntk,nkhw->nthw", weights, real.linear)
        gains = {"val_dense": gain(thin, lines, truth), "val_thick": gain(slab, thick_lines, slices)}
        return {f"{name}_{part}": round(v, 4) for name, pair in gains.items() for part, v in pair.items()}

    run.train(lambda step: step_loss(net, material, about), validate, every=about["every"])
    return 0


def gain(of: Tensor, base: Tensor, truth: Tensor) -> dict[str, float]:
    """PSNR (dB) and SSIM of pictures (n, k, rows, columns) over those of ``base``, network units."""
    noise, base_noise = ((a - truth).square().mean(dim=(2, 3)) for a in (of, base))
    flat = [a.flatten(0, 1)[:, None] for a in (of, base, truth)]
    return {
        "psnr": float(10 * torch.log10(base_noise / noise.clamp_min(1e-9)).mean()),
        "ssim": float(dissimilarity(flat[1], flat[2]) - dissimilarity(flat[0], flat[2])),
    }
