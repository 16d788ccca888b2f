"""Run the tests of this folder inside the real application: ``python Testing/application/run.py --slicer LAUNCHER``.

Slicer is started once for each screen size that the test files ask for (their constant ``SIZES``), on a private display
where the system has one to give, with settings of its own. It runs :mod:`inside`, which writes one JSON line for each
test to a file, since launchers do not hand on what an application prints, nor its exit status, everywhere alike.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MODULE = HERE.parents[1] / "CaLIDSlicer"
ORDINARY = "1600x1000"
"""The screen of a test file that does not ask for another."""


def main(arguments: list[str] | None = None) -> int:
    """Return 0 if no test failed and Slicer ended by itself."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that Slicer is ended, too
    launcher = shutil.which(options.slicer)
    if launcher is None:
        print(f"{options.slicer} is no program that can be run: name Slicer's launcher with --slicer")
        return 2
    files = sorted({path.resolve() for path in options.files or HERE.glob("test_*.py")})
    ends: list[dict[str, Any]] = []
    for size, group in filesBySize(files, options.sizes).items():
        print(f"\nSlicer with a screen of {size}", flush=True)
        ends += runAt(launcher, size, group, options)
    counts = {outcome: sum(end["outcome"] == outcome for end in ends) for outcome in ("passed", "failed", "skipped")}
    print("\n" + ", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return int(counts["failed"] > 0 or not ends)


def filesBySize(files: list[Path], only: str | None = None) -> dict[str, list[Path]]:
    """Which test files run at which screen size, as their constant ``SIZES`` says.

    :param only: comma separated sizes; all files run at each of these instead.
    """
    groups: dict[str, list[Path]] = {}
    for path in files:
        for size in only.split(",") if only else sizesOf(path):
            groups.setdefault(size, []).append(path)
    return groups


def sizesOf(path: Path) -> tuple[str, ...]:
    """The constant ``SIZES`` of a test file, read without importing it: it imports what only Slicer has."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SIZES":
            return tuple(ast.literal_eval(node.value))
    return (ORDINARY,)


def runAt(launcher: str, size: str, files: list[Path], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Start Slicer once, run the tests of the files and return what became of each; a crash or a hang is a failure."""
    with tempfile.TemporaryDirectory() as folder:
        verdicts, log = Path(folder) / "verdicts.jsonl", Path(folder) / "output.txt"
        plan = {
            "files": [str(path) for path in files],
            "word": options.word,
            "size": size,
            "pictures": str(options.pictures.resolve()) if options.pictures else None,
            "verdicts": str(verdicts),
        }
        (Path(folder) / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
        with _started(launcher, size, Path(folder), log) as process:
            ends, problem = _follow(process, verdicts, options.limit)
        if problem:
            output = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:])
            ends.append({"outcome": "failed", "name": "Slicer", "text": f"{problem}; its last output:\n{output}"})
            _tell(ends[-1])
        return ends


@contextmanager
def _started(launcher: str, size: str, folder: Path, log: Path) -> Iterator[subprocess.Popen]:
    """Slicer in a process group of its own, which ends with the block."""
    command = [launcher, "--disable-settings", "--no-splash", "--additional-module-paths", str(MODULE)]
    command += ["--python-script", str(HERE / "inside.py"), str(folder / "plan.json")]
    environment = os.environ | {"XSLICER_SIZE": f"{size}x24", "XSLICER_HOME": str(folder / "home")}
    if Path(launcher).name != "xslicer" and shutil.which("xvfb-run"):
        command = ["xvfb-run", "-a", "-s", f"-screen 0 {size}x24 +extension GLX", *command]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen) -> None:
    """Ask first: the launcher of a private display takes the display down with it."""
    for stop in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        if process.poll() is not None:
            return
        if hasattr(os, "killpg"):
            os.killpg(process.pid, stop)
        else:
            process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            continue


def _follow(process: subprocess.Popen, verdicts: Path, limit: float) -> tuple[list[dict[str, Any]], str]:
    """The ends of all tests, told as they come, and what went wrong with the application itself."""
    ends: list[dict[str, Any]] = []
    running, seen, isOver, deadline = "starting", 0, False, time.monotonic() + limit
    while True:
        hasEnded = process.poll() is not None  # asked first: what it wrote last is read below
        lines = verdicts.read_text(encoding="utf-8").splitlines() if verdicts.exists() else []
        for event in map(json.loads, lines[seen:]):
            if "outcome" in event:
                ends.append(event)
                _tell(event)
            running, isOver = event.get("running", running), event.get("over", False)
        seen = len(lines)
        if isOver:
            return ends, ""
        if hasEnded:
            return ends, f"it ended with status {process.returncode} in {running}"
        if time.monotonic() > deadline:
            return ends, f"it was not done after {limit:.0f} s, in {running}"
        time.sleep(0.2)


def _tell(end: dict[str, Any]) -> None:
    seconds = f" ({end['seconds']:.1f} s)" if "seconds" in end else ""
    print(f"{end['outcome'].upper():8}{end['name']}{seconds}", flush=True)
    if end.get("text"):
        print("        " + end["text"].strip().replace("\n", "\n        "), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="test files; all of this folder if none is named")
    parser.add_argument("--slicer", required=True, metavar="LAUNCHER")
    parser.add_argument("-k", dest="word", default="", help="only tests with this in file::name")
    parser.add_argument("--sizes", help="such as 1280x720,1920x1080, instead of those the files ask for")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="leave the screenshots of the tests there")
    parser.add_argument("--limit", type=float, default=900, metavar="S", help="for one start of Slicer (900)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
