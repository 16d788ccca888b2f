"""Sample data of the extension, without a network: a real heart, and a phantom as a sparse cine and as a still.

Slicer's module *Sample Data* offers all three in the category *Cardiac*, and scripts get them with
``SampleData.downloadSample("CaLID phantom (cine)")``. Its contract, as read in
``Modules/Scripted/SampleData/SampleData.py`` of Slicer: button and function download a file into the cache and hand it
to the reader of ``loadFileTypes``, whose nodes they return (a ``customDownloader`` is called by the button only). So
what is "downloaded", from an address that holds its own content, is the name of a sample, and
``CaLIDSlicerFileReader`` makes the sample of that name. The real heart is a file of the extension
(``scripts/sample_heart.py`` made it): a cine of the Sunnybrook Cardiac Data, public domain (CC0).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import slicer

from calid.errors import Cancelled
from calid.phantom.beating_heart import Phantom
from calid.stacks.stack import SliceStack

from ..Host import computeWithProgress
from ..Translation import _
from .NewCine import LPS_TO_RAS, addCineOf, addVolume, playSequence, readSequence, show
from .VolumeBridge import freeName

CATEGORY = "Cardiac"
FILE_TYPE, SUFFIX = "CaLIDPhantom", ".calidphantom"
CINE_NAME, STILL_NAME, HEART_NAME = "CaLIDPhantomCine", "CaLIDPhantom", "SunnybrookCine"
HEART_FILE = Path(__file__).resolve().parents[2] / "Resources" / "SampleData" / f"{HEART_NAME}.seq.nrrd"


@dataclass(frozen=True)
class SampleShape:
    """How much of a phantom is made; by default as much as a laptop reconstructs in a minute or so.

    :param phases: of one heart beat, at least 2; the still has the first of them, end-diastole.
    :param gap: mm between slices.
    :param pixel: mm.
    :param matrix: (rows, columns).
    """

    phases: int = 12
    slices: int = 8
    gap: float = 10.0
    pixel: float = 1.6
    matrix: tuple[int, int] = (128, 128)


def registerSampleData(resourcesFolder: str | Path) -> None:
    """Offer the samples in Slicer's module *Sample Data*; call it when the application has started up, not before.

    :param resourcesFolder: the module's folder ``Resources``, which holds the thumbnails in ``SampleData``.
    """
    import SampleData

    labels = {
        HEART_NAME: "Sunnybrook heart (cine)",
        CINE_NAME: "CaLID phantom (cine)",
        STILL_NAME: "CaLID phantom",
    }
    for name, label in labels.items():
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=label,
            uris=f"data:,{name}",
            fileNames=f"{name}{SUFFIX}",
            nodeNames=name,
            thumbnailFileName=str(Path(resourcesFolder) / "SampleData" / f"{name}.png"),
            loadFileTypes=FILE_TYPE,
        )


def loadSample(path: str | Path) -> list | None:
    """Add the sample that a file names, show it, and return its volume node, in a list.

    The list is empty where the user has cancelled it; on ``None``, for no such sample, Slicer would try again.
    """
    name = Path(path).read_text(encoding="utf-8").strip()
    load = {HEART_NAME: loadHeart, CINE_NAME: loadCine, STILL_NAME: loadStill}.get(name)
    try:
        return [load()] if load else None
    except Cancelled:
        return []


def loadHeart():
    """Add the real heart, show it with its playback controls, and return its volume node."""
    return show(addHeart())


def loadCine():
    """Add the cine, show it with its playback controls, and return its volume node."""
    return show(addCine())


def loadStill():
    """Add the still, show it, and return its volume node."""
    return show(addStill())


def addHeart():
    """Add the real heart to the scene, as :func:`addCine` does the phantom: 12 slices 10 mm apart, 20 phases."""
    name = freeName(slicer.mrmlScene, HEART_NAME)
    return playSequence(readSequence(HEART_FILE, name), name)


def addStill(shape: SampleShape | None = None):
    """Add one sparse short-axis stack to the scene and return its volume node.

    :raises Cancelled: if the user has cancelled it, as with a cine.
    """
    return addVolume(_scan(shape or SampleShape(), phases=1), STILL_NAME)


def addCine(shape: SampleShape | None = None):
    """Add a sparse cine to the scene and return its proxy, the volume node that shows the selected phase.

    With it come a sequence node, indexed by the time in ms, and a browser node that plays it at the speed of a heart.

    :raises Cancelled: if the user has cancelled it: it is computed beside Slicer's window, which shows how far it is.
    """
    shape = shape or SampleShape()
    return addCineOf(_scan(shape, shape.phases), CINE_NAME)


def _scan(shape: SampleShape, phases: int) -> SliceStack:
    """The sparse phantom with its axes in RAS, times in seconds."""
    phantom = Phantom(phases, shape.slices, shape.gap, shape.pixel, shape.matrix)
    sparse = computeWithProgress(phantom.acquire, phases, _("The phantom is being computed ..."))
    frame = LPS_TO_RAS @ sparse.frame
    return SliceStack(sparse.voxels, frame, sparse.positions, sparse.times, thickness=phantom.thickness)
