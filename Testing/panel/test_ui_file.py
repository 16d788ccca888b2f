"""The ``.ui`` file and the code that uses it do not drift apart."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

MODULE_FOLDER = Path(__file__).resolve().parents[2] / "CaLIDSlicer"
UI_FILE = MODULE_FOLDER / "Resources" / "UI" / "CaLIDSlicer.ui"
TREE = ElementTree.parse(UI_FILE)
WIDGETS = {widget.get("name"): widget for widget in TREE.iter("widget")}
CODE = [MODULE_FOLDER / "CaLIDSlicer.py", *sorted((MODULE_FOLDER / "CaLIDSlicerLib" / "Panel").glob("*.py"))]

SLOTS_AND_SIGNALS = {
    "QWidget": {"setEnabled", "setVisible", "setToolTip", "blockSignals"},
    "QLabel": {"setText", "setPixmap"},
    "QPushButton": {"clicked", "toggled", "setChecked", "setText"},
    "QSlider": {"valueChanged", "setValue"},
    "QProgressBar": {"setValue"},
    "QTextBrowser": {"setMarkdown"},
    "QDoubleSpinBox": {"setSpecialValueText"},
    "QComboBox": {"activated", "addItems", "clear", "setCurrentIndex"},
    "QListWidget": {"clear", "addItem", "item", "itemChanged", "row"},
}
"""What the code may use, by class; read as "every widget, and ..."."""

ONLY_LAYOUT = {"CaLIDSlicer", "inputSection", "resultsSection", "selfCheckSection", "researchLabel"}


def property_(widget: ElementTree.Element, name: str) -> str | None:
    found = widget.find(f"property[@name='{name}']")
    return None if found is None else "".join(found.itertext()).strip()


PARAMETERS = {name: found for name, each in WIDGETS.items() if (found := property_(each, "SlicerParameterName"))}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def uses() -> list[tuple[str, str | None]]:
    """Every ``ui.name`` and ``ui.name.member`` in the code."""
    found = []
    for path in CODE:
        nodes = list(ast.walk(tree(path)))
        inner = {id(node.value): node.attr for node in nodes if isinstance(node, ast.Attribute)}
        for node in nodes:
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
                holder = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
                if holder in ("ui", "_ui"):
                    found.append((node.attr, inner.get(id(node))))
    return found


def test_every_widget_that_the_code_uses_is_in_the_file():
    assert sorted({name for name, _member in uses()} - set(WIDGETS)) == []
    assert len(uses()) > 40


def test_the_code_uses_members_that_the_widget_has():
    wrong = [
        (name, member)
        for name, member in uses()
        if member
        and member not in SLOTS_AND_SIGNALS["QWidget"] | SLOTS_AND_SIGNALS.get(WIDGETS[name].get("class"), set())
    ]
    assert wrong == []


def test_every_named_widget_is_used_or_holds_others():
    captions = {name for name in WIDGETS if name.endswith("Caption")}
    used = {name for name, _member in uses()}
    assert sorted(set(WIDGETS) - used - captions - set(PARAMETERS) - ONLY_LAYOUT) == []


def test_every_parameter_has_a_widget_and_the_other_way_round(lib):
    listed = {"inPlace"}  # by the ticks of a list, which Slicer's wrapper does not know
    assert sorted(PARAMETERS.values()) == sorted(lib("Panel.Parameters").Parameters.allParameters.keys() - listed)


@pytest.mark.parametrize("name", WIDGETS)
def test_everything_has_a_tooltip(name):
    widget = WIDGETS[name]
    assert property_(widget, "toolTip") or widget.get("class") == "qMRMLWidget"


CAPTIONS = {name: property_(widget, "text") for name, widget in WIDGETS.items() if name.endswith("Caption")}
MENUS = "FEVH"
"""Letters of Slicer's menu bar."""


def test_every_caption_of_a_line_leads_to_its_control_by_a_letter_of_its_own():
    letters = []
    for name, text in CAPTIONS.items():
        assert property_(WIDGETS[name], "buddy") in WIDGETS, name
        if name not in ("beforeCaption", "afterCaption"):  # the ends of one slider
            letters.append(text[text.index("&") + 1].upper())
    assert len(set(letters)) == len(letters) > 10
    assert not set(letters) & set(MENUS)


def test_the_keyboard_walks_from_top_to_bottom():
    stops = [stop.text for stop in TREE.iter("tabstop")]
    assert [name for name in WIDGETS if name in stops] == stops
    focusable = {"QLabel", "QProgressBar", "qMRMLWidget"}
    assert set(stops) == {name for name, widget in WIDGETS.items() if widget.get("class") not in focusable}


def test_the_scene_reaches_every_selector():
    connected = {c.findtext("receiver") for c in TREE.iter("connection") if "mrmlSceneChanged" in c.findtext("signal")}
    assert connected == {name for name, each in WIDGETS.items() if each.get("class") == "qMRMLNodeComboBox"}


def test_no_colour_is_fixed():
    texts = [path.read_text(encoding="utf-8") for path in [*CODE, UI_FILE]]
    assert [found for text in texts for found in re.findall(r"styleSheet|<color|#[0-9a-fA-F]{6}|QColor", text)] == []


def test_research_use_is_said_once_in_the_panel():
    texts = [property_(widget, "text") or "" for widget in WIDGETS.values()]
    assert sum("Research use only" in text for text in texts) == 1


def test_popups_are_in_the_widget_only():
    popup = re.compile(r"(error|info|warning|message|delay|confirm\w+)Display|messageBox|QFileDialog|QMessageBox")
    found = []
    for path in (MODULE_FOLDER / "CaLIDSlicerLib").rglob("*.py"):
        names = [node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)]
        found += [(path.name, name) for name in names if popup.fullmatch(name)]
    assert found == []
