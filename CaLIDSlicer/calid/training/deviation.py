"""Train how far from its mean a real slice may be: ``calid train deviation CONFIG … --gap FILE --out DIR``.

The last layer of the network of a gap that says so, with all else frozen: it learns from the errors of the mean, at the
knots of dense hearts and at hidden slices, by the likelihood of a Laplace distribution (Kendall and Gal, NeurIPS 2017).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from calid.model.gap import GapNeighbours, GapNet
from calid.model.knots import KNOTS
from calid.model.layers import channels_last
from calid.training.loop import Run, export
from calid.training.material import Material, frozen_gap, load_material, stage_parser


def likelihood_loss(net: GapNet, doubt: torch.nn.Module, near: GapNeighbours, truth: Tensor, weights: Tensor) -> Tensor:
    """Negative log likelihood, up to a constant, of what is known of each gap.

    :param doubt: the layer that is trained, in the place of the network's own.
    :param truth: (n, t, rows, columns) slices, network units.
    :param weights: (n, t, 9) from the knots to them.
    """
    with torch.no_grad():
        features = net.features(near)
        mean = torch.einsum("ntk,nkhw->nthw", weights, near.linear + net.beyond_linear(near))
        error = (mean - truth).abs()
    log_scale = torch.einsum("ntk,nkhw->nthw", weights, net.expected_error(features, doubt))
    return (error * torch.exp(-log_scale) + log_scale).mean()


def batch_loss(net: GapNet, doubt: torch.nn.Module, material: Material, dense: int, thick: int) -> Tensor:
    """That of one batch of both kinds of truth."""
    near, truth = material.dense(dense)
    knots = torch.eye(KNOTS).expand(len(truth), KNOTS, KNOTS)
    real, weights, slices = material.thick(thick)
    shares = [likelihood_loss(net, doubt, near, truth, knots), likelihood_loss(net, doubt, real, slices, weights)]
    return (dense * shares[0] + thick * shares[1]) / (dense + thick)


def main(argv: Sequence[str]) -> int:
    """Entry of ``calid train deviation``."""
    args = stage_parser("deviation", __doc__).parse_args(argv)
    config, net = frozen_gap(args)
    about = config["deviation"]
    torch.manual_seed(config["seed"])
    net.doubt.requires_grad_(True)
    run = Run(args.out, channels_last(net.doubt), about["steps"], about["rate"], about["average"])
    run.resume()
    material = load_material(args.data, args.hearts, config, "train", config["seed"] + run.step)
    counts = about["dense"], about["thick"]

    def loss(step: int) -> tuple[Tensor, dict[str, float]]:
        value = batch_loss(net, run.net, material, *counts)
        return value, {"likelihood": float(value.detach())}

    def validate() -> dict[str, float]:
        judge = load_material(args.data, args.hearts, config, "validation", 0)
        with torch.no_grad():
            value = batch_loss(net, run.averaged, judge, *counts)
        averaged = GapNet(net.config)
        averaged.load_state_dict(net.state_dict() | {f"doubt.{k}": v for k, v in run.averaged.state_dict().items()})
        export(averaged, args.out / "gap.safetensors")
        return {"val_likelihood": round(float(value), 5)}

    run.train(loss, validate, every=about["every"])
    return 0
