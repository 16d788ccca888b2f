"""What to do about an error, said in the words of the place where it is read.

A remedy may hold terms, such as ``use {device:cpu}``: what has to be done, and nothing of how. The command line spells
this one ``--device cpu``, Slicer's console ``device="cpu"``, and its panel by the name of a control. So an error is
made once, wherever it happens, and the place that shows it lends it its words. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Words = Mapping[str, Callable[[str], str]]
"""Of one place: for each term, how it is said there, given what stands behind the colon."""

ANYWHERE: Words = {
    "again": lambda _: "try again",
    "device": lambda name: f"the device {name}",
    "install": lambda package: f"install the Python package {package}",
    "intact_models": lambda _: "point the models folder at an intact copy of Resources/Models",
    "lines": lambda _: "the lines printed above",
    "one_phase": lambda _: "single phases",
    "output": lambda _: "choose another output, or a new one",
    "stack": lambda number: f"stack number {number}",
    "whole_stack": lambda _: "put all slices into one stack, or one folder",
}
"""True in every place, and vague: what is said where nobody lends words."""

COMMAND_LINE: Words = {
    **ANYWHERE,
    "device": lambda name: f"--device {name}",
    "install": lambda package: f"install it: pip install {package}",
    "intact_models": lambda _: "name an intact copy of Resources/Models with --models",
    "one_phase": lambda count: f"single phases with --phase N, from 1 to {count}",
    "stack": lambda number: f"--stack {number}",
    "whole_stack": lambda _: "pass the whole stack as one 3D file, or a folder that holds every slice as a file",
}

_TERM = re.compile(r"\{(\w+)(?::([^{}]*))?\}")


def spell(remedy: str, words: Words) -> str:
    """A remedy with its terms in the given words; what only looks like a term stays as it is."""

    def said(term: re.Match[str]) -> str:
        return words[term[1]](term[2] or "") if term[1] in words else term[0]

    return _TERM.sub(said, remedy)
