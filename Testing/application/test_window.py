"""The window, the views and the panel in the screens that people have."""

import numpy as np
import slicer
from driving import addResult, layoutNode, loadSample, picture, resizeWindow, spin, ui
from looking import checkWindow, cutOffChoices, cutOffInPanel, panelWidth, visibleViews

SIZES = ("1280x720", "1366x768", "1920x1080")
SMALL = (1050, 660)
"""About as small as Slicer's own four views let its window be."""


def showResult():
    dense = addResult(loadSample())
    ui().beforeAfterButton.click()
    spin(0.5)
    return dense


def test_the_panel_is_readable_and_advanced_does_not_widen_it():
    loadSample()
    before = panelWidth()[0]
    assert cutOffInPanel() == []
    ui().advancedSection.collapsed = False
    spin(0.3)
    picture("advanced")
    assert panelWidth()[0] <= before, f"{before} px became {panelWidth()[0]}"
    assert cutOffInPanel() == []
    assert cutOffChoices() == []
    ui().advancedSection.collapsed = True


def test_a_comparison_fits_the_screen_beside_a_3d_view_of_300_pixels():
    showResult()
    picture("result")
    checkWindow()
    assert len(visibleViews()) == 7
    threeD = next(view for view in visibleViews() if view.node.IsA("vtkMRMLViewNode"))
    assert threeD.width >= 300


def test_a_small_window_does_not_grow():
    from CaLIDSlicerLib.Display.Layout import COMPARISON_LAYOUT

    addResult(loadSample())
    resizeWindow(*SMALL)
    before = slicer.util.mainWindow().size.width()
    ui().beforeAfterButton.click()
    spin(0.5)
    picture("small")
    assert slicer.util.mainWindow().size.width() <= before
    assert layoutNode().GetViewArrangement() == COMPARISON_LAYOUT
    checkWindow()


def test_the_user_chooses_the_arrangement_in_the_toolbar_and_it_stays():
    from CaLIDSlicerLib.Display.Layout import COMPARISON_LAYOUTS

    showResult()
    bar = slicer.util.findChild(slicer.util.mainWindow(), "ViewToolBar")
    entries = bar.widgetForAction(bar.actions()[0]).menu().actions()
    ours = {entry.data(): entry for entry in entries if entry.text.startswith("CaLID")}
    assert set(ours) == set(COMPARISON_LAYOUTS)
    for layout, entry in ours.items():
        entry.trigger()
        spin(0.3)
        assert layoutNode().GetViewArrangement() == layout
        assert len(visibleViews()) == 7
        checkWindow()
        ui().beforeAfterButton.click()
        assert layoutNode().GetViewArrangement() == layoutNode().SlicerLayoutFourUpView
        ui().beforeAfterButton.click()
        assert layoutNode().GetViewArrangement() == layout


def test_no_view_names_a_volume_that_is_not_seen():
    from CaLIDSlicerLib.Display.Layout import DENSE_VIEWS, sliceViews

    showResult()
    for fraction in (40, 100):
        ui().fadeSlider.setValue(fraction)
        spin(0.2)
        named = [view.layers.GetForegroundVolumeID() is not None for view in sliceViews(slicer.mrmlScene, DENSE_VIEWS)]
        assert named == [fraction < 100] * 3


def test_twins_move_together_and_draw_no_cuts_into_each_other():
    """The cuts of the other two planes are drawn, and the one of the twin, which means nothing, is not."""
    from CaLIDSlicerLib.Display.Layout import DENSE_VIEWS, SPARSE_VIEWS, sliceViews

    showResult()
    names = [*SPARSE_VIEWS, *DENSE_VIEWS]
    views = dict(zip(names, sliceViews(slicer.mrmlScene, names), strict=True))
    for view in views.values():
        display = slicer.app.layoutManager().sliceWidget(view.plane.GetLayoutName()).sliceLogic().GetSliceDisplayNode()
        display.SetIntersectingSlicesVisibility(True)
    for before, after in zip(SPARSE_VIEWS, DENSE_VIEWS, strict=True):
        moved, twin = views[before].plane, views[after].plane
        assert moved.GetViewGroup() != twin.GetViewGroup()
        moved.SetSliceOffset(moved.GetSliceOffset() + 4)
        width, height, depth = moved.GetFieldOfView()
        moved.SetFieldOfView(width / 2, height / 2, depth)
        spin(0.1)
        matrices = [slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()) for node in (moved, twin)]
        np.testing.assert_allclose(*matrices, atol=1e-6)
        scales = [node.GetFieldOfView()[0] / node.GetDimensions()[0] for node in (moved, twin)]
        np.testing.assert_allclose(*scales, rtol=1e-3)
    picture("cuts")


def test_twins_keep_one_scale_when_the_window_is_resized():
    from CaLIDSlicerLib.Display.Layout import DENSE_VIEWS, SPARSE_VIEWS, sliceViews

    showResult()
    resizeWindow(*SMALL)
    scales = [
        [view.plane.GetFieldOfView()[0] / view.plane.GetDimensions()[0] for view in sliceViews(slicer.mrmlScene, names)]
        for names in (SPARSE_VIEWS, DENSE_VIEWS)
    ]
    np.testing.assert_allclose(*scales, rtol=0.02)
