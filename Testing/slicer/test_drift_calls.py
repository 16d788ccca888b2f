"""Every call of Slicer, MRML and VTK in the sources exists, and takes the arguments it is given.

What slicer-core has is looked up there; what only the application has, in the documented signatures.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

import pytest
import slicer
import vtk

from . import slicer_calls
from .slicer_calls import SOURCES, Call, wrappedArities
from .slicer_documented import DOCUMENTED, EXTENSIONS, IMPORTED, PACKAGING

# Different ways to the same object.
ALIASES = {"Host.application().": "slicer.app.", "app.": "slicer.app."}
UNMISTAKABLE = {path.rsplit(".", 1)[-1]: function for path, function in (PACKAGING | EXTENSIONS).items()}


def fullPath(call: Call) -> str:
    for alias, path in ALIASES.items():
        if call.path.startswith(alias):
            return path + call.path.removeprefix(alias)
    return call.path


def lookUp(path: str):
    """What a dotted path means on the MRML library alone; raises AttributeError."""
    library, *names = path.split(".")
    found = {"slicer": slicer, "vtk": vtk}[library]
    for name in names:
        found = slicer.vtkMRMLScene if name == "mrmlScene" else getattr(found, name)
    return found


def isWrapped(function: Callable) -> bool:
    """Whether VTK made this for Python, so that it has no signature that Python knows."""
    return isinstance(function, type) or not hasattr(function, "__code__")


def problem(call: Call) -> str | None:
    """What is wrong with a call, or ``None``."""
    path = fullPath(call)
    if path.startswith(("slicer.", "vtk.")) and "()" not in path:
        function = DOCUMENTED.get(path)
        try:
            function = function or lookUp(path)
        except AttributeError:
            return "is neither in slicer-core nor documented"
        if not isWrapped(function):
            return None if call.fits(function) else "does not take these arguments"
        if isinstance(function, type):
            return None
    if call.name in UNMISTAKABLE:
        return None if call.fits(UNMISTAKABLE[call.name]) else "does not take these arguments"
    return wrappedProblem(call)


def wrappedProblem(call: Call) -> str | None:
    root = call.path.split(".")[0]
    if not call.name[0].isupper() or (root in slicer_calls.imported() and root not in ("slicer", "vtk")):
        return None  # a method of Python or Qt, or something that Python itself imports
    arities = wrappedArities(call.name)
    if not arities:
        return "is no method of any VTK or MRML class"
    return None if call.counted is None or call.counted in arities else f"takes {sorted(arities)} arguments"


def test_every_call_exists_and_takes_its_arguments():
    wrong = [f"{call.place}: {call.path} {problem(call)}" for call in slicer_calls.calls() if problem(call)]
    assert wrong == []


def test_every_name_of_slicer_exists():
    def exists(path: str) -> bool:
        try:
            return path in DOCUMENTED or "()" in path or lookUp(path) is not None
        except AttributeError:
            return False

    assert {path: place for path, place in slicer_calls.attributes("slicer.").items() if not exists(path)} == {}


def test_every_node_class_that_is_named_by_text_exists():
    named = slicer_calls.texts(r"vtkMRML\w+")
    assert named
    assert {name: place for name, place in named.items() if not hasattr(slicer, name)} == {}


def isKnown(module: str, name: str) -> bool:
    return name in IMPORTED.get(module, ()) or (module == "slicer.util" and hasattr(slicer.util, name))


def test_every_import_from_slicer_exists():
    unknown = []
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("slicer."):
                names = [alias.name for alias in node.names]
                unknown += [f"{source.name}: {node.module}.{name}" for name in names if not isKnown(node.module, name)]
    assert unknown == []


@pytest.mark.parametrize(
    ("path", "counted", "keywords", "expected"),
    [
        ("slicer.util.arrayFromVolume", 1, (), None),
        ("slicer.util.arrayFromVolume", 3, (), "does not take these arguments"),
        ("slicer.util.setSliceViewerLayers", 1, ("fitt",), "does not take these arguments"),
        ("slicer.util.arrayFromVolumes", 1, (), "is neither in slicer-core nor documented"),
        ("slicer.app.aboutToQuit", 0, (), "is neither in slicer-core nor documented"),
        ("slicer.packaging.pip_ensure", 2, ("requester",), None),
        ("self._packaging.pip_ensure", 2, ("request",), "does not take these arguments"),
        ("node.SetAndObserveTransformNodeID", 1, (), None),
        ("node.SetAndObserveTransformNodeID", 3, (), "takes [1] arguments"),
        ("node.GetImageDatum", 0, (), "is no method of any VTK or MRML class"),
        ("slicer.mrmlScene.AddNewNodeByClass", 2, (), None),
        ("slicer.mrmlScene.AddNewNodeByClass", 4, (), "takes [1, 2] arguments"),
    ],
)
def test_a_wrong_call_is_found(path, counted, keywords, expected):
    assert problem(Call(path, "here", counted, keywords)) == expected
