"""What the Slicer side of the extension calls, read from its sources; and what those calls may look like.

Nothing is imported from the sources: they are parsed, so calls in widgets and in seldom branches count as well.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import slicer
import vtk

MODULE = Path(__file__).parents[2] / "CaLIDSlicer"
SOURCES = [MODULE / "CaLIDSlicer.py", *sorted((MODULE / "CaLIDSlicerLib").rglob("*.py"))]
LIBRARIES = [getattr(library, name) for library in (slicer, vtk) for name in dir(library) if name.startswith("vtk")]
WRAPPED = [found for found in LIBRARIES if isinstance(found, type)]


@dataclass(frozen=True)
class Call:
    """One call in a source file.

    :param path: dotted, such as ``slicer.util.arrayFromVolume`` or ``node.GetDisplayNode().SetWindow``.
    :param counted: the number of arguments, or ``None`` if some are starred.
    """

    path: str
    place: str
    counted: int | None
    keywords: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.path.rsplit(".", 1)[-1]

    def fits(self, function: Callable) -> bool:
        """Whether a Python function takes these arguments."""
        if self.counted is None:
            return True
        try:
            inspect.signature(function).bind(
                *[None] * (self.counted - len(self.keywords)), **dict.fromkeys(self.keywords)
            )
        except TypeError:
            return False
        return True


def calls() -> Iterator[Call]:
    """Every call of an attribute in the sources."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield _call(node, f"{source.name}:{node.lineno}")


def attributes(prefix: str) -> dict[str, str]:
    """Every dotted name in the sources that starts with ``prefix``, with one place of it."""
    found = {}
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            path = dotted(node)
            if isinstance(node, ast.Attribute) and path.startswith(prefix):
                found[path] = f"{source.name}:{node.lineno}"
    return found


def texts(pattern: str) -> dict[str, str]:
    """Every text in the sources that matches a pattern as a whole, with one place of it."""
    found = {}
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(pattern, node.value):
                found[node.value] = f"{source.name}:{node.lineno}"
    return found


@cache
def imported() -> set[str]:
    """The names under which the sources import modules, packages and what is in them."""
    names = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return names


def dotted(node: ast.AST) -> str:
    """``a.b().c`` of an expression; what is neither a name, an attribute nor a call becomes ``?``."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Call):
        return f"{dotted(node.func)}()"
    return "?"


def _call(node: ast.Call, place: str) -> Call:
    keywords = tuple(keyword.arg for keyword in node.keywords if keyword.arg)
    starred = any(isinstance(argument, ast.Starred) for argument in node.args) or len(keywords) < len(node.keywords)
    return Call(dotted(node.func), place, None if starred else len(node.args) + len(keywords), keywords)


@cache
def wrappedArities(name: str) -> frozenset[int]:
    """With how many arguments a method of this name can be called, over all classes that have it and its overloads."""
    found: set[int] = set()
    for documentation in (vars(owner)[name].__doc__ or "" for owner in WRAPPED if name in vars(owner)):
        for arguments in re.findall(rf"^{name}\((.*?)\)(?:\s*->|\s*\n)", _flat(documentation), re.MULTILINE):
            given = [each for each in arguments.split(",") if each.strip() and each.strip() != "self"]
            optional = sum("=" in each for each in given)
            found |= set(range(len(given) - optional, len(given) + 1))
    return frozenset(found)


def _flat(documentation: str) -> str:
    """The documentation with each signature on one line, and no brackets inside it: ``(float, float)`` is a type."""
    lines = re.sub(r"\n {4,}", " ", documentation)
    return re.sub(r":\s*[(\[][^()\[\]]*[)\]]", ":x", lines)
