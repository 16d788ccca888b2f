"""Surfaces are closed, enclose what was counted, and lie where the heart is."""

from __future__ import annotations

import builtins
from dataclasses import replace

import numpy as np
import pytest

import calid
from calid.errors import CalidError, UnusableInput
from calid.measurement.surfaces import surfaces_of, write_surfaces
from calid.options import Options
from calid.phantom.beating_heart import Phantom
from calid.segmentation.labels import LEFT_VENTRICLE

ACQUIRED = [k // 2 if k % 2 == 0 else None for k in range(13)]


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return Phantom(phases=2, slices=14, gap=4.0, thickness=4.0, matrix=(80, 84), pixel=2.2)


@pytest.fixture(scope="module")
def stack(phantom):
    whole = phantom.sparse
    return replace(whole, voxels=whole.voxels[:, :13], positions=whole.positions[:13])


@pytest.fixture(scope="module")
def found(stack) -> calid.Measurement:
    return calid.measure(stack, acquired=ACQUIRED, options=Options(spacing=4.0, device="cpu"))


@pytest.mark.parametrize("t", [0, 1])
def test_they_are_closed_and_enclose_what_was_counted(found, stack, t):
    surfaces = surfaces_of(found, t, stack.frame)
    assert list(surfaces) == ["lv", "lv_epicardium", "rv"]
    for surface in surfaces.values():
        edges = np.concatenate([surface.triangles[:, pair] for pair in ([0, 1], [1, 2], [2, 0])])
        there, back = (np.unique(each, axis=0) for each in (edges, edges[:, ::-1]))
        assert len(there) == len(edges)  # each edge once in each direction: closed, and turned alike everywhere
        np.testing.assert_array_equal(there, back)
    assert surfaces["lv"].ml == pytest.approx(found.ml["lv"][t], rel=0.03)
    assert surfaces["rv"].ml == pytest.approx(found.ml["rv"][t], rel=0.05)  # its border is less sure
    wall = surfaces["lv_epicardium"].ml - surfaces["lv"].ml
    assert wall == pytest.approx(found.ml["wall"][t], rel=0.05)


@pytest.mark.parametrize("axes", [[0, 1, 2], [1, 0, 2]])
def test_they_lie_where_the_heart_is(found, stack, phantom, axes):
    """In frames of either hand; they are turned outwards in both."""
    frame = stack.frame[:, [*axes, 3]]
    surface = surfaces_of(found, 0, frame)["lv"]
    inside = np.argwhere(phantom.sparse_labels[0, :13] == LEFT_VENTRICLE)
    k, j, i = inside.mean(axis=0)
    expected = frame @ [i, j, np.interp(k, range(13), stack.positions), 1]
    assert surface.ml > 0
    middle = (surface.points.min(axis=0) + surface.points.max(axis=0)) / 2
    np.testing.assert_allclose(middle, expected[:3], atol=6)


def test_files_hold_the_triangles_and_say_which_way_they_point(found, stack, tmp_path):
    write_surfaces(found, stack.frame, tmp_path / "surfaces")
    files = sorted(path.name for path in (tmp_path / "surfaces").iterdir())
    assert files == [f"{name}_{t:03d}.stl" for name in ("lv", "lv_epicardium", "rv") for t in (1, 2)]
    content = (tmp_path / "surfaces" / "lv_001.stl").read_bytes()
    surface = surfaces_of(found, 0, stack.frame)["lv"]
    assert b"SPACE=LPS" in content[:80]
    assert np.frombuffer(content, "<u4", 1, 80)[0] == len(surface.triangles)
    assert len(content) == 84 + 50 * len(surface.triangles)
    first = np.frombuffer(content, "<f4", 12, 84).reshape(4, 3)
    np.testing.assert_allclose(first[1:], surface.points[surface.triangles[0]], rtol=1e-5)


def test_a_folder_that_cannot_be_made_is_named(found, stack, tmp_path):
    with pytest.raises(UnusableInput, match="missing"):
        write_surfaces(found, stack.frame, tmp_path / "missing" / "surfaces")


def test_what_is_missing_is_named_with_the_command(found, stack, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name.startswith("skimage"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(CalidError, match="scikit-image") as caught:
        surfaces_of(found, 0, stack.frame)
    assert "calid[surfaces]" in caught.value.remedy
