"""The chambers of a whole stack, as probabilities: where the heart is, and then what each voxel around it is.

For measuring. The judge of :mod:`calid.segmentation.segmenter` labels single slices; here a stack is one heart, of
which each chamber is one connected shape, and what is not sure of its label counts in part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from calid.reconstruction.device import autocast
from calid.reconstruction.inplane import InplaneGrid
from calid.reconstruction.intensity import IntensityScale
from calid.segmentation.context import with_context
from calid.segmentation.labels import LEFT_VENTRICLE, MYOCARDIUM, RIGHT_VENTRICLE
from calid.segmentation.segmenter import Segmenter, has_segmenter, load_segmenter

SMALLEST_HEART_ML = 5.0
"""Left cavity and wall. Less than that is no heart, or not in this stack."""

_BATCH = 16
_MARGIN_MM = 24.0
_SMALLEST_REGION = 96  # pixels: the network was trained on 128
_REACH_OF_DOUBT = 2  # pixels around a shape in which a probability still belongs to it


@dataclass(frozen=True)
class Region:
    """The part of the network's grid around the heart."""

    rows: slice
    columns: slice

    def of(self, slices: np.ndarray) -> np.ndarray:
        """That part of (..., rows, columns)."""
        return slices[..., self.rows, self.columns]


@dataclass(frozen=True)
class Chambers:
    """Labels stacks of one patient and study: one grid, one scale of intensities, one region."""

    segmenter: Segmenter
    grid: InplaneGrid
    scale: IntensityScale
    region: Region

    @classmethod
    def around(
        cls,
        segmenter: Segmenter,
        slices: np.ndarray,
        positions: np.ndarray,
        pixel_spacing: tuple[float, float],
        scale: IntensityScale,
    ) -> Chambers | None:
        """Look for the heart in the whole field of view of one phase (k, rows, columns); ``None`` if there is none."""
        grid = segmenter.grid((slices.shape[-2], slices.shape[-1]), pixel_spacing)
        rows, columns = grid.model_shape
        everywhere = cls(segmenter, grid, scale, Region(slice(0, rows), slice(0, columns)))
        found = everywhere.probabilities(slices, positions, views=1)
        heart = found.argmax(axis=1) > 0
        left = (found[:, MYOCARDIUM] + found[:, LEFT_VENTRICLE]).sum() * segmenter.pixel**2 * np.diff(positions).mean()
        if not heart.any() or left < SMALLEST_HEART_ML * 1000:
            return None
        margin, multiple = round(_MARGIN_MM / segmenter.pixel), segmenter.net.config.multiple
        sides = [_side(heart.any(axis=axes), margin, multiple) for axes in ((0, 2), (0, 1))]
        return cls(segmenter, grid, scale, Region(*sides))

    def image(self, slices: np.ndarray) -> np.ndarray:
        """Slices (k, rows, columns) in scanner units on the pixels of the region (k, h, w), in network units."""
        return self.region.of(self.grid.to_model(self.scale.normalise(slices)))

    def labels(self, probabilities: np.ndarray) -> np.ndarray:
        """Probabilities (k, classes, h, w) as labels (k, rows, columns) uint8 on the pixels of the scanner."""
        labels = np.empty((len(probabilities), *self.grid.shape), np.uint8)
        for k, shares in enumerate(probabilities[:, 1:]):  # a slice at a time, for the sake of memory
            parts = self.grid.from_part(shares, self.region.rows, self.region.columns)
            labels[k] = np.concatenate([1 - parts.sum(axis=0, keepdims=True), parts]).argmax(axis=0)
        return labels

    def of_labels(self, labels: np.ndarray) -> np.ndarray:
        """Labels (k, rows, columns) on the pixels of the scanner as probabilities (k, classes, h, w).

        They are 0 or 1, but where a border runs through a pixel of the network.
        """
        values, acquired = range(LEFT_VENTRICLE + 1), self.grid.acquired
        parts = [self.grid.to_model(labels == each) * acquired for each in values]
        parts[0] += ~acquired  # the grid repeats the edge of the field there
        shares = np.clip(self.region.of(np.stack(parts, axis=1)), 0, 1)
        return shares / shares.sum(axis=1, keepdims=True)

    def covering(self, labels: np.ndarray) -> Chambers:
        """This, or where labels (k, rows, columns) lie beyond the region, the same with the whole field of view."""
        rows, columns = self.grid.model_shape
        everywhere = replace(self, region=Region(slice(0, rows), slice(0, columns)))
        inside = np.zeros(self.grid.model_shape, bool)
        inside[self.region.rows, self.region.columns] = True
        return self if inside[(self.grid.to_model(labels > 0) > 0.5).any(axis=0)].all() else everywhere

    def probabilities(self, slices: np.ndarray, positions: np.ndarray, views: int = 2) -> np.ndarray:
        """What each pixel of the region is: (k, classes, h, w) float32, adding up to 1.

        :param slices: (k, rows, columns) of one phase in scanner units, at ``positions`` mm.
        :param views: of which the mean is taken: 1, or 2, the second mirrored along all axes, slices included.
        """
        net = self.segmenter.net
        seen = torch.from_numpy(with_context(self.image(slices), positions, net.config.reach)).to(self.segmenter.device)
        parts = []
        with torch.inference_mode(), autocast(self.segmenter.device):
            for part in seen.split(_BATCH):
                plain = net(part.contiguous(memory_format=torch.channels_last)).float().softmax(dim=1)
                if views > 1:
                    turned = part.flip(-2, -1)
                    if turned.shape[1] > 1:
                        turned = turned[:, [0, 2, 1]]
                    turned = turned.contiguous(memory_format=torch.channels_last)
                    plain = (plain + net(turned).float().softmax(dim=1).flip(-2, -1)) / 2
                parts.append(plain.cpu())
        return one_heart(torch.cat(parts).numpy())


def load_measurer(models: str | Path | None = None, device: str | torch.device = "cpu") -> Segmenter:
    """The network that hearts are measured with: the one of that role, else the judge.

    :raises WeightsError: if there is neither, or anything of it is missing or altered.
    """
    return load_segmenter(models, device, "measurer" if has_segmenter(models, "measurer") else "segmenter")


def one_heart(probabilities: np.ndarray) -> np.ndarray:
    """(k, classes, h, w) with all but the largest connected shape of each ventricle turned into background.

    A shape keeps what is doubtful at its border, in its slices and in those next to it.
    """
    labels = probabilities.argmax(axis=1)
    kept = probabilities.copy()
    left = _near(_largest(labels >= MYOCARDIUM))
    kept[:, RIGHT_VENTRICLE] *= _near(_largest(labels == RIGHT_VENTRICLE))
    kept[:, MYOCARDIUM] *= left
    kept[:, LEFT_VENTRICLE] *= left
    kept[:, 0] = 1 - kept[:, 1:].sum(axis=1)
    return kept


def _largest(shape: np.ndarray) -> np.ndarray:
    """The largest piece of a mask (k, h, w); corners connect, for slices far apart overlap little."""
    pieces = sitk.ConnectedComponent(sitk.GetImageFromArray(shape.astype(np.uint8)), True)
    return sitk.GetArrayFromImage(sitk.RelabelComponent(pieces)) == 1


def _near(shape: np.ndarray) -> np.ndarray:
    image = sitk.GetImageFromArray(shape.astype(np.uint8))
    return sitk.GetArrayFromImage(sitk.BinaryDilate(image, [_REACH_OF_DOUBT, _REACH_OF_DOUBT, 1], sitk.sitkBox))


def _side(occupied: np.ndarray, margin: int, multiple: int) -> slice:
    """Where a heart lies along a side of the grid, with a margin, a multiple of what the network needs."""
    low, high = np.flatnonzero(occupied)[[0, -1]]
    size = max(int(high - low) + 1 + 2 * margin, _SMALLEST_REGION)
    size = min(-(-size // multiple) * multiple, len(occupied))
    start = int(np.clip((low + high + 1 - size) // 2, 0, len(occupied) - size))
    return slice(start, start + size)
