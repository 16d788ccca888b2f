"""Which runs have made what lies in a folder: when, with what, and how they ended."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from calid.atomic import write_json
from calid.batch.case import Outcome, Wanted
from calid.version import __version__

RUNS_FILE = "runs.json"


class Run:
    """One run, noted beside those before it.

    :param engine: who handed out the cases, and to how many workers.
    """

    def __init__(self, out: Path, wanted: Wanted, weights: dict[str, Any], engine: dict[str, Any]) -> None:
        self._path, self._before = out / RUNS_FILE, _read(out / RUNS_FILE)
        asked = asdict(wanted)
        asked["options"].pop("models")  # a path; the weights in it count
        self._facts = {
            "software": f"CaLIDSlicer {__version__}",
            "started": _now(),
            "wanted": asked,
            "weights_sha256": weights,
            "engine": engine,
            "python": platform.python_version(),
            "platform": f"{sys.platform} {platform.machine()}, {os.cpu_count()} cores",
            "intended_use": "research only, not for diagnosis",
        }

    def write(self, outcomes: Iterable[Outcome], ended: str) -> None:
        """Note how far it came."""
        status = Counter(outcome.status for outcome in outcomes)
        facts = {**self._facts, "ended": _now(), "how": ended, "cases": dict(sorted(status.items()))}
        write_json(self._path, {"runs": [*self._before, facts]})


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["runs"])
    except (OSError, ValueError, KeyError, TypeError):  # there is none
        return []
