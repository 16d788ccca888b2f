"""What is pressed is what is shown, and after any end the views are what they were before the run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import slicer
import vtk
from driving import apply, layoutNode, loadSample, parameters, picture, spin, ui, waitForRun, waitForViews
from looking import pressed, shown
from obedience import reconstructed, worker

SIZES = ("1280x720",)
SMALL = {"slices": 5, "pixel": 3.0, "matrix": (64, 64)}
SPARSE, DENSE = (
    [f"CaLID{row}{plane}" for plane in ("ShortAxis", "LongAxis1", "LongAxis2")] for row in ("Sparse", "Dense")
)
COMPARISON = 27180
FOUR_UP = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
ONE_UP = slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView


@contextmanager
def atFirstPhase(**settings: Any) -> Iterator[Any]:
    """A run that has shown its first phase and does not go on."""
    before = parameters().result
    with worker("wait"):
        apply(**settings)
        spin(lambda: parameters().result not in (None, before))
        waitForViews()
        spin(0.5)  # a second click comes too soon before
        yield parameters().result


def layers(name: str) -> tuple:
    """Background, foreground if it is seen, and label of a slice view."""
    node = slicer.app.layoutManager().sliceWidget(name).sliceLogic().GetSliceCompositeNode()
    front = node.GetForegroundVolumeID() if node.GetForegroundOpacity() > 0 else None
    return node.GetBackgroundVolumeID(), front, node.GetLabelVolumeID()


def views() -> dict[str, Any]:
    """All that is to come back: the layout, what all slice views show, what is rendered and played, the selector."""
    renderings = slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode")
    browsers = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")
    return {
        "layout": layoutNode().GetViewArrangement(),
        "layers": {name: layers(name) for name in slicer.app.layoutManager().sliceViewNames()},
        "rendered": sorted(node.GetID() for node in renderings if node.GetVisibility()),
        "played": sorted(node.GetID() for node in browsers if node.GetPlaybackActive()),
        "legends": sorted(node.GetID() for node in legends() if node.GetVisibility()),
        "result": parameters().result,
    }


def checkSame(now: dict[str, Any], before: dict[str, Any]) -> None:
    """:raises AssertionError: naming what is not as it was; ours that came to be meanwhile are out of sight."""
    now = {**now, "layers": {name: now["layers"][name] for name in before["layers"]}}
    changed = {key: (before[key], now[key]) for key in before if before[key] != now[key]}
    assert not changed, changed


def legends() -> list:
    return slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")


def notes() -> list[str]:
    """The notes that are written into slice views."""
    found = []
    for name in DENSE:
        renderers = slicer.app.layoutManager().sliceWidget(name).sliceView().renderWindow().GetRenderers()
        actors = renderers.GetFirstRenderer().GetActors2D()
        texts = [actors.GetItemAsObject(n) for n in range(actors.GetNumberOfItems())]
        found += [text.GetInput() for text in texts if text.IsA("vtkTextActor") and text.GetVisibility()]
    return [text for text in found if text and "hase" in text]


def phasesOf(dense: Any) -> int:
    """How many phases a dense cine has."""
    browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForProxyNode(dense)
    return browser.GetSequenceNode(dense).GetNumberOfDataNodes()


def press(button: Any) -> None:
    button.click()
    spin(0.3)


def check(volume: Any) -> None:
    """:raises AssertionError: if a button says something else than the views."""
    assert pressed() == shown(volume)
    assert ui().beforeAfterButton.checked == (layers(DENSE[0])[0] == volume.GetID() and isCompared())
    seen = shown(volume)["uncertainty"]
    assert [
        bool(node.GetVisibility()) for node in legends() if node.GetDisplayableNode() and ofResult(node, volume)
    ] in ([], [seen])


def ofResult(legend: Any, volume: Any) -> bool:
    return legend.GetDisplayableNode().GetID() == volume.GetNodeReferenceID("CaLID.uncertainty")


def isCompared() -> bool:
    return layoutNode().GetViewArrangement() == COMPARISON


def test_a_cancelled_second_run_gives_the_first_result_back():
    loadSample(phases=4, **SMALL)
    first = reconstructed()
    press(ui().playButton)
    press(ui().uncertaintyButton)
    press(ui().synthesisedButton)
    before = views()
    assert before["legends"]
    with atFirstPhase(keepPhases=False) as second:
        assert [layers(name)[0] for name in DENSE] == [second.GetID()] * 3
        assert views()["legends"] == []
        assert len(views()["rendered"]) == 1
        check(second)
        picture("second_run")
        press(ui().applyButton)
        waitForRun()
    picture("cancelled")
    checkSame(views(), before)
    check(first)


def test_a_run_that_fails_gives_the_users_views_back():
    loadSample(phases=4, **SMALL)
    layoutNode().SetViewArrangement(ONE_UP)
    before = views()
    with worker("fail", 2):
        apply()
        status = waitForRun()
    assert status.startswith("Error")
    checkSame(views(), before)


def test_deleting_a_result_gives_the_users_views_back():
    loadSample(phases=4, **SMALL)
    before = views()
    dense = reconstructed()
    assert isCompared()
    assert views()["played"]
    nodeId = dense.GetID()
    slicer.mrmlScene.RemoveNode(dense)
    spin(0.5)
    picture("deleted")
    checkSame(views(), before)
    assert not any(nodeId in layers(name) for name in DENSE)


def test_deleting_the_folder_of_a_result_leaves_nothing():
    loadSample(phases=4, **SMALL)
    before = {node.GetID() for node in slicer.util.getNodes("*", useLists=True).values() for node in node}
    dense = reconstructed()
    press(ui().uncertaintyButton)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(dense))
    hierarchy.RemoveItem(folder, True, True)
    spin(0.5)
    left = [node for nodes in slicer.util.getNodes("*", useLists=True).values() for node in nodes]
    kinds = ("Volume", "Sequence", "ROI", "Legend", "Property", "Storage")
    new = [node for node in left if node.GetID() not in before and any(kind in node.GetClassName() for kind in kinds)]
    assert not new, [(node.GetClassName(), node.GetName()) for node in new]
    assert layoutNode().GetViewArrangement() == FOUR_UP


def test_deleting_the_second_result_gives_the_first_back():
    loadSample(phases=4, **SMALL)
    first = reconstructed()
    press(ui().playButton)
    before = views()
    slicer.mrmlScene.RemoveNode(reconstructed())
    spin(0.5)
    checkSame(views(), before)
    check(first)


def test_a_volume_chosen_in_one_view_changes_this_view_only():
    sparse = loadSample(phases=4, **SMALL)
    dense = reconstructed()
    press(ui().playButton)
    controller = slicer.app.layoutManager().sliceWidget(DENSE[0]).sliceController()
    chooser = slicer.util.findChild(controller, "BackgroundComboBox")
    chooser.setCurrentNode(dense.GetNodeReference("CaLID.uncertainty"))
    spin(0.3)
    assert [layers(name)[0] for name in SPARSE] == [sparse.GetID()] * 3
    assert [layers(name)[0] for name in DENSE[1:]] == [dense.GetID()] * 2
    controller.setSliceOffsetValue(controller.sliceOffsetSlider().value + 5)  # scrolling is still linked
    spin(0.3)
    offsets = [
        slicer.app.layoutManager().sliceWidget(row[0]).mrmlSliceNode().GetSliceOffset() for row in (SPARSE, DENSE)
    ]
    assert abs(offsets[0] - offsets[1]) < 1e-3


def test_a_volume_that_is_loaded_has_no_colours_of_a_result_over_it():
    loadSample(phases=4, **SMALL)
    dense = reconstructed()
    press(ui().uncertaintyButton)
    press(ui().synthesisedButton)
    check(dense)
    other = loadSample(phases=4, **SMALL)
    spin(0.5)
    assert [layers(name) for name in DENSE] == [(other.GetID(), None, None)] * 3
    check(dense)


def test_a_second_result_takes_the_place_of_the_first():
    loadSample(**SMALL)
    first = reconstructed()
    press(ui().uncertaintyButton)
    second = reconstructed()
    picture("second")
    check(second)
    assert views()["legends"] == []
    assert len(views()["rendered"]) == 1
    ui().resultSelector.setCurrentNode(first)
    spin(0.2)
    check(first)
    assert not any(pressed().values())
    press(ui().uncertaintyButton)  # brings it up
    check(first)
    assert pressed()["uncertainty"]
    assert [layers(name)[0] for name in DENSE] == [first.GetID()] * 3


def test_a_button_brings_up_what_is_not_seen():
    for name in ("uncertainty", "synthesised", "rendering"):
        slicer.mrmlScene.Clear()
        loadSample(**SMALL)
        dense = reconstructed()
        layoutNode().SetViewArrangement(ONE_UP)
        spin(0.3)
        check(dense)
        assert not any(pressed().values())
        press(getattr(ui(), f"{name}Button"))
        picture(name)
        check(dense)
        assert pressed()[name]


def test_a_scene_that_was_saved_with_all_on_comes_back_so():
    loadSample(**SMALL)
    reconstructed()
    press(ui().uncertaintyButton)
    press(ui().synthesisedButton)
    before = pressed()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "saved.mrb")
        assert slicer.util.saveScene(path)
        slicer.mrmlScene.Clear()
        spin(0.3)
        assert layoutNode().GetViewArrangement() == FOUR_UP
        slicer.util.loadScene(path)
        spin(1)
    picture("loaded")
    assert isCompared()
    assert pressed() == before
    check(parameters().result)
    assert any(node.GetVisibility() for node in legends())
    press(ui().beforeAfterButton)
    assert layoutNode().GetViewArrangement() == FOUR_UP


def test_playback_stopped_elsewhere_lets_the_button_up():
    loadSample(phases=4, **SMALL)
    reconstructed()
    assert ui().playButton.checked
    browser = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")[0]
    browser.SetPlaybackActive(False)
    assert not ui().playButton.checked


def test_phases_that_are_missing_are_said_to_be_missing():
    loadSample(phases=4, **SMALL)
    with worker("wait", 2):
        apply(keepPhases=True)
        spin(lambda: parameters().result and phasesOf(parameters().result) == 2)
        spin(0.8)  # a second click comes too soon before
        press(ui().applyButton)
        status = waitForRun()
    browser = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")[0]
    assert "2 of 4 phases were kept." in status, status
    assert not browser.GetPlaybackActive()
    browser.SetSelectedItemNumber(1)
    spin(0.3)
    assert notes() == []
    browser.SetSelectedItemNumber(3)
    spin(0.3)
    picture("phase_4")
    assert notes() == ["Phase 4 of 4:\nnot reconstructed"] * 3


def test_a_single_phase_says_which_it_is():
    loadSample(phases=4, **SMALL)
    from CaLIDSlicerLib.Panel.Parameters import Phases

    reconstructed(phases=Phases.CURRENT)
    browser = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")[0]
    assert notes() == []
    browser.SetSelectedItemNumber(2)
    spin(0.3)
    picture("phase_3")
    assert notes() == ["This is phase 1,\nbefore is phase 3"] * 3


def test_the_way_back_leads_to_the_users_layout():
    loadSample(phases=4, **SMALL)
    layoutNode().SetViewArrangement(ONE_UP)
    before = views()
    dense = reconstructed()
    press(ui().beforeAfterButton)
    now = views()
    checkSame({**now, "layers": before["layers"]}, {**before, "result": dense})
    press(ui().beforeAfterButton)
    assert isCompared()
    check(dense)


def test_a_closed_scene_leaves_no_empty_views():
    loadSample(**SMALL)
    reconstructed()
    slicer.mrmlScene.Clear()
    spin(0.3)
    assert layoutNode().GetViewArrangement() == FOUR_UP


def test_a_user_at_work_elsewhere_is_not_disturbed():
    loadSample(phases=4, **SMALL)
    with worker():
        apply()
        slicer.util.selectModule("Data")
        before = views()
        spin(lambda: parameters().result)
        spin(lambda: "ready" in ui().statusLabel.text)
    now = views()
    checkSame(now, {**before, "result": now["result"]})
    assert slicer.util.mainWindow().statusBar().currentMessage() == ui().statusLabel.text


def test_overwriting_leaves_one_folder():
    loadSample(**SMALL)
    first = reconstructed()
    hierarchy, items = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene), vtk.vtkIdList()

    def names() -> list[str]:
        hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items, True)
        return sorted(hierarchy.GetItemName(items.GetId(n)) for n in range(items.GetNumberOfIds()))

    before = names()
    assert reconstructed(output=first) is first
    assert names() == before
