"""The product's ruler and the one outside of it agree to the third digit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from calid.baselines.methods import make_method
from calid.evaluation.dense.acquisition import Setting
from calid.evaluation.dense.cases import DenseCase, load_cases
from calid.evaluation.dense.scoring import METRICS, fill, score
from calid.files.writing import write_stack
from calid.stacks.stack import SliceStack

REFERENCE = Path(__file__).parents[4].parent / "shared" / "tools" / "dense_truth.py"

CUBIC = """
import sys
import numpy as np
from calid.baselines.methods import make_method
from calid.files.reading import read_stack
from calid.files.writing import write_stack
from calid.stacks.plan import plan_slices
from calid.stacks.stack import SliceStack
stack = read_stack(sys.argv[1])
plan = plan_slices(stack.positions, float(sys.argv[3]))
dense = np.round(make_method("cubic")(stack, plan)[0]).astype(np.int16)
write_stack(SliceStack(dense, stack.frame, plan.positions), sys.argv[2])
"""

# What the reference said of the heart below, by setting and method, in the order of METRICS.
SAID = {
    ("10/8", "linear"): (25.375, 0.774441, 0.639203, 0.694801, 35.1305, 0.450776, 0),
    ("10/8", "cubic"): (25.4864, 0.784241, 0.649509, 0.685687, 42.318, 0.0982118, 0.678571),
    ("10/8+", "linear"): (24.0778, 0.66176, 0.554935, 0.588616, 27.521, 0.564834, 0),
    ("10/8+", "cubic"): (23.924, 0.656059, 0.554428, 0.572872, 27.4016, 0.133975, 0.535714),
    ("5/5", "linear"): (27.7253, 0.856294, 0.796771, 0.801724, 34.4513, 0.843545, 0),
    ("5/5", "cubic"): (27.9757, 0.856573, 0.801644, 0.802152, 38.7452, 0.432853, 0.833333),
}


def heart_in(folder: Path) -> Path:
    """A folder with heart 007, made up: walls that narrow and wind, 35 layers of 116 x 112 voxels of 1.25 mm."""
    rows, columns = np.mgrid[:116, :112]
    z = np.arange(35)[:, None, None]
    radius = np.hypot(rows - 58 - 4 * np.sin(z / 6), columns - 56 - 3 * np.cos(z / 4))
    wall = np.exp(-(((radius - 30 + 0.6 * z) / 5) ** 2))
    texture = 20 * np.sin(rows / 3 + z / 2) * np.cos(columns / 4 - z / 3)
    voxels = (110 + 90 * (radius < 30 - 0.6 * z) - 80 * wall + texture).clip(0, 255).astype(np.uint8)
    write_stack(SliceStack.from_affine(voxels, np.diag([1.25, 1.25, 1.25, 1])), folder / "heart007_sax.nii.gz")
    return folder


def scores_of(case: DenseCase, name: str) -> dict[str, float]:
    linear, filled = (fill(case, each, make_method(each)) for each in ("linear", name))
    return score(case, name, filled, linear.dense).scores


@pytest.mark.parametrize("setting", ["10/8", "10/8+", "5/5"])
def test_the_numbers_of_the_reference_come_out_again(tmp_path: Path, setting: str) -> None:
    (case,) = load_cases(heart_in(tmp_path), [Setting.parse(setting)])
    for name in ("linear", "cubic"):
        scores = scores_of(case, name)
        assert [scores[metric] for metric in METRICS] == pytest.approx(SAID[setting, name], rel=5e-4, abs=5e-4)


@pytest.mark.skipif(not REFERENCE.is_file(), reason=f"the reference implementation is not at {REFERENCE}")
def test_the_reference_itself_agrees(tmp_path: Path) -> None:
    heart_in(tmp_path)
    (tmp_path / "cubic.py").write_text(CUBIC)
    command = f"cubic={sys.executable} {tmp_path / 'cubic.py'} {{input}} {{output}} {{spacing}}"
    arguments = ["--method", command, "--out", tmp_path / "said.json", "--setting", "10/8", "--setting", "10/8+"]
    subprocess.run([sys.executable, REFERENCE, tmp_path, *arguments], check=True, capture_output=True)
    for row in json.loads((tmp_path / "said.json").read_text())["rows"]:
        (case,) = load_cases(tmp_path, [Setting.parse(row["setting"])])
        expected = {metric: row[metric] for metric in METRICS}
        assert scores_of(case, row["method"]) == pytest.approx(expected, rel=5e-4, abs=5e-4)
