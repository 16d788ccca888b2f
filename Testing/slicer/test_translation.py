"""What the panel says can be translated: each text is a literal that Slicer's tools find, and is filled in later."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from calid.options import Options
from CaLIDSlicerLib.Panel import Understanding
from CaLIDSlicerLib.SelfCheck import Report as SelfCheckReport
from CaLIDSlicerLib.Setup import Dependencies, DeviceProbe, Preflight

MODULE_FOLDER = Path(__file__).parents[2] / "CaLIDSlicer"
FILES = [MODULE_FOLDER / "CaLIDSlicer.py", *sorted((MODULE_FOLDER / "CaLIDSlicerLib").rglob("*.py"))]
SPEAKING = (Dependencies, DeviceProbe, Preflight, SelfCheckReport, Understanding)


@pytest.fixture
def foreign(monkeypatch):
    """A language in which every letter is an x, and what is filled in stays as it is."""

    def translate(text: str) -> str:
        return re.sub(r"{[^}]*}|[A-Za-z]", lambda found: found[0] if found[0][0] == "{" else "x", text)

    for module in SPEAKING:
        monkeypatch.setattr(module, "_", translate)


def isForeign(text: str, *names: str) -> bool:
    for name in names:
        text = text.replace(name, "")
    return all(letter == "x" for letter in text if letter.isalpha())


def marked(tree: ast.AST) -> list[ast.Call]:
    return [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "_"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_only_literals_are_translated(path):
    calls = marked(ast.parse(path.read_text(encoding="utf-8")))
    assert [ast.unparse(call) for call in calls if not isinstance(call.args[0], ast.Constant)] == []


def test_what_was_understood(foreign, makeVolume):
    found = Understanding.understand(makeVolume())
    assert isForeign(found.text)


@pytest.mark.parametrize("free", [1, 2, 6])
def test_what_is_expected(foreign, free):
    card = DeviceProbe.DeviceReport("cuda:0", "CARD", free * 2**28, 6 * 2**30, "2.12", True, 8)
    run = Preflight.preflight(
        (30, 10, 512, 512), 73, (1.0, 1.0), Options(samples=4, uncertainty=True), card, 2**30, 2**20
    )
    assert run.question
    assert all(isForeign(line, "CARD", "GB", "MB") for line in [*run.lines, run.question])
    assert isForeign(card.text, "CARD", "cuda", "GB", "PyTorch")


def test_what_a_self_check_found(foreign, makeVolume):
    volume = makeVolume()
    stack = Understanding.understand(volume).stack
    for psnr in (20.0, 30.0, 40.0):
        checked = [SelfCheckReport.CheckedSlice(1, 8.0, psnr, 0.9, 30.0, 0.9)]
        assert isForeign(SelfCheckReport.verdictOf(checked, stack, volume), "mm", "dB")
