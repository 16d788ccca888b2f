"""Before, after and really acquired: by one press, and back to the user's own views by another."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import slicer
from driving import addResult, apply, layoutNode, panel, parameters, picture, spin, ui, waitForRun, waitForViews
from looking import checkWindow, cutOffInPanel, visibleViews

BACKEND_TESTS = Path(__file__).resolve().parents[1] / "backend" / "dicom"
SIZES = ("1366x768",)
HEART = {"phases": 5, "slices": 8, "gap": 10.0, "pixel": 2.0, "matrix": (96, 96), "seed": 5, "dense_spacing": 2.0}
VIEWS = {20: "4CH", 80: "2CH", 140: "3CH"}
ONE_UP = slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView


def openStudy(longAxes: int) -> Any:
    """Open a study with so many long axes by the panel, and return the stack."""
    sys.path.insert(0, str(BACKEND_TESTS))
    import scanner

    from calid.phantom.beating_heart import Phantom

    phantom, folder = Phantom(**HEART), Path(tempfile.mkdtemp())
    try:
        scanner.save(scanner.shoot(phantom.sparse, each_its_own=True), folder / "short")
        for series, (degrees, name) in enumerate(list(VIEWS.items())[:longAxes], 50):
            shots = scanner.shoot(scanner.long_axis_of(phantom.dense, degrees), series, SeriesDescription=name)
            scanner.save([shot for shot in shots if shot.k == 0], folder / name)
        panel().services.chooseStudy = lambda: str(folder)
        ui().openStudyButton.click()
        waitForRun()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return parameters().input


def press() -> None:
    ui().longAxesButton.click()
    waitForViews()
    spin(0.5)


def shownIn(name: str) -> str:
    layers = slicer.app.layoutManager().sliceWidget(name).mrmlSliceCompositeNode()
    return slicer.mrmlScene.GetNodeByID(layers.GetBackgroundVolumeID()).GetName()


def test_one_press_shows_before_after_and_acquired_and_another_goes_back():
    openStudy(3)
    assert not ui().longAxesButton.enabled, "there is no result yet"
    apply(spacing=2.5)
    assert "ready" in waitForRun(600)
    waitForViews()
    compared = layoutNode().GetViewArrangement()
    assert ui().longAxesButton.enabled
    press()
    checkWindow()
    assert ui().longAxesButton.checked
    assert not ui().beforeAfterButton.checked
    assert len(visibleViews()) == 9
    assert {shownIn(f"CaLIDAcquired{row}") for row in (1, 2, 3)} == set(VIEWS.values())
    dense = parameters().result.GetName()
    assert [shownIn(f"CaLIDAfter{row}") for row in (1, 2, 3)] == [dense] * 3
    assert ui().longAxesLabel.text.count("correlation 0.") == 3
    assert cutOffInPanel() == []
    picture("three")
    assert ui().playButton.checked, "it does not beat"
    press()
    assert layoutNode().GetViewArrangement() == compared
    assert ui().beforeAfterButton.checked
    checkWindow()
    picture("back")


def test_the_users_own_views_come_back():
    sparse = openStudy(1)
    layoutNode().SetViewArrangement(ONE_UP)
    dense = addResult(sparse)
    press()
    checkWindow()
    assert len(visibleViews()) == 3
    assert [shownIn(f"CaLID{column}1") for column in ("Before", "After", "Acquired")] == [
        sparse.GetName(),
        dense.GetName(),
        "4CH",
    ]
    picture("one")
    press()
    assert layoutNode().GetViewArrangement() == ONE_UP
    press()
    slicer.mrmlScene.RemoveNode(dense)
    spin(0.5)
    assert layoutNode().GetViewArrangement() == ONE_UP
    assert not ui().longAxesButton.enabled


def test_a_study_without_long_axes_has_nothing_to_press():
    addResult(openStudy(0))
    assert ui().beforeAfterButton.enabled
    assert not ui().longAxesButton.enabled
