"""The demo's scene opens with all that was in it, and its pictures show something, without a display."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import slicer
import vtk
from matplotlib import image as mpimage
from PIL import Image, ImageSequence

from calid.errors import CalidError
from calid.phantom.beating_heart import make_phantom
from calid.stacks.plan import plan_slices
from calid.stacks.stack import SliceStack
from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction
from CaLIDSlicerLib.Scene.VolumeBridge import readStack, voxelsOf

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


@pytest.fixture
def cine():
    from demo_input import LEFT_CAVITY, DemoCase

    phantom = make_phantom(phases=5, slices=10, gap=8.0, matrix=(112, 112), seed=1)
    volumes = (phantom.sparse_labels == LEFT_CAVITY).sum(axis=(1, 2, 3))
    return DemoCase("Phantom cine", phantom.sparse, phantom.sparse_labels[0], endSystole=int(volumes.argmin()))


def test_the_real_heart_is_found_and_contracts():
    from demo_input import LEFT_CAVITY, realCine

    real = realCine()
    assert real.sparse.voxels.shape == (10, 12, 114, 118)
    assert real.sparse.thickness == 10
    assert real.endSystole in (3, 4)  # of ten phases, the R wave being at the first
    areas = (real.labels == LEFT_CAVITY).sum(axis=(1, 2))
    assert (areas > 0).sum() >= 7


def repeated(cine) -> SliceStack:
    """A dense cine that repeats each slice below."""
    plan = plan_slices(cine.sparse.positions, 4.0)
    below = np.maximum.accumulate([-1 if source is None else source for source in plan.acquired])
    return SliceStack(cine.sparse.voxels[:, below], cine.sparse.frame, plan.positions, cine.sparse.times)


def test_the_heart_beats_in_a_small_picture(cine, tmp_path):
    from demo_beating import drawBeating

    drawBeating(cine, repeated(cine), tmp_path / "beating.gif")
    assert (tmp_path / "beating.gif").stat().st_size < 2_000_000
    with Image.open(tmp_path / "beating.gif") as picture:
        assert picture.info["loop"] == 0
        assert picture.info["duration"] == pytest.approx(180, abs=10)  # GIF counts in hundredths of a second
        frames = [np.asarray(frame.convert("L"), float) for frame in ImageSequence.Iterator(picture)]
    assert len(frames) == 5
    moved = [np.abs(frame - frames[0]).mean() for frame in frames]
    assert np.argmax(moved) == cine.endSystole


@pytest.mark.parametrize("count", [1, 5, 16, 35, 200])
def test_a_long_cine_is_shown_in_few_phases(count):
    from demo_beating import MOST_FRAMES, _shownPhases

    shown = _shownPhases(count)
    assert len(set(shown)) == min(count, MOST_FRAMES)
    assert shown[0] == 0
    assert shown[-1] < count


def test_the_end_phases_are_drawn_from_the_middles_of_the_gaps(cine, tmp_path):
    from demo_beating import _middlesOfGaps, drawEndPhases

    dense = repeated(cine)
    drawEndPhases(cine, dense, tmp_path / "end_phases.png")
    assert isPicture(tmp_path / "end_phases.png")
    positions = dense.positions[_middlesOfGaps(cine, dense)]
    np.testing.assert_allclose(positions % 8, 4)


def test_the_cine_goes_through_the_command_line(cine, tmp_path):
    """With the real model on a corner of the phantom."""
    from demo_beating import reconstructCine

    corner = SliceStack(
        cine.sparse.voxels[:2, :3, 40:72, 40:72], cine.sparse.frame, cine.sparse.positions[:3], (0, 0.1)
    )
    dense = reconstructCine(replace(cine, sparse=corner), 4.0, tmp_path)
    np.testing.assert_array_equal(dense.voxels[:, ::2], corner.voxels)
    assert dense.times == pytest.approx((0, 0.1))
    assert {file.name for file in tmp_path.iterdir() if file.is_file()} == {
        "Phantom_cine.seq.nrrd",
        "Phantom_cine_CaLID.seq.nrrd",
    }


def test_a_command_line_that_fails_is_an_error_with_its_code(cine, tmp_path, capfd):
    from demo_beating import reconstructCine

    with pytest.raises(CalidError, match="ended with code 2"):
        reconstructCine(cine, 9.0, tmp_path)
    assert "nothing to do" in capfd.readouterr().err
