"""Small cohorts, and workers that need no model."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import calid
from calid.batch import cohort
from calid.batch.case import Outcome, Wanted
from calid.batch.slot import Limits
from calid.options import Options
from calid.stacks.stack import SliceStack

sys.path.insert(0, str(Path(__file__).parents[1] / "dicom"))  # for the scanner

CHILD = Path(__file__).with_name("faulty_child.py")


@dataclass
class Cohort:
    """A folder of cases and one of results."""

    top: Path
    out: Path
    begun_file: Path

    def add(self, *names: str) -> None:
        """Stacks; what is called broken is none."""
        for name in names:
            path = self.top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if "broken" in name:
                path.write_bytes(b"no image")
                continue
            voxels = np.random.default_rng(len(name)).integers(0, 900, (4, 12, 10)).astype(np.int16)
            calid.write_stack(SliceStack.from_affine(voxels, np.diag([1.5, 1.4, 8, 1.0])), path)

    def run(
        self, manner: cohort.Manner | None = None, options: Options | None = None, **chosen: object
    ) -> list[Outcome]:
        """Work on all of them without a model."""
        wanted = Wanted(options or Options(spacing=4.0), keep_names=bool(chosen.get("keep_ids")))
        manner = manner or self.manner()
        return cohort.run(self.top, self.out, wanted, cohort.Choice(**chosen), manner)  # type: ignore[arg-type]

    def manner(self, workers: int = 1, scheduler: str | None = None, **limits: object) -> cohort.Manner:
        command = (sys.executable, str(CHILD), str(self.begun_file))
        return cohort.Manner(scheduler, workers, 1, Limits(**limits), command)  # type: ignore[arg-type]

    @property
    def begun(self) -> list[str]:
        """Names of the cases that were worked on since this was last asked."""
        if not self.begun_file.exists():
            return []
        names = self.begun_file.read_text(encoding="utf-8").splitlines()
        self.begun_file.unlink()
        return names

    @property
    def table(self) -> dict[str, dict[str, str]]:
        """The rows of participants.tsv by the name of the input."""
        with (self.out / "key.csv").open(encoding="utf-8", newline="") as file:
            names = {f"sub-{row['id']}": row["input"] for row in csv.DictReader(file)}
        with (self.out / "participants.tsv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        return {names[row["participant_id"]]: row for row in rows}


@pytest.fixture
def small_cohort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Cohort]:
    """Makes a cohort of stacks by their names."""
    monkeypatch.setenv("PYTHONPATH", str(Path(calid.__file__).parents[1]))

    def make(*names: str, top: str = "in", out: str = "out") -> Cohort:
        made = Cohort(tmp_path / top, tmp_path / out, tmp_path / "begun")
        made.top.mkdir(exist_ok=True)
        made.add(*names)
        return made

    return make
