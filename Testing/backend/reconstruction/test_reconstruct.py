"""The whole path with the bundled weights: what comes out of a reconstruction, whatever the networks say."""

import numpy as np
import pytest
import torch

import calid
from calid.errors import Cancelled, OutOfResources, UnusableInput
from calid.model.gap import GapNet
from calid.phantom.beating_heart import make_phantom
from calid.protocol import Progress, Started, Warned


@pytest.fixture(scope="module")
def sparse():
    return make_phantom(slices=5, gap=8.0, matrix=(72, 72), pixel=1.7, seed=1).sparse


@pytest.fixture(scope="module")
def result(sparse):
    return calid.reconstruct(sparse, spacing=4.0, device="cpu")


def test_acquired_slices_come_back_bit_for_bit_on_the_input_grid(sparse, result):
    assert result.stack.voxels.dtype == sparse.voxels.dtype
    np.testing.assert_array_equal(result.stack.voxels[:, ::2], sparse.voxels)
    np.testing.assert_array_equal(result.stack.frame, sparse.frame)
    np.testing.assert_allclose(result.stack.positions, np.arange(9) * 4.0)
    assert result.synthesised.tolist() == [False, True] * 4 + [False]


def test_synthesised_slices_are_no_copy_and_no_average_of_their_neighbours(sparse, result):
    for k in range(1, 9, 2):
        below, made, above = (result.stack.voxels[0, i].astype(float) for i in (k - 1, k, k + 1))
        linear = (below + above) / 2
        spread = sparse.voxels.std()
        assert np.abs(made - linear).mean() > 0.02 * spread
        assert np.corrcoef(made.ravel(), linear.ravel())[0, 1] > 0.8


def test_the_seed_matters_to_detail_alone(sparse, result, tiny_models):
    def made(**options):
        return calid.reconstruct(sparse, spacing=4.0, device="cpu", **options).stack.voxels

    for again in (made(), made(seed=7, steps=3)):
        np.testing.assert_array_equal(again, result.stack.voxels)
    first, same, other = (made(models=tiny_models, detail=0.5, seed=seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(same, first)
    assert (other != first).any()


@pytest.mark.parametrize("drawn", [False, True])
def test_reversing_the_stack_reverses_the_result(sparse, tiny_models, drawn):
    how = {"detail": 1.0, "models": tiny_models} if drawn else {}
    forward, backward = (
        calid.reconstruct(stack, spacing=4.0, device="cpu", **how).stack.voxels.astype(float)
        for stack in (sparse, sparse.reversed())
    )
    difference = np.abs(forward[:, ::-1] - backward)
    # Half-precision sums run in another order: grey values agree to rounding, not to the last bit.
    assert difference.max() < 0.04 * np.ptp(sparse.voxels)
    assert difference.mean() < 0.002 * np.ptp(sparse.voxels)
    assert np.abs(forward - backward).mean() > 0.02 * np.ptp(sparse.voxels)


def test_the_result_explains_the_acquired_slices_better_than_without_consistency(sparse):
    def unexplained(**options):
        made = calid.reconstruct(sparse, 2.0, device="cpu", thickness=8.0, **options).stack.voxels[0].astype(float)
        again = np.stack([np.average(made[k - 2 : k + 3], axis=0, weights=[1, 2, 2, 2, 1]) for k in (4, 8, 12)])
        return np.square(again - sparse.voxels[0, 1:-1]).mean()

    assert unexplained() < 0.8 * unexplained(consistent=False)


def test_thin_acquired_slices_are_synthesised_and_said_to_be(sparse, result):
    thin = calid.reconstruct(sparse, 4.0, device="cpu", acquired="thin", uncertainty=True)
    assert thin.synthesised.all()
    assert (thin.uncertainty.mean(axis=(2, 3)) > 0).all()
    assert (thin.stack.voxels[:, 2] != sparse.voxels[:, 1]).mean() > 0.5
    assert np.corrcoef(thin.stack.voxels[:, 2].ravel(), sparse.voxels[:, 1].ravel())[0, 1] > 0.95
    assert [r.provenance["acquired_slices"] for r in (thin, result)] == ["thin", "keep"]


def test_thickness_is_told_with_its_source(sparse):
    events = []
    told = calid.reconstruct(sparse, 4.0, device="cpu", thickness=6, progress=events.append).provenance
    assert (told["thickness_mm"], told["thickness_source"]) == (6.0, "asked")
    assert (events[0].thickness, events[0].thickness_source) == (6.0, "asked")


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"thickness": 0}, "0 mm thick"),
        ({"thickness": 25}, "25 mm thick.*8 mm"),
        ({"in_place": [40]}, "no slice 40"),
        ({"acquired": "thick"}, "acquired is 'thick'"),
        ({"acquired": "thin", "consistent": False}, "consistent"),
        ({"spacing": 0.2}, "0.2 mm is not possible"),
    ],
)
def test_slabs_that_cannot_be_are_refused_before_the_model_is_loaded(sparse, monkeypatch, chosen, said):
    monkeypatch.setattr("calid.reconstruction.reconstruct.load_model", None)
    with pytest.raises(UnusableInput, match=said):
        calid.reconstruct(sparse, device="cpu", **chosen)


@pytest.mark.parametrize("axis", [-1, -2])
def test_the_mean_over_all_mirrored_views_of_a_mirrored_stack_is_mirrored(tiny_models, axis):
    stack = make_phantom(slices=3, gap=8.0, matrix=(48, 64), pixel=1.5, seed=2).sparse  # on the model's own grid

    def filled(voxels, samples):
        mirrored = calid.SliceStack(np.ascontiguousarray(voxels), stack.frame, stack.positions)
        made = calid.reconstruct(mirrored, 4.0, device="cpu", samples=samples, detail=0.0, models=tiny_models)
        return made.stack.voxels.astype(float)

    def asymmetry(samples):
        return np.abs(np.flip(filled(np.flip(stack.voxels, axis), samples), axis) - filled(stack.voxels, samples)).max()

    assert asymmetry(4) <= 1  # rounding to integers
    assert asymmetry(1) > 10


def test_detail_leads_from_the_mean_to_the_drawn_slice(sparse, tiny_models):
    def made(detail):
        dense = calid.reconstruct(sparse, 4.0, device="cpu", detail=detail, models=tiny_models)
        return dense.stack.voxels.astype(float)

    mean, half, drawn = (made(detail) for detail in (0.0, 0.5, 1.0))
    assert 0 < np.abs(half - mean).mean() < np.abs(drawn - mean).mean()
    assert np.abs(drawn - half).mean() < np.abs(drawn - mean).mean()


def test_drawn_slices_are_sharper_than_the_mean(sparse, result):
    def roughness(voxels):
        missing = voxels[0, 1::2].astype(float)
        return np.abs(np.diff(missing, axis=-1)).mean() + np.abs(np.diff(missing, axis=-2)).mean()

    drawn = calid.reconstruct(sparse, 4.0, device="cpu", detail=1.0).stack.voxels
    assert roughness(drawn) > roughness(result.stack.voxels)


def test_half_precision_changes_little(sparse, monkeypatch):
    """Graphics cards and the newest processors compute in it, those of most developers do not."""

    def made(half):
        monkeypatch.setattr(
            "calid.reconstruction.parallel.autocast", lambda device: torch.autocast("cpu", torch.bfloat16, enabled=half)
        )
        dense = calid.reconstruct(sparse, 4.0, device="cpu", uncertainty=True, detail=0.5)
        return dense.stack.voxels.astype(float), dense.uncertainty

    for single, half in zip(made(False), made(True), strict=True):
        assert np.abs(half - single).mean() < 0.01 * np.ptp(single)


def test_uncertainty_is_zero_where_acquired_and_positive_between(sparse, result):
    one = calid.reconstruct(sparse, spacing=4.0, device="cpu", uncertainty=True)
    assert result.uncertainty is None
    assert one.uncertainty.dtype == np.float32
    assert one.uncertainty.shape == one.stack.voxels.shape
    assert (one.uncertainty[:, ::2] == 0).all()
    assert (one.uncertainty[:, 1::2] > 0).mean() > 0.9
    np.testing.assert_array_equal(one.stack.voxels, result.stack.voxels)


def test_uncertainty_is_that_of_the_slice_and_not_of_how_it_was_drawn(sparse, tiny_models):
    def predicted(**options):
        how = {"device": "cpu", "models": tiny_models, "uncertainty": True} | options
        return calid.reconstruct(sparse, 4.0, **how).uncertainty

    one = predicted(detail=0.0)
    for other in ({"detail": 0.0, "samples": 2}, {"detail": 1.0, "seed": 4}):
        np.testing.assert_array_equal(predicted(**other), one)


def test_uncertainty_follows_the_intensity_units_and_no_offset(sparse):
    def predicted(gain, offset):
        voxels = gain * sparse.voxels.astype(np.float32) + offset
        stack = calid.SliceStack(voxels, sparse.frame, sparse.positions)
        return calid.reconstruct(stack, 4.0, device="cpu", uncertainty=True).uncertainty

    plain = predicted(1, 0)
    assert np.abs(predicted(1, 30_000) - plain).mean() < 0.02 * plain.mean()
    assert np.abs(predicted(5, 0) / 5 - plain).mean() < 0.02 * plain.mean()


def test_phases_come_one_by_one_with_true_progress():
    cine = make_phantom(phases=2, slices=3, gap=8.0, matrix=(64, 64), pixel=2.4).sparse
    events, phases = [], []
    result = calid.reconstruct(
        cine, 4.0, device="cpu", progress=events.append, on_phase=lambda t, dense, _: phases.append((t, dense.copy()))
    )
    started, ticks = events[0], [e for e in events if isinstance(e, Progress)]
    assert isinstance(started, Started)
    assert (started.phases, started.slices_in, started.slices_out) == (2, 3, 5)
    fractions = [e.fraction for e in ticks]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)
    assert [t for t, _ in phases] == [0, 1]
    np.testing.assert_array_equal(np.stack([dense for _, dense in phases]), result.stack.voxels)


def test_provenance_names_model_weights_and_settings(result):
    facts = result.provenance
    assert facts["seed"] == 0
    assert facts["samples"] >= 1
    assert facts["steps"] >= 1
    assert 0 <= facts["detail"] <= 1
    assert all(len(digest) == 64 for digest in facts["weights_sha256"].values())
    assert facts["versions"]["torch"]


def test_float_voxels_and_offsets_survive(sparse):
    stack = calid.SliceStack(sparse.voxels.astype(np.float32) * 0.01 - 3, sparse.frame, sparse.positions)
    result = calid.reconstruct(stack, 4.0, device="cpu")
    assert result.stack.voxels.dtype == np.float32
    np.testing.assert_array_equal(result.stack.voxels[:, ::2], stack.voxels)
    assert result.stack.voxels.min() >= stack.voxels.min()
    assert result.stack.voxels.max() <= stack.voxels.max()


def test_cancel_from_the_progress_callback_stops_the_work(sparse):
    def stop(event):
        if isinstance(event, Progress):
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        calid.reconstruct(sparse, 4.0, device="cpu", progress=stop)


def test_out_of_memory_becomes_a_typed_error_with_a_remedy(sparse, monkeypatch):
    def explode(*args):
        raise MemoryError

    monkeypatch.setattr(GapNet, "beyond_linear", explode)
    with pytest.raises(OutOfResources, match="72 x 72") as caught:
        calid.reconstruct(sparse, 4.0, device="cpu")
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"samples": 0}, UnusableInput),
        ({"steps": -1}, UnusableInput),
        ({"spacing": 8.0}, UnusableInput),
        ({"detail": -0.1}, UnusableInput),
        ({"detail": 1.1}, UnusableInput),
        ({"detail": float("nan")}, UnusableInput),
        ({"device": "cuda:99"}, OutOfResources),
        ({"device": "toaster"}, OutOfResources),
    ],
)
def test_impossible_requests_are_refused(sparse, options, error):
    with pytest.raises(error):
        calid.reconstruct(sparse, **{"spacing": 4.0, "device": "cpu", **options})


def test_a_shifted_slice_is_told_and_stays_and_what_is_around_it_follows():
    sparse = make_phantom(slices=7, gap=8.0, matrix=(96, 96), pixel=1.7, seed=1).sparse
    sparse.voxels[0, 3] = np.roll(sparse.voxels[0, 3], 4, axis=0)
    events = []
    auto, straight = (
        calid.reconstruct(sparse, spacing=4.0, device="cpu", align=align, progress=events.append)
        for align in ("auto", "straight")
    )
    assert any(isinstance(e, Warned) and e.message.startswith("slice 4 is shifted by") for e in events)
    np.testing.assert_array_equal(auto.stack.voxels[:, ::2], sparse.voxels)
    assert abs(auto.provenance["shifts_mm"][3][0] - 6.8) < 0.8
    assert straight.provenance["align"] == "straight"
    left = calid.reconstruct(sparse, spacing=4.0, device="cpu", align="straight", in_place=[4])
    np.testing.assert_array_equal(left.stack.voxels[:, 6], sparse.voxels[:, 3])
    assert left.provenance["in_place"] == [4]
    assert left.provenance["shifts_mm"] == straight.provenance["shifts_mm"]
    unshifted = np.roll(sparse.voxels[0, 3], -4, axis=0)[8:-8, 8:-8].astype(float)
    moved = straight.stack.voxels[0, 6, 8:-8, 8:-8].astype(float)
    assert np.abs(moved - unshifted).mean() < np.abs(sparse.voxels[0, 3, 8:-8, 8:-8] - unshifted).mean() / 3
