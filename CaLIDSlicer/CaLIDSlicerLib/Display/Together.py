"""Views of one plane that scroll, pan and zoom together."""

from __future__ import annotations

from collections.abc import Sequence

import vtk
from slicer.util import VTKObservationMixin

from .Layout import DENSE_VIEWS, LONG_AXIS_VIEWS, PICTURE_VIEWS, SPARSE_VIEWS, sliceViews

_SCALE_TOLERANCE = 0.01  # share by which millimetres per pixel may differ, across and down


def twinsIn(scene) -> list[list]:
    """The slice nodes of our views, each with those of the same plane; as far as the views exist."""
    names = [*zip(SPARSE_VIEWS, DENSE_VIEWS, strict=True), PICTURE_VIEWS, *LONG_AXIS_VIEWS]
    return [[view.plane for view in sliceViews(scene, twins)] for twins in names]


class TogetherViews(VTKObservationMixin):
    """Keeps the views of each set on the same plane at the same scale, whichever of them the user moves.

    Slicer's own link would do this too, but only within a group of views: it links their layers as well, so that a
    volume chosen in one view replaces both sparse and dense, and it draws the cuts of a group's views into each other,
    which for two views of one plane are lines that mean nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[list] = []
        self._isMoving = False

    def keep(self, sets: list[list]) -> None:
        """Move the slice nodes of each set together from now on, and no others; again, it does nothing."""
        if sets == self._kept:
            return
        self.removeObservers()
        self._kept = sets
        for planes in sets:
            for plane in planes:
                self.addObserver(plane, vtk.vtkCommand.ModifiedEvent, self._mover(planes))

    def _mover(self, planes: Sequence):
        def move(moved, _event) -> None:
            if self._isMoving or not _isSettled(moved):  # by this function; or while a view gets another size
                return
            self._isMoving = True
            try:
                for plane in planes:
                    if plane is not moved:
                        _follow(plane, moved)
            finally:
                self._isMoving = False

        return move


def _isSettled(plane) -> bool:
    """Whether a view shows squares as squares: between its new size and its new field of view it does not."""
    (width, height, _), (across, down, _) = plane.GetDimensions(), plane.GetFieldOfView()
    return min(width, height) > 0 and abs(across / width - down / height) < _SCALE_TOLERANCE * across / width


def _follow(plane, moved) -> None:
    """Look where ``moved`` looks, at its scale: the two views may differ in size."""
    width, height, _ = plane.GetDimensions()
    depth = moved.GetFieldOfView()[2]
    scale = moved.GetFieldOfView()[0] / max(moved.GetDimensions()[0], 1)
    wasModified = plane.StartModify()
    plane.GetSliceToRAS().DeepCopy(moved.GetSliceToRAS())
    plane.SetXYZOrigin(*moved.GetXYZOrigin())
    plane.SetFieldOfView(scale * width, scale * height, depth)
    plane.UpdateMatrices()
    plane.EndModify(wasModified)
