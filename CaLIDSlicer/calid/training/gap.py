"""Train the network of a gap: ``calid train gap CONFIG --data DIR --hearts DIR --out DIR [--start FILE]``.

Two kinds of truth meet in one batch. Dense hearts, acquired as a scanner would, say what is between thick slices, at
every knot at once. Hidden slices of real stacks say what a cine looks like: of the knots only the mean over the slab
is known. ``DIR`` of ``--data`` has the layout of :mod:`calid.cohorts.acdc`, that of ``--hearts`` holds
``heartNNN_sax.nii.gz``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from calid.model.gap import GapConfig, GapNet
from calid.model.knots import KNOTS
from calid.model.layers import channels_last
from calid.model.weights import load_weights
from calid.training.loop import Recipe, Run, export
from calid.training.losses import dissimilarity
from calid.training.material import Batch, Known, predict
from calid.training.stage import Stage, stage_parser

ENDS = 0.7  # weight of the knots at the bounding slices, which two gaps share
DISSIMILAR_KNOTS = 5  # similarity is looked at for as many of the nine, drawn anew in each step: it costs most
JUDGED_AT_ONCE = 16  # gaps, so that validation needs less memory than training

Losses = tuple[Tensor, dict[str, Tensor]]


def dense_loss(thin: Tensor, known: Known, about: Mapping[str, Any], knots: Sequence[int]) -> Losses:
    """Error, dissimilarity (of some ``knots``) and error of the change along the axis, of (n, 9, rows, columns)."""
    truth = known.slices
    change = (thin.diff(dim=1) - truth.diff(dim=1)).abs().mean()
    unlike = dissimilarity(thin[:, list(knots)], truth[:, list(knots)])
    error, linear = (_knot_error(each, truth) for each in (thin, known.near.linear))
    numbers = {"error": error, "linear": linear, "ssim": 1 - unlike}
    return error + about["change_weight"] * change + about["dissimilar_weight"] * unlike, numbers


def _knot_error(thin: Tensor, truth: Tensor) -> Tensor:
    weight = thin.new_ones(thin.shape[1])
    weight[0] = weight[-1] = ENDS
    return ((thin - truth).abs().mean(dim=(0, 2, 3)) * weight).mean()


def thick_loss(slab: Tensor, known: Known, about: Mapping[str, Any]) -> Losses:
    """Error and dissimilarity of the slab (n, 1, rows, columns) that the knots make."""
    error, unlike = (slab - known.slices).abs().mean(), dissimilarity(slab, known.slices)
    linear = (known.of(known.near.linear) - known.slices).abs().mean()
    return error + about["dissimilar_weight"] * unlike, {"error": error, "linear": linear, "ssim": 1 - unlike}


def batch_loss(net: GapNet, batch: Batch, about: Mapping[str, Any], rng: Generator) -> Losses:
    """The loss of one batch, and its parts beside the error that linear interpolation would have."""
    knots = predict(net, batch)
    judged = torch.randperm(KNOTS, generator=rng)[:DISSIMILAR_KNOTS].tolist()
    dense, numbers = dense_loss(knots["dense"], batch["dense"], about, judged)
    thick, others = thick_loss(batch["thick"].of(knots["thick"]), batch["thick"], about)
    parts = {"dense": numbers, "thick": others}
    return dense + about["thick_weight"] * thick, {
        f"{kind}_{name}": value.detach() for kind, part in parts.items() for name, value in part.items()
    }


def gain(of: Tensor, base: Tensor, truth: Tensor) -> dict[str, float]:
    """PSNR (dB) and SSIM of pictures (n, k, rows, columns) over those of ``base``, network units."""
    noise, base_noise = ((a - truth).square().mean(dim=(2, 3)) for a in (of, base))
    return {
        "psnr": float(10 * torch.log10(base_noise / noise.clamp_min(1e-9)).mean()),
        "ssim": float(dissimilarity(base, truth) - dissimilarity(of, truth)),
    }


@torch.no_grad()
def judge(net: GapNet, batch: Batch) -> dict[str, float]:
    """The :func:`gain` over linear interpolation, by kind of truth."""
    gains = {}
    for kind, known in batch.items():
        knots = torch.cat([predict(net, {kind: part})[kind] for part in known.split(JUDGED_AT_ONCE)])
        gains[kind] = gain(known.of(knots), known.of(known.near.linear), known.slices)
    return {f"val_{kind}_{name}": round(v, 4) for kind, pair in gains.items() for name, v in pair.items()}


def main(argv: Sequence[str]) -> int:
    """Entry of ``calid train gap``."""
    parser = stage_parser("gap", __doc__)
    parser.add_argument("--start", type=Path, help="gap.safetensors of an earlier run, to start from")
    args = parser.parse_args(argv)
    stage = Stage.of(args, "gap_training")
    net = GapNet(GapConfig.of(stage.config["gap"]))
    if args.start is not None:
        net.load_state_dict(load_weights(GapNet(net.config), args.start).state_dict())
    run = Run(args.out, channels_last(net.to(stage.device)), Recipe.of(stage.about))
    run.resume()
    judged, material = stage.judged(stage.about["judged"]), stage.material(run.step)

    def loss(step: int) -> Losses:
        rng = Generator().manual_seed(stage.config["seed"] * 1_000_003 + step)
        return batch_loss(net, material.draw(), stage.about, rng)

    def validate() -> dict[str, float]:
        export(run.averaged, args.out / "gap.safetensors")
        return judge(run.averaged, judged)

    run.train(loss, validate, every=stage.about["every"])
    return 0
