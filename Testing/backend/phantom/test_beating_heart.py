"""The phantom is a plausible, repeatable heart, and its sparse stack is a scan of its dense truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calid.errors import UnusableInput
from calid.phantom.anatomy import LEFT_CAVITY_LABEL, MYOCARDIUM_LABEL, RIGHT_VENTRICLE_LABEL
from calid.phantom.beating_heart import Phantom, contraction, make_phantom
from calid.phantom.shapes import Grid, Texture, cover

LABELS = (RIGHT_VENTRICLE_LABEL, MYOCARDIUM_LABEL, LEFT_CAVITY_LABEL)


@pytest.fixture(scope="module")
def beat() -> Phantom:
    """A coarse but complete heart beat with end-systole close to phase 4."""
    return make_phantom(phases=11, pixel=2.0, matrix=(96, 96), dense_spacing=2.0)


@pytest.fixture(scope="module")
def small() -> Phantom:
    return make_phantom(slices=4, gap=10.0, pixel=4.0, matrix=(40, 48), dense_spacing=5.0)


def millilitres(phantom: Phantom, label: int) -> np.ndarray:
    """Volume of a label in each phase."""
    slice_distance = phantom.dense.gaps[0]
    return (phantom.labels == label).sum(axis=(1, 2, 3)) * phantom.pixel**2 * slice_distance / 1000.0


def neighbours(mask: np.ndarray) -> np.ndarray:
    """Pixels beside the mask, in the plane."""
    grown = mask.copy()
    for axis in (-1, -2):
        for step in (-1, 1):
            grown |= np.roll(mask, step, axis=axis)
    return grown & ~mask


def test_left_ventricle_has_the_volumes_of_a_healthy_adult(beat: Phantom) -> None:
    volumes = millilitres(beat, LEFT_CAVITY_LABEL)
    assert np.argmax(volumes) == 0
    assert np.argmin(volumes) == 4
    assert 100 < volumes[0] < 180
    assert 0.55 < 1 - volumes.min() / volumes[0] < 0.65


def test_right_ventricle_ejects_about_as_much_as_the_left(beat: Phantom) -> None:
    right, left = millilitres(beat, RIGHT_VENTRICLE_LABEL), millilitres(beat, LEFT_CAVITY_LABEL)
    assert 110 < right[0] < 200
    assert np.ptp(right) == pytest.approx(np.ptp(left), rel=0.3)


def test_muscle_keeps_its_volume_while_it_thickens(beat: Phantom) -> None:
    volumes = millilitres(beat, MYOCARDIUM_LABEL)
    assert volumes == pytest.approx(volumes[0], rel=0.05)
    middle = beat.labels.shape[1] // 2
    muscle, cavity = ((beat.labels[:, middle] == label).sum(axis=(1, 2)) for label in LABELS[1:])
    wall = np.sqrt((muscle + cavity) / np.pi) - np.sqrt(cavity / np.pi)
    assert wall[4] > 1.25 * wall[0]


def test_base_descends_towards_the_apex(beat: Phantom) -> None:
    has_cavity = (beat.labels == LEFT_CAVITY_LABEL).any(axis=(2, 3))
    most_basal = [int(np.flatnonzero(phase)[-1]) for phase in has_cavity]
    descent = (most_basal[0] - most_basal[4]) * beat.dense.gaps[0]
    assert 8 <= descent <= 16


def test_cavity_lies_inside_the_muscle_and_the_right_ventricle_beside_it(beat: Phantom) -> None:
    ring = neighbours(beat.labels == LEFT_CAVITY_LABEL)
    assert set(np.unique(beat.labels[0, 8:26][ring[0, 8:26]])) == {MYOCARDIUM_LABEL}
    touches = neighbours(beat.labels == RIGHT_VENTRICLE_LABEL) & (beat.labels == MYOCARDIUM_LABEL)
    assert touches[0, 8:26].any(axis=(1, 2)).all()


def test_right_ventricle_is_on_the_left_of_the_image(beat: Phantom) -> None:
    right, left = (np.nonzero(beat.labels == label)[3].mean() for label in (RIGHT_VENTRICLE_LABEL, LEFT_CAVITY_LABEL))
    assert right < left


def test_cavity_tapers_to_the_apex_which_is_the_first_slice(beat: Phantom) -> None:
    areas = (beat.labels[0] == LEFT_CAVITY_LABEL).sum(axis=(1, 2))
    assert areas[0] == 0
    assert (np.diff(areas[:20]) >= 0).all()


def test_contrast_is_that_of_a_cine(beat: Phantom) -> None:
    right, muscle, left = (np.median(beat.dense.voxels[beat.labels == label]) for label in LABELS)
    assert left > right > 2.5 * muscle
    assert beat.sparse.voxels.dtype == np.int16
    assert 900 < beat.sparse.voxels.max() < 1400


@pytest.mark.parametrize("seed", range(4))
def test_no_tissue_is_darker_than_air(small: Phantom, seed: int) -> None:
    assert replace(small, seed=seed, dense_spacing=1.0, pixel=2.0, matrix=(120, 120)).dense.voxels.min() > 0


def test_contraction_is_periodic_and_smooth() -> None:
    phases = np.linspace(0.0, 1.0, 201)
    curve = np.array([contraction(phase) for phase in phases])
    assert [contraction(phase + 1.0) for phase in phases] == pytest.approx(curve, abs=1e-9)
    assert curve[0] == curve[-1] == 0.0
    assert curve.max() == pytest.approx(1.0, abs=1e-3)
    assert np.abs(np.diff(curve)).max() < 0.03


def test_only_the_heart_moves(beat: Phantom) -> None:
    moved = np.ptp(beat.dense.voxels, axis=0) > 0
    assert moved.any(axis=(1, 2)).all()
    assert not moved[:, :, :5].any()
    assert not moved[:, :, -5:].any()
    assert not moved[:, -5:].any()


def test_the_same_seed_repeats_and_another_differs(small: Phantom) -> None:
    again, other = replace(small), replace(small, seed=1)
    assert np.array_equal(again.sparse.voxels, small.sparse.voxels)
    assert np.array_equal(again.dense.voxels, small.dense.voxels)
    assert not np.array_equal(other.dense.voxels, small.dense.voxels)


@pytest.mark.parametrize(("gap", "dense_spacing"), [(8.0, 1.0), (10.0, 3.0), (7.3, 2.0), (5.0, 9.0)])
def test_thin_quiet_slices_are_slices_of_the_truth(gap: float, dense_spacing: float) -> None:
    phantom = make_phantom(
        phases=2, slices=4, gap=gap, pixel=3.0, matrix=(60, 64), noise=0.0, thickness=0.0, dense_spacing=dense_spacing
    )
    steps = round(gap / phantom.dense.gaps[0])
    assert phantom.dense.positions[::steps] == pytest.approx(phantom.sparse.positions)
    assert phantom.dense.gaps.max() <= dense_spacing
    # The textures are matrix products, whose last bit may depend on the shape of the matrix.
    difference = phantom.sparse.voxels.astype(int) - phantom.dense.voxels[:, ::steps]
    assert np.abs(difference).max() <= 1
    assert np.array_equal(phantom.sparse_labels, phantom.labels[:, ::steps])


def test_thickness_averages_the_truth(small: Phantom) -> None:
    fine = replace(small, noise=0.0, thickness=8.0, dense_spacing=0.5)
    near = np.abs(fine.dense.positions - fine.sparse.positions[1]) <= 4.0
    mean = fine.dense.voxels[0, near].mean(axis=0)
    thin = replace(fine, thickness=0.0).sparse.voxels[0, 1]
    assert np.abs(fine.sparse.voxels[0, 1] - mean).mean() < 0.25 * np.abs(thin - mean).mean()


def test_noise_is_rician(small: Phantom) -> None:
    quiet, noisy = replace(small, noise=0.0).sparse.voxels, replace(small, noise=0.05).sparse.voxels
    bright, air = quiet > 500, quiet < 5
    sigma = (noisy.astype(float) - quiet)[bright].std()
    assert sigma == pytest.approx(0.05 * 680.0, rel=0.1)
    assert noisy[air].mean() == pytest.approx(sigma * np.sqrt(np.pi / 2), rel=0.1)


def test_breath_hold_shifts_displace_each_slice_and_its_labels(small: Phantom) -> None:
    still, shifted = (
        replace(small, pixel=2.0, matrix=(90, 90)),
        replace(small, pixel=2.0, matrix=(90, 90), breath_hold_shift=6.0),
    )
    offsets = [
        np.subtract(*(np.argwhere(p.sparse_labels[0, k] == MYOCARDIUM_LABEL).mean(axis=0) for p in (shifted, still)))
        for k in range(1, 4)
    ]
    assert np.std(offsets, axis=0).min() > 0.5
    assert np.array_equal(still.labels, shifted.labels)


def test_geometry_is_right_handed_and_centred(beat: Phantom) -> None:
    for stack in (beat.sparse, beat.dense):
        axes = stack.frame[:3, :3] / [2.0, 2.0, 1.0]
        assert axes.T @ axes == pytest.approx(np.eye(3), abs=1e-12)
        assert np.linalg.det(axes) == pytest.approx(1.0)
        assert stack.pixel_spacing == pytest.approx((2.0, 2.0))
        middle = [47.5, 47.5, stack.positions[-1] / 2, 1.0]
        assert stack.frame @ middle == pytest.approx([0.0, 0.0, 0.0, 1.0])
    assert beat.sparse.positions == pytest.approx(8.0 * np.arange(10))
    assert beat.dense.positions[-1] == pytest.approx(72.0)


def test_view_is_a_short_axis_view_in_the_patient(beat: Phantom) -> None:
    across, down, to_base = beat.sparse.frame[:3, :3].T
    assert (across[:2] > 0).all(), "the image's right is the patient's left and back"
    assert down[2] < 0, "the image's lower edge is inferior"
    assert to_base[0] < 0 < to_base[2], "the base lies to the right of the apex and above it"


def test_times_span_one_beat(beat: Phantom, small: Phantom) -> None:
    assert beat.sparse.times is not None
    assert np.diff(beat.sparse.times) == pytest.approx(0.9 / 11)
    assert small.sparse.times is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"phases": 0},
        {"slices": 1},
        {"gap": 0.0},
        {"pixel": -1.0},
        {"dense_spacing": float("nan")},
        {"noise": -0.1},
        {"thickness": float("inf")},
    ],
)
def test_impossible_phantoms_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UnusableInput, match=next(iter(wrong))) as caught:
        make_phantom(**wrong)
    assert caught.value.remedy


def test_texture_is_one_field_however_it_is_asked_for() -> None:
    texture = Texture(np.random.default_rng(3), (5.0, 6.0, 7.0), 40)
    x, y, z = (np.linspace(-60.0, 60.0, n, dtype=np.float32) for n in (50, 40, 30))
    grid = Grid(np.tile(x, (30, 1, 1)), np.tile(y[:, None], (30, 1, 1)), z[:, None, None], 1.0)
    field = texture.on(grid)
    assert field == pytest.approx(texture.at(grid.x, grid.y, grid.z), abs=1e-3)
    assert abs(field.mean()) < 0.1
    assert field.std() == pytest.approx(1.0, abs=0.15)


def test_window_cuts_out_what_it_says() -> None:
    x = np.linspace(-10.0, 10.0, 21, dtype=np.float32)
    grid = Grid(x[None, None], x[None, :, None], np.zeros((1, 1, 1), np.float32), 1.0)
    window, where = grid.window((-2.5, 3.5), (0.5, 4.5))
    assert np.array_equal(window.x, grid.x[:, :, 8:14])
    assert np.array_equal(window.y, grid.y[:, 11:15])
    assert np.zeros((1, 21, 21))[where].shape == (1, 4, 6)


def test_cover_is_the_fraction_of_a_pixel() -> None:
    assert cover(np.array([-5.0, 0.0, 5.0], np.float32), 1.4) == pytest.approx([1.0, 0.5, 0.0])


def test_computing_tells_each_phase_and_ends_by_what_is_raised():
    phantom, told = Phantom(phases=3, slices=2, matrix=(16, 16), pixel=8.0), []
    assert np.array_equal(phantom.acquire(told.append).voxels, phantom.sparse.voxels)
    assert told == [1, 2, 3]

    def end(number: int) -> None:
        told.append(number)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        phantom.acquire(end)
    assert told == [1, 2, 3, 1]
