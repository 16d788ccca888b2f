"""The panel and the command line say the same of the same file."""

from __future__ import annotations

import json
from types import SimpleNamespace

import nrrd
import numpy as np
import pytest

from calid import cli
from calid.files.writing import write_stack
from calid.phantom.beating_heart import make_phantom
from calid.stacks.stack import SliceStack
from CaLIDSlicerLib.Panel.Understanding import understand

SIZES = np.diag([1.4, 1.4, 8.0, 1.0])


def shuffled(voxels):
    return voxels[:, [0, 2, 4, 6, 1, 3, 5, 7]]


def changed(k: int, change):
    """Slices of which one is another image."""

    def make(voxels):
        voxels = voxels.copy()
        voxels[:, k] = change(voxels)
        return voxels

    return make


FAULTS = {
    "sound": (lambda voxels: voxels, 0),
    "shuffled": (shuffled, 1),
    "blank": (changed(3, lambda voxels: 0), 1),
    "twice": (changed(6, lambda voxels: voxels[:, 2]), 1),
    "nearly twice": (changed(6, lambda voxels: (voxels[:, 2] * 1.1).astype(voxels.dtype)), 1),
    "shifted": (changed(4, lambda voxels: np.roll(voxels[:, 4], 8, axis=-1)), 1),
    "ends": (lambda voxels: voxels[:, [1, 0, *range(2, 8)]], 1),
}


@pytest.fixture(scope="module")
def phases() -> np.ndarray:
    return make_phantom(slices=8, gap=8.0, matrix=(72, 80), pixel=2.4, phases=3).sparse.voxels.astype(np.int16)


def toldByCommand(path, capfd) -> list[str]:
    """The warnings of a reconstruction, without the path that each begins with."""

    def reconstruct(stack, on_phase, **others):
        for phase, voxels in enumerate(stack.voxels):
            on_phase(phase, voxels.repeat(2, axis=0)[:-1], None)
        return SimpleNamespace(provenance={}, synthesised=np.arange(2 * len(stack.positions) - 1) % 2 == 1)

    output = path.with_name(f"dense_{path.name}")
    assert cli.main(["reconstruct", str(path), str(output), "--spacing", "4", "--progress", "json"], reconstruct) == 0
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines() if line.startswith("{")]
    return [event["message"].removeprefix(f"{path}: ") for event in events if event["event"] == "warning"]


@pytest.mark.parametrize("fault", FAULTS)
def test_of_a_still(makeVolume, tmp_path, phases, capfd, fault):
    change, count = FAULTS[fault]
    path = tmp_path / "sax.nrrd"
    write_stack(SliceStack.from_affine(change(phases[:1]), np.diag([-1, -1, 1, 1]) @ SIZES), path)
    voxels, header = nrrd.read(str(path))
    affine = np.diag([*header["space directions"].diagonal(), 1.0])
    node = makeVolume(voxels.T, np.diag([-1, -1, 1, 1]) @ affine)
    told = toldByCommand(path, capfd)
    assert sorted(understand(node).warnings) == sorted(told)
    assert len(told) >= count
    assert bool(told) == bool(count)


@pytest.mark.parametrize("fault", FAULTS)
def test_of_a_cine(makeCine, tmp_path, phases, capfd, fault):
    change, count = FAULTS[fault]
    path = tmp_path / "sax.seq.nrrd"
    write_stack(SliceStack.from_affine(change(phases), np.diag([-1, -1, 1, 1]) @ SIZES), path)
    voxels, _ = nrrd.read(str(path))
    told = toldByCommand(path, capfd)
    assert sorted(understand(makeCine(voxels.T).proxy).warnings) == sorted(told)
    assert bool(told) == bool(count)
