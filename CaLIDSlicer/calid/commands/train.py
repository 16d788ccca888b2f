"""``calid train STAGE …``: train a stage of the model, or publish the result."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Any

from calid.commands.common import Report

_STAGES = (
    *("autoencoder", "decoder", "gap", "deviation", "denoiser", "publish"),
    *("segmentation", "unet", "pixel-diffusion"),
)


def add(commands: Any) -> None:
    """Declare the command; each stage declares its own options."""
    parser = commands.add_parser("train", help="train a stage of the model, or publish the result", add_help=False)
    parser.set_defaults(run=run)
    parser.add_argument("stage", choices=_STAGES)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="CONFIG --data DIR ...; see calid train STAGE -h")


def run(args: argparse.Namespace, report: Report) -> int:
    """Hand over to the stage."""
    return import_module(f"calid.training.{args.stage.replace('-', '_')}").main(args.arguments)
