"""What no method built on the autoencoder can exceed: real slices through encoder and decoder, nothing missing.

Measured on the slices that the held-out protocol scores, in the same region and intensity range.
"""

from __future__ import annotations

import numpy as np
import torch

from calid.evaluation.heldout import Case
from calid.model.weights import CalidModel
from calid.reconstruction.device import autocast
from calid.reconstruction.inplane import InplaneGrid
from calid.reconstruction.intensity import IntensityScale
from calid.selfcheck.similarity import psnr


def encode_decode_psnr(model: CalidModel, case: Case) -> dict[str, list[float]]:
    """PSNR in dB of every scored slice after encode and decode.

    ``"model_grid"`` compares on the model's pixels, ``"scanner_grid"`` after resampling there and back.
    """
    stack, wanted = case.stack, case.scored
    grid = InplaneGrid(stack.voxels.shape[2:], stack.pixel_spacing, model.pixel, model.multiple)
    scale = IntensityScale.of(stack.voxels)
    real = grid.to_model(scale.normalise(stack.voxels[0, wanted]))
    device = model.vae.latent_mean.device
    with torch.inference_mode(), autocast(device):
        pixels = torch.from_numpy(real)[:, None].to(device)
        made = model.vae.decode(model.vae.encode(pixels))[:, 0].float().cpu().numpy()
    back = case.scaled(scale.restore(grid.from_model(made)))
    real, made = (case.scaled(scale.restore(images)) for images in (real, made))
    boxes = [_on_model_grid(case.region(k), grid) for k in wanted]
    truth = case.scaled(stack.voxels[0])
    return {
        "model_grid": [float(psnr(r, m, box)) for r, m, box in zip(real, made, boxes, strict=True)],
        "scanner_grid": [float(psnr(truth[k], b, case.region(k))) for k, b in zip(wanted, back, strict=True)],
    }


def _on_model_grid(region: tuple[slice, slice], grid: InplaneGrid) -> tuple[slice, slice]:
    """The same rectangle in mm; both grids share their centre."""

    def convert(span: slice, axis: int) -> slice:
        size, mm, model = grid.shape[axis], grid.spacing[axis], grid.model_shape[axis]
        edges = ((np.array([span.start, span.stop]) - size / 2) * mm / grid.pixel + model / 2).round()
        return slice(max(0, int(edges[0])), min(model, int(edges[1])))

    return convert(region[0], 0), convert(region[1], 1)
