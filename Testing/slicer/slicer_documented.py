"""Signatures of what only the Slicer application has, as documented in the sources of 3D Slicer 5.12 and 5.13.

The value is a function with the same parameters; ``None`` stands for something that is not called. Sources:

- ``Base/Python/slicer/packaging.py``, ``Base/Python/slicer/i18n.py``, ``Base/Python/slicer/ScriptedLoadableModule.py``,
  ``Base/Python/slicer/parameterNodeWrapper/``
- ``Modules/Scripted/SampleData/SampleData.py``; the extension PyTorch's ``PyTorchUtils/PyTorchUtils.py``
- ``Base/QTCore/qSlicerCoreApplication.h``, ``Base/QTGUI/qSlicerApplication.h``, Qt's ``QCoreApplication``
- ``Modules/Scripted/DICOMPlugins/DICOMScalarVolumePlugin.py``, ``ctkDICOMDatabase.h``
- ``Modules/Loadable/Sequences/qSlicerSequencesModule.h``, ``Base/QTCore/qSlicerAbstractCoreModule.h``
"""

from __future__ import annotations

from collections.abc import Callable


def pip_ensure(
    requirements,
    constraints=None,
    skip_packages=None,
    prompt_install=True,
    prompt_restart=True,
    requester=None,
    skip_in_testing=True,
    show_progress=True,
): ...


def pip_install(
    requirements,
    constraints=None,
    no_deps_requirements=None,
    skip_packages=None,
    blocking=True,
    show_progress=True,
    requester=None,
    parent=None,
    logCallback=None,
    completedCallback=None,
): ...


def installTorch(
    askConfirmation=False,
    forceComputationBackend=None,
    torchVersionRequirement=None,
    torchvisionVersionRequirement=None,
): ...


def registerCustomSampleDataSource(
    category="Custom",
    sampleName=None,
    uris=None,
    fileNames=None,
    nodeNames=None,
    customDownloader=None,
    thumbnailFileName=None,
    loadFileTypes=None,
    loadFiles=None,
    loadFileProperties=None,
    checksums=None,
): ...


PACKAGING: dict[str, Callable] = {
    "slicer.packaging.load_requirements": lambda path: None,
    "slicer.packaging.pip_check": lambda req: None,
    "slicer.packaging.pip_ensure": pip_ensure,
    "slicer.packaging.pip_install": pip_install,
}

EXTENSIONS: dict[str, Callable] = {
    "PyTorchUtils.PyTorchUtilsLogic": lambda: None,
    "PyTorchUtilsLogic.torchInstalled": lambda: None,
    "PyTorchUtilsLogic.installTorch": installTorch,
    "SampleDataLogic.registerCustomSampleDataSource": registerCustomSampleDataSource,
}

APPLICATION: dict[str, Callable | None] = {
    "slicer.app": None,
    "slicer.app.aboutToQuit": None,
    "slicer.app.aboutToQuit.connect": lambda receiver: None,
    "slicer.app.aboutToQuit.disconnect": lambda receiver: None,
    "slicer.app.startupCompleted": None,
    "slicer.app.startupCompleted.connect": lambda receiver: None,
    "slicer.app.startupCompleted.disconnect": lambda receiver: None,
    "slicer.app.layoutManager": lambda: None,
    "slicer.app.processEvents": lambda: None,
    "slicer.app.temporaryPath": None,
    "slicer.app.testingEnabled": lambda: None,
    "slicer.app.connect": lambda signal, receiver: None,
    "slicer.dicomDatabase": None,
    "slicer.dicomDatabase.fileValue": lambda fileName, tag: None,
    "slicer.modules": None,
    "slicer.modules.dicomPlugins": None,
    "slicer.modules.sequences": None,
    "slicer.modules.sequences.logic": lambda: None,
    "slicer.modules.sequences.showSequenceBrowser": lambda browserNode: None,
    "slicer.packaging": None,
    "slicer.parameterNodeWrapper": None,
}

IMPORTED = {
    "slicer.i18n": {"tr", "translate"},
    "slicer.ScriptedLoadableModule": {
        "ScriptedLoadableModule",
        "ScriptedLoadableModuleLogic",
        "ScriptedLoadableModuleTest",
        "ScriptedLoadableModuleWidget",
    },
    "slicer.parameterNodeWrapper": {"Choice", "Default", "Maximum", "Minimum", "WithinRange", "parameterNodeWrapper"},
}

DOCUMENTED = PACKAGING | EXTENSIONS | APPLICATION
