"""Train how far from its mean a real slice may be: ``calid train deviation CONFIG … --gap FILE --out DIR``.

The last layer of the network of a gap that says so, with all else frozen: it learns from the errors of the mean, at the
knots of dense hearts and at hidden slices, by the likelihood of a Laplace distribution (Kendall and Gal, NeurIPS 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from calid.model.gap import GapNet
from calid.model.layers import channels_last
from calid.reconstruction.device import autocast
from calid.training.loop import Recipe, Run, export
from calid.training.material import Batch, Known
from calid.training.stage import Stage, stage_parser


def likelihood_loss(net: GapNet, doubt: nn.Module, known: Known) -> Tensor:
    """Negative log likelihood, up to a constant, of what is known of each gap.

    :param doubt: the layer that is trained, in the place of the network's own.
    """
    with torch.no_grad():
        with autocast(known.slices.device):
            features = net.features(known.near)
            knots = net.thin(known.near, features, known.consistency)
        error = (known.of(knots) - known.slices).abs()
    log_scale = known.of(net.expected_error(features.float(), doubt))
    return (error * torch.exp(-log_scale) + log_scale).mean()


def batch_loss(net: GapNet, doubt: nn.Module, batch: Batch) -> Tensor:
    """That of all gaps of a batch, each counting as much."""
    losses = torch.stack([likelihood_loss(net, doubt, known) for known in batch.values()])
    counts = losses.new_tensor([len(known.slices) for known in batch.values()])
    return (losses * counts).sum() / counts.sum()


def main(argv: Sequence[str]) -> int:
    """Entry of ``calid train deviation``."""
    parser = stage_parser("deviation", __doc__)
    parser.add_argument("--gap", type=Path, required=True, help="gap.safetensors of calid train gap")
    args = parser.parse_args(argv)
    stage = Stage.of(args, "deviation")
    net = stage.frozen_gap()
    net.doubt.requires_grad_(True)
    run = Run(args.out, channels_last(net.doubt), Recipe.of(stage.about))
    run.resume()
    judged, material = stage.judged(), stage.material(run.step)

    def loss(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        value = batch_loss(net, run.net, material.draw())
        return value, {"likelihood": value.detach()}

    def validate() -> dict[str, float]:
        with torch.no_grad():
            value = batch_loss(net, run.averaged, judged)
        averaged = GapNet(net.config)
        averaged.load_state_dict(net.state_dict() | {f"doubt.{k}": v for k, v in run.averaged.state_dict().items()})
        export(averaged, args.out / "gap.safetensors")
        return {"val_likelihood": round(float(value), 5)}

    run.train(loss, validate, every=stage.about["every"])
    return 0
