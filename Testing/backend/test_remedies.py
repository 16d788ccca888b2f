"""A remedy is said in the words of the place where it is read."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from calid.commands.reporting import fail
from calid.errors import CalidError, DependencyError, OutOfResources, UnusableInput, telling_in
from calid.failures import explain, to_event
from calid.remedies import ANYWHERE, COMMAND_LINE, spell

MODULE = Path(__file__).parents[2] / "CaLIDSlicer"
PLACES = {"anywhere": ANYWHERE, "command line": COMMAND_LINE}


def test_a_term_is_said_differently_in_each_place():
    said = {place: spell("ask for less, or use {device:cpu}", words) for place, words in PLACES.items()}
    assert said == {
        "anywhere": "ask for less, or use the device cpu",
        "command line": "ask for less, or use --device cpu",
    }


@pytest.mark.parametrize("remedy", ["create {no such term} first", "a set {a, b}", "{unknown:1}", ""])
def test_what_only_looks_like_a_term_stays(remedy):
    assert spell(remedy, COMMAND_LINE) == remedy


def termsInTheSources() -> set[str]:
    """What stands in braces in texts of the sources, the fields of formatted texts apart."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in MODULE.rglob("*.py")]
    raised = [node.exc for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc]
    made = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Return | ast.Assign)]
    texts = [node.value for part in [*raised, *filter(None, made)] for node in ast.walk(part) if isText(node)]
    return {term for text in texts for term in re.findall(r"\{(\w+)(?=[:}])", text)}


def isText(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_every_term_is_used():
    assert set(ANYWHERE) - termsInTheSources() == set()


@pytest.mark.parametrize("words", PLACES.values(), ids=PLACES)
def test_a_place_has_words_for_every_term(words):
    assert set(words) == set(ANYWHERE)


def test_an_error_says_what_is_true_anywhere_until_a_place_lends_its_words():
    error = OutOfResources("no such device", "use {device:cpu}")
    assert error.remedy == "use the device cpu"
    with pytest.raises(OutOfResources) as caught, telling_in(COMMAND_LINE):
        raise error
    assert caught.value.remedy == "use --device cpu"


def test_the_terms_pass_the_process_boundary():
    event = to_event(OutOfResources("no such device", "use {device:cpu}"))
    assert event.remedy == "use {device:cpu}"


def test_the_command_line_says_its_own_words():
    events: list = []
    assert fail(events.append, OutOfResources("no such device", "use {device:cpu}")) == 3
    assert events[0].remedy == "use --device cpu"


def test_a_missing_package_has_its_type_and_its_remedy():
    error = explain(ModuleNotFoundError("No module named 'diffusers'", name="diffusers"))
    assert isinstance(error, DependencyError)
    assert str(error) == "the Python package diffusers is not installed"
    assert error.told_in(COMMAND_LINE).remedy == "install it: pip install diffusers"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes of exceptions came with Python 3.11")
def test_a_traceback_shows_the_remedy():
    said = "".join(traceback.format_exception(UnusableInput("there is 1 slice", "{whole_stack}")))
    assert said.endswith("UnusableInput: there is 1 slice\nWhat to do: put all slices into one stack, or one folder.\n")
    program = "from calid.errors import CalidError; raise CalidError('what', 'do this')"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=MODULE, check=False)
    assert "What to do: do this." in ended.stderr
    assert CalidError("what").__notes__ == []
