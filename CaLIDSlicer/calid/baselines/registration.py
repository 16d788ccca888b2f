"""Interpolation along a deformable registration of the two slices that bound a gap.

Each point travels on a straight line from its place in one slice to its place in the other. The registration is the
diffeomorphic demons (Vercauteren et al., NeuroImage 45(1), 2009) of SimpleITK, from coarse to fine; being invertible,
it can say for every pixel of a slice in between which two points pass there. It is run in both directions and the two
answers are averaged, so that reversing a stack reverses the result.

The constants were chosen on training patients by the held-out-slice protocol.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import SimpleITK as sitk

from calid.reconstruction.intensity import IntensityScale
from calid.stacks.plan import DensePlan, Target
from calid.stacks.stack import SliceStack

SHRINK = (4, 2, 1)
ITERATIONS = 40  # per level
SMOOTHING = 4.0  # mm, standard deviation of the Gaussian that regularises the displacements
INVERSION_ITERATIONS = 30


def interpolate_registered(stack: SliceStack, plan: DensePlan) -> tuple[np.ndarray, None]:
    """Dense voxels, float32 (phases, dense slices, rows, columns); acquired slices as they are."""
    dense = np.empty((len(stack.voxels), len(plan.positions), *stack.voxels.shape[2:]), np.float32)
    acquired = [index for index, source in enumerate(plan.acquired) if source is not None]
    scale = IntensityScale.of(stack.voxels)
    for phase, voxels in enumerate(stack.voxels):
        dense[phase, acquired] = voxels
        slices = [_image(scale.normalise(one), stack.pixel_spacing) for one in voxels]
        for target, made in _fill(slices, plan.targets):
            dense[phase, target.index] = scale.restore(made)
    return dense, None


def _image(pixels: np.ndarray, spacing: Sequence[float]) -> sitk.Image:
    image = sitk.GetImageFromArray(pixels.astype(np.float32))
    image.SetSpacing([spacing[1], spacing[0]])  # SimpleITK counts columns first
    return image


def _fill(slices: Sequence[sitk.Image], targets: Sequence[Target]) -> Iterator[tuple[Target, np.ndarray]]:
    """Every target with its slice (rows, columns); a gap is registered once, however many slices it lacks."""
    for gap in sorted({target.below for target in targets}):
        below, above = slices[gap], slices[gap + 1]
        up, down = register(below, above), register(above, below)
        for target in targets:
            if target.below == gap:
                forward = between(below, above, up, target.fraction)
                backward = between(above, below, down, 1 - target.fraction)
                yield target, sitk.GetArrayFromImage(forward + backward) / 2


def register(fixed: sitk.Image, moving: sitk.Image) -> sitk.Image:
    """Displacements in mm on the grid of ``fixed``: where in ``moving`` each of its points is found."""
    field: sitk.Image | None = None
    for shrink in SHRINK:
        coarse_fixed, coarse_moving = _shrink(fixed, shrink), _shrink(moving, shrink)
        demons = sitk.DiffeomorphicDemonsRegistrationFilter()
        demons.SetNumberOfIterations(ITERATIONS)
        demons.SetSmoothDisplacementField(True)
        demons.SetStandardDeviations([SMOOTHING / d for d in coarse_fixed.GetSpacing()])
        if field is None:
            field = demons.Execute(coarse_fixed, coarse_moving)
        else:
            field = demons.Execute(coarse_fixed, coarse_moving, _onto(field, coarse_fixed))
    assert field is not None
    return field


def _shrink(image: sitk.Image, factor: int) -> sitk.Image:
    """Fewer pixels by ``factor`` along each axis, smoothed first; tiny images keep at least 8 pixels a side."""
    factors = [max(1, min(factor, size // 8)) for size in image.GetSize()]
    smooth = sitk.SmoothingRecursiveGaussian(
        image, [max(f / 2, 1e-3) * d for f, d in zip(factors, image.GetSpacing(), strict=True)]
    )
    return sitk.Shrink(smooth, factors) if max(factors) > 1 else image


def _onto(field: sitk.Image, grid: sitk.Image) -> sitk.Image:
    """The displacements resampled to another grid; beyond their border they stay what they are there."""
    resample = sitk.ResampleImageFilter()
    resample.SetReferenceImage(grid)
    resample.SetUseNearestNeighborExtrapolator(True)
    return resample.Execute(field)


def between(fixed: sitk.Image, moving: sitk.Image, field: sitk.Image, fraction: float) -> sitk.Image:
    """The slice at ``fraction`` of the way from ``fixed`` to ``moving``.

    A point x of ``fixed`` has come to y = x + fraction * field(x). Inverting that gives for each y the x, and with it
    x + field(x) in ``moving``.
    """
    back = sitk.InvertDisplacementField(
        _scaled(field, fraction), maximumNumberOfIterations=INVERSION_ITERATIONS, maxErrorToleranceThreshold=0.05
    )
    onward = back + _warp(field, back, sitk.sitkLinear)
    return (1 - fraction) * _warp(fixed, back, sitk.sitkBSpline) + fraction * _warp(moving, onward, sitk.sitkBSpline)


def _scaled(field: sitk.Image, factor: float) -> sitk.Image:
    scaled = sitk.GetImageFromArray(sitk.GetArrayViewFromImage(field) * factor, isVector=True)
    scaled.CopyInformation(field)
    return scaled


def _warp(image: sitk.Image, field: sitk.Image, interpolator: int) -> sitk.Image:
    """``image`` at x + field(x); beyond its border it stays what it is there."""
    transform = sitk.DisplacementFieldTransform(sitk.Image(field))
    resample = sitk.ResampleImageFilter()
    resample.SetReferenceImage(image)
    resample.SetInterpolator(interpolator)
    resample.SetUseNearestNeighborExtrapolator(True)
    resample.SetTransform(transform)
    return resample.Execute(image)
