"""No line of a label is cut off, however narrow the panel and however long the text."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from PySide6 import QtWidgets

LONG = "On this patient the model predicts hidden slices no better than linear interpolation does. " * 4


@pytest.mark.parametrize("width", [240, 420])
def test_a_label_is_as_high_as_its_text_needs(app, lib, width):
    labels = lib("Panel.Labels")
    label = makeLabel()
    kept = labels.WholeText(SimpleNamespace(someLabel=label))
    label.resize(width, 10)
    labels.say(label, LONG)
    assert label.minimumHeight() == label.heightForWidth(width) > 60
    label.show()
    label.resize(width // 2, 10)
    app.processEvents()
    assert label.minimumHeight() == label.heightForWidth(width // 2)
    labels.say(label, "Short.")
    assert label.minimumHeight() < 40
    assert kept


def test_an_empty_label_is_hidden(lib):
    label = makeLabel()
    lib("Panel.Labels").say(label, "")
    assert label.isHidden()


def test_a_path_can_be_broken_between_its_folders(lib):
    broken = lib("Panel.Labels").breakable("/opt/models and C:\\models")
    assert broken.split("\u200b") == ["/", "opt/", "models and C:\\", "models"]


def makeLabel():
    label = QtWidgets.QLabel()
    label.setWordWrap(True)
    return label
