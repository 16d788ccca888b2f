"""The views of a comparison: sparse and dense on the same planes through the heart, at one scale."""

from __future__ import annotations

from .Geometry import extentsOf, look, planesOf, scaleToFit
from .Heart import heartOf
from .Layout import DENSE_VIEWS, SPARSE_VIEWS, inputOf, sliceViews
from .Window import fitWindow


def fillViews(volume) -> bool:
    """Show a dense volume and its input, without overlays; false where there are no views."""
    scene = volume.GetScene()
    for names, background in ((SPARSE_VIEWS, inputOf(volume)), (DENSE_VIEWS, volume)):
        for view in sliceViews(scene, names):
            view.layers.SetBackgroundVolumeID(background.GetID() if background else None)
            view.layers.SetForegroundVolumeID(None)
            view.layers.SetLabelVolumeID(None)
    return bool(sliceViews(scene, DENSE_VIEWS))


def lookAtHeart(volume) -> None:
    """Both rows look at the same planes at one scale: through the sparse volume's middle gap, where the gain is."""
    scene, shown = volume.GetScene(), inputOf(volume) or volume
    heart = heartOf(shown)
    fitWindow(shown, heart)
    planes, extents = planesOf(shown, heart), extentsOf(shown, heart)
    rows = [sliceViews(scene, names) for names in (SPARSE_VIEWS, DENSE_VIEWS)]
    scales = [scaleToFit(view.plane, extent) for row in rows for view, extent in zip(row, extents, strict=False)]
    for row in rows:
        for view, plane in zip(row, planes, strict=False):
            look(view.plane, plane, max(scales))
