"""The first look at a study as a scanner writes it, loaded by the DICOM module."""

from pathlib import Path
from unittest import SkipTest

import numpy as np
import slicer
import vtk
from driving import MODULE, addResult, parameters, picture, spin, ui
from looking import checkWindow

VENTRICLES = {"SCD0000201": (127, 114)}
"""Folder of a GE study -> the middle of the left ventricle (i, j) in its middle slice, as read from the screen."""


def folderOf(study: str) -> Path:
    """:raises SkipTest: where the data are not beside the clone."""
    for above in Path(__file__).resolve().parents:
        folder = above / "shared" / "data" / "sunnybrook" / "dicom" / study
        if folder.is_dir():
            return folder
    raise SkipTest("needs shared/data/sunnybrook beside the clone")


def loadStudy(study: str):
    """Import and load as the browser's button does, and come back to the module, which takes it for its input."""
    from DICOMLib import DICOMUtils

    folder = folderOf(study)
    slicer.util.selectModule("DICOM")  # entering it opens the database of the settings
    spin(0.5)
    if not slicer.dicomDatabase.isOpen:
        slicer.modules.DICOMInstance.browserWidget.dicomBrowser.createNewDatabaseDirectory()
    DICOMUtils.importDicom(str(folder))
    database = slicer.dicomDatabase
    series = [
        one
        for patient in database.patients()
        for study in database.studiesForPatient(patient)
        for one in database.seriesForStudy(study)
        if any(folder.name in file for file in database.filesForSeries(one))
    ]
    plugin = slicer.modules.dicomPlugins["MultiVolumeImporterPlugin"]()
    plugin.load(plugin.examine([database.filesForSeries(series[0])])[0])
    slicer.util.selectModule(MODULE)
    spin(0.5)
    assert parameters().input is not None


def test_window_zoom_and_cuts_follow_the_heart_of_a_ge_study():
    """Where it comes up dark, and the middle of the picture is 15 mm beside the ventricle."""
    from CaLIDSlicerLib.Display.Heart import HEART_SIZE
    from CaLIDSlicerLib.Display.Layout import DENSE_VIEWS, sliceViews
    from CaLIDSlicerLib.Scene.CineInput import findSource

    study = "SCD0000201"
    loadStudy(study)
    sparse = findSource(parameters().input).volume
    addResult(sparse)
    ui().beforeAfterButton.click()
    picture("result")
    checkWindow()
    column, row = VENTRICLES[study]
    planes = [view.plane for view in sliceViews(slicer.mrmlScene, DENSE_VIEWS)]
    for plane in planes:
        at = voxelAt(sparse, slicer.util.arrayFromVTKMatrix(plane.GetSliceToRAS())[:3, 3])
        assert np.hypot(at[0] - column, at[1] - row) * sparse.GetSpacing()[0] < 30
    assert min(planes[0].GetFieldOfView()[:2]) < 1.05 * HEART_SIZE
    blood = np.median(slicer.util.arrayFromVolume(sparse)[6, row - 8 : row + 8, column - 8 : column + 8])
    display = sparse.GetDisplayNode()
    assert 0.5 < (blood - display.GetWindowLevelMin()) / display.GetWindow() < 1


def voxelAt(volume, ras) -> np.ndarray:
    """The place (i, j, k) of a point in mm."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetRASToIJKMatrix(matrix)
    return np.array(matrix.MultiplyPoint([*ras, 1]))[:3]
