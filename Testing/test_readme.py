"""The README against the rest of the repository: links, quoted messages, names in the panel, options, code."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]
MODULE = ROOT / "CaLIDSlicer"
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "Resources/Models/MODEL_CARD.md",
    "docs/RESULTS.md",
    "docs/BENCHMARK.md",
    "docs/cohorts.md",
]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text under a heading of the second level."""
    return re.split(r"^## ", README.split(f"\n## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def blocks(language: str) -> list[str]:
    """The code blocks of a language, or of none."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [code for named, code in fenced if named == language]


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name):
    page = ROOT / name
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    broken = []
    for target in (target for target in targets if "://" not in target):
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        if not file.exists() or (anchor and anchor not in headings(file)):
            broken.append(target)
    assert broken == []


@cache
def saidInTheSources() -> str:
    """Every text in the sources, pieces of formatted texts apart."""
    trees = (ast.parse(source.read_text(encoding="utf-8")) for source in MODULE.rglob("*.py"))
    constants = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return "\0".join(constant.value for constant in constants if isinstance(constant.value, str))


def quotedMessages() -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", section("Troubleshooting"), re.MULTILINE)


def test_troubleshooting_is_keyed_by_messages():
    assert len(quotedMessages()) > 20


@pytest.mark.parametrize("message", quotedMessages())
def test_a_quoted_message_is_said_somewhere(message):
    missing = [piece.strip() for piece in message.split("…") if piece.strip() not in saidInTheSources()]
    assert missing == []


def test_every_control_of_the_panel_reference_is_on_the_panel():
    tree = ElementTree.parse(MODULE / "Resources" / "UI" / "CaLIDSlicer.ui")
    texts = ["".join(each.itertext()).strip() for each in tree.iter("property") if each.get("name") == "text"]
    labels = {text.replace("&", "") for text in texts}
    named = set(re.findall(r"\*\*([^*]+)\*\*", section("Panel")))
    assert named - labels - set(saidInTheSources().split("\0")) == set()


def test_every_section_of_the_panel_is_in_the_reference():
    tree = ElementTree.parse(MODULE / "Resources" / "UI" / "CaLIDSlicer.ui")
    sections = [each for each in tree.iter("widget") if each.get("class") == "ctkCollapsibleButton"]
    titles = {"".join(each.find("property[@name='text']").itertext()).strip() for each in sections}
    assert titles == set(re.findall(r"^\| ([^|*]+) \| \*\*", section("Panel"), re.MULTILINE))


@pytest.mark.parametrize("code", blocks("python"))
def test_code_is_python(code):
    ast.parse(code)


def helpOf(command: str) -> str:
    program = [sys.executable, "-m", "calid", command, "--help"]
    return subprocess.run(program, check=True, capture_output=True, text=True, cwd=MODULE).stdout


def commandLines() -> dict[str, set[str]]:
    """The options that the README shows, by command."""
    usage = next(block for block in blocks("") if block.startswith("calid reconstruct IN OUT"))
    lines = re.sub(r"\n +", " ", usage).splitlines()
    return {line.split()[1]: set(re.findall(r"--[a-z-]+", line)) for line in lines}


@pytest.mark.parametrize(("command", "options"), [(name, shown) for name, shown in commandLines().items() if shown])
def test_every_option_of_a_command_is_one(command, options):
    known = set(re.findall(r"--[a-z-]+", helpOf(command)))
    assert options - known == set()


def test_every_command_is_shown():
    commands = re.search(r"reconstruct \| [^`]+", (MODULE / "calid" / "cli.py").read_text(encoding="utf-8"))
    assert set(re.split(r"\s\|\s", commands[0])) == set(commandLines())
