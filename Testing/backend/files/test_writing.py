"""Phases are written as they come; the file is complete or absent; memory holds one phase."""

from __future__ import annotations

import errno
import os
import tracemalloc
from collections import namedtuple
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from calid import atomic
from calid.errors import ExitCode, OutOfResources, UnusableInput
from calid.files.formats import SUFFIXES
from calid.files.reading import read_stack
from calid.files.writing import PhaseWriter, write_stack
from calid.stacks.layout import Layout
from calid.stacks.stack import SliceStack


class FullDisk:
    """A file that takes a few bytes only."""

    def __init__(self, file) -> None:
        self.file, self.room = file, 2000

    def write(self, data: bytes) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.file.write(data)

    def __getattr__(self, name: str):
        return getattr(self.file, name)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_is_seen_before_the_last_phase_is_complete(tmp_path: Path, cine: SliceStack, suffix: str) -> None:
    path = tmp_path / f"cine{suffix}"
    path.write_text("old")
    with PhaseWriter(path, Layout.of(cine)) as writer:
        for voxels in cine.voxels:
            writer.add(voxels)
            assert path.read_text() == "old"
        writer.finish()
        assert path.read_text() == "old"
    np.testing.assert_array_equal(read_stack(path).voxels, cine.voxels)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, None])
def test_what_is_not_finished_is_removed(tmp_path: Path, cine: SliceStack, suffix: str, error) -> None:
    with (
        pytest.raises(error) if error else nullcontext(),
        PhaseWriter(tmp_path / f"cine{suffix}", Layout.of(cine)) as writer,
    ):
        writer.add(cine.voxels[0])
        assert len(list(tmp_path.iterdir())) == 1
        if error:
            raise error
    assert list(tmp_path.iterdir()) == []


def test_a_missing_phase_and_one_that_does_not_fit_are_defects(tmp_path: Path, cine: SliceStack) -> None:
    with PhaseWriter(tmp_path / "cine.nrrd", Layout.of(cine)) as writer:
        with pytest.raises(ValueError, match="does not fit"):
            writer.add(cine.voxels[0].astype(np.int16))
        writer.add(cine.voxels[0])
        with pytest.raises(ValueError, match="1 of 3 phases"):
            writer.finish()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".nrrd", ".seq.nrrd", ".mha"])
def test_metadata_that_is_known_at_the_end_replaces_what_was_kept_free(tmp_path, cine: SliceStack, suffix: str) -> None:
    with PhaseWriter(tmp_path / f"a{suffix}", Layout.of(cine), {"calid": " " * 300}) as writer:
        for voxels in cine.voxels:
            writer.add(voxels)
        writer.finish({"calid": '{"seed": 7, "a = b": 1}'})
    assert sitk.ReadImage(str(tmp_path / f"a{suffix}")).GetMetaData("calid") == '{"seed": 7, "a = b": 1}'
    np.testing.assert_array_equal(read_stack(tmp_path / f"a{suffix}").voxels, cine.voxels)


def test_metadata_that_has_no_room_is_a_defect(tmp_path: Path, cine: SliceStack) -> None:
    with PhaseWriter(tmp_path / "a.nrrd", Layout.of(cine.phase(0)), {"calid": " "}) as writer:
        writer.add(cine.voxels[0])
        with pytest.raises(ValueError, match="the header has"):
            writer.finish({"calid": "too long"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_voxels_give_the_same_bytes(tmp_path: Path, cine: SliceStack, suffix: str) -> None:
    for name in "ab":
        write_stack(cine, tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_memory_does_not_grow_with_the_phases(tmp_path: Path, suffix: str) -> None:
    def peak(phases: int) -> int:
        layout = Layout((phases, 10, 64, 64), np.dtype(np.int16), np.diag([1.0, 1, 8, 1]))
        voxels = np.random.default_rng(0).integers(0, 900, layout.shape[1:]).astype(np.int16)
        tracemalloc.start()
        with PhaseWriter(tmp_path / f"cine{suffix}", layout) as writer:
            for _ in range(phases):
                writer.add(voxels)
            writer.finish()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(2)  # what is imported or cached on first use
    assert peak(24) < peak(3) + 100_000  # one phase has 81,920 bytes, and the additional ones 1.7 million


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_disk_that_fills_up_is_told_with_the_bytes_that_are_needed(
    tmp_path: Path, cine: SliceStack, monkeypatch, suffix: str
) -> None:
    path = tmp_path / f"cine{suffix}"
    path.write_text("old")
    voxels = np.random.default_rng(0).integers(0, 30_000, (4, 10, 256, 256)).astype(np.int16)
    stack = SliceStack.from_affine(voxels, np.diag([1.5, 1.5, 8, 1]))
    opened = Path.open

    def open_on_full_disk(self: Path, *mode: str, **options: object):
        file = opened(self, *mode, **options)
        return FullDisk(file) if "xb" in mode else file

    monkeypatch.setattr(Path, "open", open_on_full_disk)
    with pytest.raises(
        OutOfResources, match=r"cine\S+: it cannot be written: No space .* \(up to 5\.0 MB needed, \d+ MB free"
    ) as caught:
        write_stack(stack, path)
    assert caught.value.exit_code == ExitCode.OUT_OF_RESOURCES
    assert str(tmp_path) in caught.value.remedy
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


def test_an_uncompressed_file_that_cannot_fit_is_refused_before_the_work(tmp_path: Path, monkeypatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(atomic.shutil, "disk_usage", lambda folder: usage(10, 0, 2**20))
    layout = Layout((30, 40, 256, 256), np.dtype(np.int16), np.eye(4))
    with pytest.raises(OutOfResources, match=r"up to 150\.0 MB needed, 1 MB free"):
        PhaseWriter(tmp_path / "cine.nii", layout)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_an_unusable_path(tmp_path: Path, cine: SliceStack) -> None:
    with pytest.raises(UnusableInput, match=r"a\.nrrd: it cannot be written: No such file"):
        PhaseWriter(tmp_path / "missing" / "a.nrrd", Layout.of(cine))
