"""What a script is told: what was given in the wrong form, and remedies that work in Slicer's console."""

from __future__ import annotations

import logging

import pytest

from calid.errors import CalidError, DependencyError, OutOfResources, UnusableInput
from calid.remedies import ANYWHERE, spell
from CaLIDSlicerLib.Jobs.Errors import CONSOLE
from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction
from CaLIDSlicerLib.Panel.Words import PANEL, errorText

FAIL = "from calid.protocol import Failed\nprint(Failed({!r}, 'it failed', {!r}, 1).to_line(), flush=True)"


@pytest.mark.parametrize("words", [CONSOLE, PANEL], ids=["console", "panel"])
def test_a_place_has_words_for_every_term_and_none_of_the_command_line(words):
    assert set(words) == set(ANYWHERE)
    said = [words[term]("auto") for term in words]
    assert [text for text in said if not text or "--" in text or "pip install" in text or "command line" in text] == []


def test_panel_and_console_name_what_is_there():
    assert spell("use {device:cpu}", CONSOLE) == 'use device="cpu"'
    assert errorText(OutOfResources("no memory", "use {device:cpu}")) == (
        'No memory. Use "Processor (CPU)" as Device, under Advanced.'
    )


@pytest.mark.parametrize("given", ["SAX", 3, ["a"]])
def test_what_is_no_node_is_named(given):
    with pytest.raises(UnusableInput, match="not a node") as caught:
        Reconstruction(given)
    assert "getNode" in caught.value.remedy


def test_an_output_that_is_no_node_is_named(makeVolume):
    with pytest.raises(UnusableInput, match='the output is the text "SAX", not a node'):
        Reconstruction(makeVolume(), 4.0, output="SAX")


def test_a_spacing_in_words_is_named(makeVolume):
    with pytest.raises(UnusableInput, match="spacing is '2'"):
        Reconstruction(makeVolume(), "2")


def failure(volume, worker) -> CalidError:
    job = Reconstruction(volume, 4.0, workerCommand=worker)
    with pytest.raises(CalidError) as caught:
        job.wait()
    return caught.value


def test_without_a_package_the_console_is_told_how_to_install_it(makeVolume, makeWorker):
    error = failure(makeVolume(), makeWorker(FAIL.format("DependencyError", "{install:torch}")))
    assert type(error) is DependencyError
    assert "Dependencies().install()" in error.remedy


def test_a_worker_without_its_packages_gives_the_same_error(makeVolume, makeWorker):
    error = failure(makeVolume(), makeWorker("import no_such_package"))
    assert type(error) is DependencyError
    assert str(error) == "the Python package no_such_package is not installed"
    assert "Dependencies().install()" in error.remedy


def test_what_nobody_foresaw_is_in_the_log_with_the_last_words(makeVolume, makeWorker, caplog):
    lines = "import sys\nprint('Traceback of it', file=sys.stderr)\n" + FAIL.format(
        "CalidError", "report it with {lines}"
    )
    with caplog.at_level(logging.ERROR):
        error = failure(makeVolume(), makeWorker(lines))
    assert "Traceback of it" in caplog.text
    assert error.remedy == "report it with what the Python console says"


def test_what_was_foreseen_is_not(makeVolume, makeWorker, caplog):
    lines = "import sys\nprint('chatter', file=sys.stderr)\n" + FAIL.format("OutOfResources", "use less")
    with caplog.at_level(logging.ERROR):
        failure(makeVolume(), makeWorker(lines))
    assert "chatter" not in caplog.text
