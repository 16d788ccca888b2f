"""Right ventricle, myocardium and left-ventricular cavity in short-axis slices, one slice at a time.

A residual U-Net on the model's pixels, normalised like everything else here. It labels slices for the user, and as a
frozen judge it tells whether a synthesised slice shows the same anatomy as the real one: by its labels, and by the
distance between its features.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
import torch.nn.functional as F
from torch import Tensor

from calid.model.keeping import kept
from calid.model.manifest import find_models, load_manifest, read_manifest, verify_model
from calid.model.weights import load_weights
from calid.reconstruction.device import autocast
from calid.reconstruction.inplane import InplaneGrid
from calid.reconstruction.intensity import IntensityScale
from calid.segmentation.labels import MYOCARDIUM, RIGHT_VENTRICLE
from calid.segmentation.network import SegmentationConfig, SegmentationNet

BATCH = 16  # slices at once, which bounds the memory
_FLIPS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))


@dataclass(frozen=True)
class Segmenter:
    """The trained network, ready on a device, with what the manifest says of it; ``pixel`` in mm."""

    id: str
    sha256: dict[str, str]
    net: SegmentationNet
    pixel: float

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.net.leave.weight.device

    def grid(self, shape: tuple[int, int], pixel_spacing: tuple[float, float]) -> InplaneGrid:
        """Scanner pixels (rows, columns) of ``pixel_spacing`` mm (row, column), and the network's."""
        return InplaneGrid(shape, pixel_spacing, self.pixel, self.net.config.multiple)

    def pixels(self, slices: np.ndarray, grid: InplaneGrid, scale: IntensityScale) -> Tensor:
        """Slices (n, rows, columns) in scanner units as the input (n, 1, h, w) of a network that sees one at a time."""
        model = torch.from_numpy(grid.to_model(scale.normalise(slices)))[:, None]
        return model.to(self.device).contiguous(memory_format=torch.channels_last)


def has_segmenter(models: str | Path | None = None, role: str = "segmenter") -> bool:
    """Whether a models folder comes with a network of a role; it is complete without."""
    return role in load_manifest(find_models(models))


@kept
def load_segmenter(
    models: str | Path | None = None, device: str | torch.device = "cpu", role: str = "segmenter"
) -> Segmenter:
    """Verify and load a segmentation network of a models folder onto a device, in evaluation mode.

    :param role: in the manifest: ``"segmenter"``, the judge, or ``"measurer"``.
    :raises WeightsError: if there is none, or anything of it is missing or altered.
    """
    folder = find_models(models)
    entry = read_manifest(folder, role)
    hashes = verify_model(folder, entry)
    architecture = entry["architecture"]
    net = SegmentationNet(SegmentationConfig(**architecture["segmentation"]))
    load_weights(net, folder / entry["id"] / "segmentation.safetensors", device)
    return Segmenter(entry["id"], hashes, net, architecture["pixel"])


def segment(
    segmenter: Segmenter, slices: np.ndarray, pixel_spacing: tuple[float, float], scale: IntensityScale | None = None
) -> np.ndarray:
    """Label every pixel of short-axis slices: 0 background, 1 right ventricle, 2 myocardium, 3 left cavity.

    Each slice is labelled by itself, in its four mirror images, whose probabilities are averaged. There is one heart:
    of several pieces of the right ventricle only the largest stays, and so of the left ventricle with its wall.

    :param slices: (..., rows, columns) in scanner units, such as the voxels (phases, k, rows, columns) of a stack.
    :param pixel_spacing: (row, column) mm.
    :param scale: of the stack that the slices belong to, if they are not all of it.
    :returns: uint8, the shape of ``slices``.
    """
    scale = scale or IntensityScale.of(slices)
    flat = slices.reshape(-1, *slices.shape[-2:])
    grid = segmenter.grid(flat.shape[1:], pixel_spacing)
    parts = (segmenter.pixels(flat[n : n + BATCH], grid, scale) for n in range(0, len(flat), BATCH))
    # Probabilities, not labels, go back to the scanner's pixels: borders stay smooth.
    labels = [grid.from_model(_probabilities(segmenter.net, part)).argmax(axis=1).astype(np.uint8) for part in parts]
    return np.stack([_one_heart(found) for found in np.concatenate(labels)]).reshape(slices.shape)


def _probabilities(net: SegmentationNet, pixels: Tensor) -> np.ndarray:
    """(n, classes, h, w), the mean over mirror images of (n, 1, h, w)."""
    with torch.inference_mode(), autocast(pixels.device):
        views = [net(pixels.flip(axes)).float().softmax(dim=1).flip(axes) for axes in _FLIPS]
    return torch.stack(views).mean(dim=0).cpu().numpy()


def _one_heart(labels: np.ndarray) -> np.ndarray:
    """Labels (rows, columns) with all but the largest piece of each ventricle turned into background."""
    kept = np.zeros_like(labels)
    for ventricle in (labels == RIGHT_VENTRICLE, labels >= MYOCARDIUM):
        pieces = sitk.ConnectedComponent(sitk.GetImageFromArray(ventricle.astype(np.uint8)))
        largest = sitk.GetArrayFromImage(sitk.RelabelComponent(pieces)) == 1
        kept[largest] = labels[largest]
    return kept


def feature_distance(
    segmenter: Segmenter,
    first: np.ndarray,
    second: np.ndarray,
    pixel_spacing: tuple[float, float],
    scale: IntensityScale,
) -> np.ndarray:
    """How differently the network sees two sets of slices, per pixel: 0 for the same, about 2 for unrelated ones.

    A perceptual distance (as LPIPS, Zhang et al., CVPR 2018) with a network that knows hearts. The features of every
    level are standardised over their channels, so that each level counts alike; the squared difference is averaged
    over channels and levels.

    :param first: (n, rows, columns) in scanner units, like ``second``; symmetric in both.
    :param scale: of the stack that they belong to.
    :returns: (n, rows, columns), on the pixels of the slices.
    """
    grid = segmenter.grid(first.shape[1:], pixel_spacing)
    maps = []
    for n in range(0, len(first), BATCH):
        a, b = (_standard_features(segmenter, segmenter.pixels(s[n : n + BATCH], grid, scale)) for s in (first, second))
        maps.append(grid.from_model(_mean_square(a, b, grid.model_shape)))
    return np.concatenate(maps)


def _standard_features(segmenter: Segmenter, pixels: Tensor) -> list[Tensor]:
    """Zero mean and unit variance over the channels of every position, float32."""
    with torch.inference_mode(), autocast(segmenter.device):
        features = segmenter.net.features(pixels)
    return [F.layer_norm(f.float().movedim(1, -1), f.shape[1:2]).movedim(-1, 1) for f in features]


def _mean_square(first: list[Tensor], second: list[Tensor], shape: tuple[int, int]) -> np.ndarray:
    """(n, h, w) squared difference, the mean over channels and levels."""
    levels = [(a - b).square().mean(dim=1, keepdim=True) for a, b in zip(first, second, strict=True)]
    grown = [F.interpolate(level, size=shape, mode="bilinear", align_corners=False) for level in levels]
    return torch.stack(grown).mean(dim=0)[:, 0].cpu().numpy()
