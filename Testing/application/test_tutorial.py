"""The tutorial of the README, step by step, with the model; its pictures are those that the README shows."""

from __future__ import annotations

import slicer
from driving import (
    isRunning,
    loadFromSampleData,
    needsModel,
    parameters,
    picture,
    spin,
    ui,
    waitForRun,
    waitForViews,
)
from looking import checkWindow, cutOffInPanel, isInSight, pressed, shown

SIZES = ("1280x800",)
MINUTES = 60.0  # in seconds


def test_the_tutorial_of_the_readme():
    needsModel()
    assert loadFromSampleData("CaLID phantom (cine)") is not None
    assert "8 slices, 10.0 mm apart, 6 mm thick, 12 phases" in ui().understoodLabel.text
    picture("start")
    reconstructed()
    compared()
    overlaid()
    measured()
    checked()


def reconstructed() -> None:
    """Step 3: a run that tells how far it is, and shows each phase when it is done."""
    ui().applyButton.click()
    spin(lambda: parameters().result, 10 * MINUTES)
    waitForViews()
    assert isRunning()
    assert ui().applyButton.text == "Cancel"
    assert "Phase" in ui().statusLabel.text
    picture("run")
    assert waitForRun(10 * MINUTES) == "CaLIDPhantomCine CaLID is ready."


def compared() -> None:
    """Steps 4 and 5: sparse and dense beat beside each other and in 3D, and the user's own views are a click away."""
    dense = parameters().result
    assert isInSight(ui().playButton), "what the user presses now is to be scrolled to"
    assert pressed() == {"uncertainty": False, "synthesised": False, "rendering": True, "play": True}
    ui().playButton.click()
    browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForProxyNode(dense)
    browser.SetSelectedItemNumber(0)
    picture("comparison")
    checkWindow()
    assert slicer.util.arrayFromVolume(dense).shape[0] == 36
    ui().beforeAfterButton.click()
    assert not ui().beforeAfterButton.checked
    ui().beforeAfterButton.click()
    spin(0.5)


def overlaid() -> None:
    """Step 6: what is estimated, and how surely."""
    ui().synthesisedButton.click()
    ui().uncertaintyButton.click()
    spin(0.5)
    picture("uncertainty")
    assert pressed() == shown(parameters().result)
    assert pressed()["synthesised"]
    assert pressed()["uncertainty"]


def measured() -> None:
    """Step 7: numbers in the panel, and a heart that beats beside the curve of its volumes."""
    ui().measureButton.click()
    assert waitForRun(10 * MINUTES) == "CaLIDPhantomCine CaLID is measured."
    spin(lambda: ui().showMeasuresButton.checked)
    spin(1)
    browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForProxyNode(parameters().result)
    browser.SetPlaybackActive(False)
    browser.SetSelectedItemNumber(0)
    assert "EF (%)" in ui().measuresLabel.text
    assert isInSight(ui().measuresLabel)
    checkWindow()
    assert cutOffInPanel() == []
    picture("measures")


def checked() -> None:
    """Step 8: a verdict in words, with plot, table and pictures."""
    ui().selfCheckButton.click()
    assert waitForRun(10 * MINUTES) == "The self-check is done."
    assert ui().showSelfCheckButton.checked
    assert "hidden slices" in ui().verdictLabel.text
    assert cutOffInPanel() == []
    picture("self_check")
