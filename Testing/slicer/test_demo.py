"""The demo's scene opens with all that was in it, and its pictures show something, without a display."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import slicer
import vtk
from matplotlib import image as mpimage

from calid.phantom import make_phantom
from CaLIDSlicerLib.Reconstruction import Reconstruction
from CaLIDSlicerLib.VolumeBridge import readStack, voxelsOf

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(autouse=True)
def _scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.delenv("DISPLAY", raising=False)


@pytest.fixture
def case():
    from demo_input import DemoCase

    phantom = make_phantom(slices=6, gap=12.0, matrix=(64, 64), pixel=3.0)
    return DemoCase("Phantom", phantom.sparse, phantom.sparse_labels[0])


@pytest.fixture
def dense(case, repeatingWorker):
    from demo_scene import addStack

    return Reconstruction(addStack(case.sparse, case.name), 4.0, mask=True, workerCommand=repeatingWorker).wait()


def isPicture(path: Path) -> bool:
    return float(np.std(mpimage.imread(path))) > 0.05


def test_the_saved_scene_opens_with_voxels_geometry_provenance_and_window(case, dense, scene, tmp_path):
    from demo_scene import saveScene

    path = saveScene(scene, tmp_path)
    reopened = slicer.vtkMRMLScene()
    reopened.SetURL(str(path))
    assert reopened.Import()
    copy = reopened.GetFirstNodeByName("Phantom CaLID")
    np.testing.assert_array_equal(voxelsOf(copy), voxelsOf(dense))
    np.testing.assert_allclose(readStack(copy).affine, readStack(dense).affine, atol=1e-6)
    assert copy.GetAttribute("CaLID.acquired") == dense.GetAttribute("CaLID.acquired")
    assert copy.GetDisplayNode().GetWindow() == pytest.approx(dense.GetDisplayNode().GetWindow(), rel=1e-4)
    assert copy.GetNodeReference("CaLID.synthesised").GetName() == "Phantom CaLID synthesised"
    assert copy.GetNodeReference("CaLID.input").GetName() == "Phantom"


def test_a_stack_in_lps_becomes_a_volume_in_ras(case, scene):
    from demo_scene import addStack

    matrix = vtk.vtkMatrix4x4()
    addStack(case.sparse, case.name).GetIJKToRASMatrix(matrix)
    lps = case.sparse.affine @ [3, 5, 2, 1]
    np.testing.assert_allclose(matrix.MultiplyPoint([3, 5, 2, 1]), lps * [-1, -1, 1, 1], atol=1e-9)


def test_the_pictures_are_drawn(case, dense, tmp_path):
    from demo_pictures import drawGap, drawLongAxis

    stack = readStack(dense)
    drawLongAxis(case, {"sparse": case.sparse, "dense": stack}, tmp_path / "long_axis.png")
    drawGap(case, stack, [0, None, None, 1, None, None, 2, None, None, 3], tmp_path / "gap.png")
    assert isPicture(tmp_path / "long_axis.png")
    assert isPicture(tmp_path / "gap.png")


def test_the_volume_is_rendered_without_a_display(case, dense, tmp_path):
    from demo_pictures import renderable, viewOf
    from demo_render import render

    path = tmp_path / "volume.png"
    if not render({"dense": renderable(case, readStack(dense))}, viewOf(case), path):
        pytest.skip("this machine has neither EGL nor OSMesa")
    assert isPicture(path)
    assert list(tmp_path.glob("*.npz")) == []


def test_without_opengl_the_demo_goes_on(case, dense, tmp_path, monkeypatch):
    from demo_pictures import renderable, viewOf
    from demo_render import render

    for library in ("libEGL.so.1", "libEGL.so", "libGL.so.1", "libOSMesa.so"):
        (tmp_path / library).write_text("not a library")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    assert not render({"dense": renderable(case, readStack(dense))}, viewOf(case), tmp_path / "volume.png")
