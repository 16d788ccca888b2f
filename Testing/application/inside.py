"""What Slicer runs: all tests of a plan (see :mod:`run`), each in a fresh scene, and then it ends.

With Slicer's Python alone, without pytest: a test is a function ``test_*`` without arguments that raises nothing.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import SkipTest

import qt
import slicer

sys.path.insert(0, str(Path(__file__).resolve().parent))

import driving
import watching


def main() -> None:
    plan = json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))
    with Path(plan["verdicts"]).open("a", encoding="utf-8", buffering=1) as file:

        def say(**event: Any) -> None:
            file.write(json.dumps(event) + "\n")

        isPassed = False
        try:
            driving.startSession(plan["size"], plan["pictures"])
            ends = [runTest(name, test, say) for name, test in testsOf(plan["files"], plan["word"])]
            isPassed = "failed" not in ends
        except Exception:  # the session, or the import of a test file
            say(outcome="failed", name="session", text=traceback.format_exc())
        say(over=True)
    slicer.util.exit(0 if isPassed else 1)


def testsOf(files: list[str], word: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """Name and function of each test whose name contains the word, in the order of the files."""
    for path in map(Path, files):
        spec: Any = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, test in list(vars(module).items()):
            full = f"{path.stem}::{name}"
            if name.startswith("test_") and callable(test) and word in full:
                yield full, test


def runTest(name: str, test: Callable[[], None], say: Callable[..., None]) -> str:
    """Say what became of a test: what our code wrote to the log while it ran counts as well."""
    say(running=name)
    outcome, text, start = "passed", "", time.monotonic()
    log = watching.Log()
    try:
        driving.startTest(name)
        test()
        driving.spin(0.1)  # what its last step has left to the event loop
        log.check()
    except SkipTest as reason:
        outcome, text = "skipped", str(reason)
    except Exception:
        outcome, text = "failed", traceback.format_exc()
        driving.picture("failed")
    say(outcome=outcome, name=name, text=text, seconds=time.monotonic() - start)
    return outcome


def start() -> None:
    """Begin once there is a window: a script given to Slicer runs before it is shown."""
    window = slicer.util.mainWindow()
    qt.QTimer.singleShot(500, main if window and window.visible else start)


start()
