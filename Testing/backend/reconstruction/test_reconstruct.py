"""The whole path with the bundled weights: what comes out of a reconstruction, whatever the model draws."""

import numpy as np
import pytest

import calid
from calid.errors import Cancelled, OutOfResources, UnusableInput
from calid.model.vae import SliceAutoencoder
from calid.phantom.beating_heart import make_phantom
from calid.protocol import Progress, Started, Warned


@pytest.fixture(scope="module")
def sparse():
    return make_phantom(slices=5, gap=8.0, matrix=(72, 72), pixel=2.0, seed=1).sparse


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


def test_the_same_seed_repeats_the_result_and_another_does_not(sparse, result):
    again = calid.reconstruct(sparse, spacing=4.0, device="cpu")
    np.testing.assert_array_equal(again.stack.voxels, result.stack.voxels)
    other = calid.reconstruct(sparse, spacing=4.0, device="cpu", seed=7, samples=1)
    single = calid.reconstruct(sparse, spacing=4.0, device="cpu", seed=8, samples=1)
    assert (other.stack.voxels != single.stack.voxels).any()


@pytest.mark.parametrize("fill", ["direct", "autoregressive"])
def test_reversing_the_stack_reverses_the_result(sparse, fill):
    forward = calid.reconstruct(sparse, spacing=2.0, device="cpu", fill=fill)
    backward = calid.reconstruct(sparse.reversed(), spacing=2.0, device="cpu", fill=fill)
    difference = np.abs(forward.stack.voxels[:, ::-1].astype(float) - backward.stack.voxels)
    # Half-precision sums run in another order: grey values agree to rounding, not to the last bit.
    assert difference.max() < 0.04 * np.ptp(sparse.voxels)
    assert difference.mean() < 0.002 * np.ptp(sparse.voxels)


def test_a_slice_does_not_depend_on_the_others_it_is_made_with(sparse, result):
    # What consistency adds depends on the grid: a slice is the mean over one step of it.
    few, more = (calid.reconstruct(sparse, spacing=mm, device="cpu", consistent=False) for mm in (4.0, 2.0))
    np.testing.assert_array_equal(more.stack.voxels[:, 2::4], few.stack.voxels[:, 1::2])


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
        ({"acquired": "thick"}, "acquired is 'thick'"),
        ({"acquired": "thin", "consistent": False}, "consistent"),
        ({"spacing": 0.2}, "0.2 mm is not possible"),
    ],
)
def test_slabs_that_cannot_be_are_refused_before_the_model_is_loaded(sparse, monkeypatch, chosen, said):
    monkeypatch.setattr("calid.reconstruction.reconstruct.load_model", None)
    with pytest.raises(UnusableInput, match=said):
        calid.reconstruct(sparse, device="cpu", **chosen)


def test_tiles_join_without_a_seam(sparse, result, monkeypatch):
    monkeypatch.setattr("calid.reconstruction.tiles.TILE_PIXELS", (64,))
    tiled = calid.reconstruct(sparse, spacing=4.0, device="cpu")
    difference = np.abs(tiled.stack.voxels.astype(float) - result.stack.voxels)
    assert difference.mean() < 0.01 * np.ptp(sparse.voxels)


def test_uncertainty_has_no_seam_between_tiles(sparse, monkeypatch):
    whole = calid.reconstruct(sparse, 4.0, device="cpu", uncertainty=True).uncertainty
    monkeypatch.setattr("calid.reconstruction.tiles.TILE_PIXELS", (64,))
    tiled = calid.reconstruct(sparse, 4.0, device="cpu", uncertainty=True).uncertainty
    assert np.abs(tiled - whole).mean() < 0.1 * whole.mean()


@pytest.mark.parametrize("axis", [-1, -2])
def test_the_mean_over_all_mirrored_views_of_a_mirrored_stack_is_mirrored(tiny_models, axis):
    stack = make_phantom(slices=3, gap=8.0, matrix=(48, 64), pixel=1.5, seed=2).sparse  # on the model's own grid

    def filled(voxels, samples):
        mirrored = calid.SliceStack(np.ascontiguousarray(voxels), stack.frame, stack.positions)
        # Without detail, that is without noise: noise is not mirrored with the slices.
        made = calid.reconstruct(mirrored, 4.0, device="cpu", samples=samples, detail=0.0, models=tiny_models)
        return made.stack.voxels.astype(float)

    def asymmetry(samples):
        return np.abs(np.flip(filled(np.flip(stack.voxels, axis), samples), axis) - filled(stack.voxels, samples)).max()

    assert asymmetry(4) <= 1  # rounding to integers
    assert asymmetry(1) > 10


def test_detail_leads_from_the_mean_to_the_drawn_slice(sparse, result):
    def made(**options):
        return calid.reconstruct(sparse, 4.0, device="cpu", **options).stack.voxels.astype(float)

    mean, half, drawn = (made(detail=detail) for detail in (0.0, 0.5, 1.0))
    assert np.abs(drawn - half).mean() < np.abs(drawn - mean).mean()
    assert np.abs(half - mean).mean() < np.abs(drawn - mean).mean()
    np.testing.assert_array_equal(made(detail=0.0, seed=5, steps=1), mean)


def test_conditioned_draws_differ_and_provenance_tells(sparse, result):
    other = calid.reconstruct(sparse, 4.0, device="cpu", conditioned=True)
    assert (other.provenance["conditioned"], result.provenance["conditioned"]) == (True, False)
    assert (other.stack.voxels != result.stack.voxels).any()


def test_uncertainty_is_zero_where_acquired_and_positive_where_drawn_even_from_one_sample(sparse, result):
    one = calid.reconstruct(sparse, spacing=4.0, device="cpu", uncertainty=True, samples=1)
    assert result.uncertainty is None
    assert one.uncertainty.dtype == np.float32
    assert one.uncertainty.shape == one.stack.voxels.shape
    assert (one.uncertainty[:, ::2] == 0).all()
    assert (one.uncertainty[:, 1::2] >= 0).all()
    assert one.uncertainty[:, 1::2].mean() > 0
    np.testing.assert_array_equal(one.stack.voxels, result.stack.voxels)


def test_uncertainty_is_that_of_the_slice_and_not_of_how_it_was_drawn(sparse):
    def predicted(**options):
        return calid.reconstruct(sparse, 4.0, device="cpu", uncertainty=True, **options).uncertainty[:, 1::2]

    one = predicted(samples=1)
    np.testing.assert_array_equal(predicted(samples=2), one)
    assert np.median(np.abs(predicted(seed=4, steps=1) - one)) < 0.01 * np.median(one)


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


def test_tiles_shrink_when_memory_runs_out_and_the_user_is_told(sparse, monkeypatch):
    decode = SliceAutoencoder.decode

    def decode_small(self, latents):
        if latents.shape[-1] > 64 // 4:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return decode(self, latents)

    events = []
    monkeypatch.setattr(SliceAutoencoder, "decode", decode_small)
    monkeypatch.setattr("calid.reconstruction.tiles.TILE_PIXELS", (768, 64))
    result = calid.reconstruct(sparse, 4.0, device="cpu", progress=events.append)
    assert "tiles of 64" in next(e.message for e in events if isinstance(e, Warned))
    np.testing.assert_array_equal(result.stack.voxels[:, ::2], sparse.voxels)


def test_out_of_memory_becomes_a_typed_error_with_a_remedy(sparse, monkeypatch):
    def explode(*args):
        raise MemoryError

    monkeypatch.setattr(SliceAutoencoder, "decode", explode)
    with pytest.raises(OutOfResources, match="72 x 72") as caught:
        calid.reconstruct(sparse, 4.0, device="cpu")
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"samples": 0}, UnusableInput),
        ({"steps": -1}, UnusableInput),
        ({"spacing": 8.0}, UnusableInput),
        ({"fill": "spiral"}, UnusableInput),
        ({"detail": -0.1}, UnusableInput),
        ({"detail": 1.1}, UnusableInput),
        ({"follow": 1.5}, UnusableInput),
        ({"detail": float("nan")}, UnusableInput),
        ({"device": "cuda:99"}, OutOfResources),
        ({"device": "toaster"}, OutOfResources),
    ],
)
def test_impossible_requests_are_refused(sparse, options, error):
    with pytest.raises(error):
        calid.reconstruct(sparse, **{"spacing": 4.0, "device": "cpu", **options})


def test_a_shifted_slice_is_told_and_stays_and_what_is_around_it_follows():
    sparse = make_phantom(slices=7, gap=8.0, matrix=(80, 80), pixel=1.7, seed=1).sparse
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
    unshifted = np.roll(sparse.voxels[0, 3], -4, axis=0)[8:-8, 8:-8].astype(float)
    moved = straight.stack.voxels[0, 6, 8:-8, 8:-8].astype(float)
    assert np.abs(moved - unshifted).mean() < np.abs(sparse.voxels[0, 3, 8:-8, 8:-8] - unshifted).mean() / 3
