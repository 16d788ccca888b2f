"""Render volumes side by side, off screen: ``python demo_render.py IN.npz OUT.png``.

A program of its own, because VTK ends the process where the machine has no OpenGL library at all.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk

PANEL_PIXELS = 520
TISSUE = ((0, "#1d0808"), (0.18, "#5a1512"), (0.38, "#a8322a"), (0.55, "#d98a6a"), (0.75, "#f2d2b0"), (1, "#fffaf0"))
OPACITY = ((0.0, 0.0), (0.12, 0.0), (0.24, 0.75), (1.0, 1.0))


@dataclass(frozen=True)
class View:
    """How to look at volumes that lie in one right-handed frame: x along columns, y along rows, z along slices, in mm.

    :param up: 1 or -1: the sense of z that is up.
    :param right: (x, y) direction, of unit length, that points to the right in the picture.
    :param centre: (x, y) of a point that the picture plane goes through; what is in front of it is cut away.
    """

    up: int
    right: tuple[float, float]
    centre: tuple[float, float]


def render(volumes: dict[str, tuple[np.ndarray, tuple[float, float, float]]], view: View, path: Path) -> bool:
    """Render volumes, (slices, rows, columns) in 0..1 with spacings (slice, row, column) in mm, in a child process.

    :return: whether the picture was made.
    """
    job = path.with_suffix(".npz")
    arrays: dict[str, Any] = {f"{n}": voxels for n, (voxels, _) in enumerate(volumes.values())}
    arrays["titles"] = list(volumes)
    arrays["spacings"] = [spacing for _, spacing in volumes.values()]
    arrays["view"] = [view.up, *view.right, *view.centre]
    np.savez(job, **arrays)
    try:
        command = [sys.executable, __file__, str(job), str(path)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    finally:
        job.unlink()


def _main(job: str, picture: str) -> None:
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(True)
    with np.load(job) as loaded:
        titles, spacings = loaded["titles"].tolist(), loaded["spacings"].tolist()
        up, *numbers = loaded["view"].tolist()
        view = View(up, tuple(numbers[:2]), tuple(numbers[2:]))
        window.SetSize(PANEL_PIXELS * len(titles), PANEL_PIXELS)
        camera = None
        for n, (title, spacing) in enumerate(zip(titles, spacings, strict=True)):
            renderer = _panel(loaded[str(n)], spacing, title, view)
            renderer.SetViewport(n / len(titles), 0, (n + 1) / len(titles), 1)
            window.AddRenderer(renderer)
            camera = camera or _aim(renderer, view)
            renderer.SetActiveCamera(camera)
            renderer.ResetCameraClippingRange()
    window.Render()
    _write(window, picture)


def _panel(voxels: np.ndarray, spacing: list[float], title: str, view: View) -> vtk.vtkRenderer:
    mapper = vtk.vtkSmartVolumeMapper()
    image = _image(voxels, spacing)
    mapper.SetInputData(image)
    mapper.AddClippingPlane(_plane(view))
    volume = vtk.vtkVolume()
    volume.SetMapper(mapper)
    volume.SetProperty(_property())
    renderer = vtk.vtkRenderer()
    renderer.SetBackground(0.08, 0.09, 0.12)
    renderer.AddVolume(volume)
    text = vtk.vtkTextActor()
    text.SetInput(title)
    text.GetTextProperty().SetFontSize(20)
    text.SetPosition(14, 12)
    renderer.AddViewProp(text)
    return renderer


def _image(voxels: np.ndarray, spacing: list[float]) -> vtk.vtkImageData:
    image = vtk.vtkImageData()
    image.SetDimensions(voxels.shape[::-1])
    image.SetSpacing(spacing[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(voxels.astype(np.float32).ravel(), deep=True))
    return image


def _away(view: View) -> np.ndarray:
    """(x, y, z) direction of sight: level, into the picture."""
    return np.cross((0.0, 0.0, view.up), (*view.right, 0.0))


def _plane(view: View) -> vtk.vtkPlane:
    plane = vtk.vtkPlane()
    plane.SetOrigin(*view.centre, 0.0)
    plane.SetNormal(*_away(view))
    return plane


def _property() -> vtk.vtkVolumeProperty:
    colours, opacity = vtk.vtkColorTransferFunction(), vtk.vtkPiecewiseFunction()
    for value, code in TISSUE:
        colours.AddRGBPoint(value, *(int(code[n : n + 2], 16) / 255 for n in (1, 3, 5)))
    for value, alpha in OPACITY:
        opacity.AddPoint(value, alpha)
    properties = vtk.vtkVolumeProperty()
    properties.SetColor(colours)
    properties.SetScalarOpacity(opacity)
    properties.SetScalarOpacityUnitDistance(1.5)
    properties.SetInterpolationTypeToNearest()
    properties.ShadeOn()
    properties.SetAmbient(0.85)  # the gradients on a cut face are noise, so most of the light has no direction
    properties.SetDiffuse(0.2)
    properties.SetSpecular(0.0)
    return properties


def _aim(renderer: vtk.vtkRenderer, view: View) -> vtk.vtkCamera:
    """Onto the cut face, a little from the side and from above."""
    camera = renderer.GetActiveCamera()
    camera.SetFocalPoint(0, 0, 0)
    camera.SetPosition(*-_away(view))
    camera.SetViewUp(0, 0, view.up)
    camera.Azimuth(18)
    camera.Elevation(24)
    renderer.ResetCamera()
    camera.Zoom(1.4)
    return camera


def _write(window: vtk.vtkRenderWindow, picture: str) -> None:
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    writer = vtk.vtkPNGWriter()
    writer.SetInputConnection(grab.GetOutputPort())
    writer.SetFileName(picture)
    writer.Write()


if __name__ == "__main__":
    _main(*sys.argv[1:])
