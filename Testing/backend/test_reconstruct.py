"""The whole path with the bundled weights: what comes out of a reconstruction, whatever the model draws."""

import numpy as np
import pytest

import calid
from calid.errors import Cancelled, OutOfResources, UnusableInput
from calid.phantom import make_phantom
from calid.protocol import Progress, Started, Warned
from calid.vae import SliceAutoencoder


@pytest.fixture(scope="module")
def sparse():
    return make_phantom(slices=5, gap=8.0, matrix=(96, 96), pixel=1.7, seed=1).sparse


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
    more = calid.reconstruct(sparse, spacing=2.0, device="cpu")
    np.testing.assert_array_equal(more.stack.voxels[:, 2::4], result.stack.voxels[:, 1::2])


def test_tiles_join_without_a_seam(sparse, result, monkeypatch):
    monkeypatch.setattr("calid.tiles.TILE_PIXELS", (64,))
    tiled = calid.reconstruct(sparse, spacing=4.0, device="cpu")
    difference = np.abs(tiled.stack.voxels.astype(float) - result.stack.voxels)
    assert difference.mean() < 0.01 * np.ptp(sparse.voxels)


def test_uncertainty_is_zero_where_acquired_and_positive_where_drawn(sparse):
    result = calid.reconstruct(sparse, spacing=4.0, device="cpu", uncertainty=True, samples=2)
    assert result.uncertainty.shape == result.stack.voxels.shape
    assert (result.uncertainty[:, ::2] == 0).all()
    assert result.uncertainty[:, 1::2].mean() > 0


def test_uncertainty_is_the_same_on_a_large_offset(sparse):
    def spread(offset):
        stack = calid.SliceStack(sparse.voxels.astype(np.float32) + offset, sparse.frame, sparse.positions)
        return calid.reconstruct(stack, 4.0, device="cpu", uncertainty=True, samples=2).uncertainty

    assert np.abs(spread(30_000) - spread(0)).mean() < 0.02 * spread(0)[:, 1::2].mean() + 0.05


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
    monkeypatch.setattr("calid.tiles.TILE_PIXELS", (768, 64))
    result = calid.reconstruct(sparse, 4.0, device="cpu", progress=events.append)
    assert "tiles of 64" in next(e.message for e in events if isinstance(e, Warned))
    np.testing.assert_array_equal(result.stack.voxels[:, ::2], sparse.voxels)


def test_out_of_memory_becomes_a_typed_error_with_a_remedy(sparse, monkeypatch):
    def explode(*args):
        raise MemoryError

    monkeypatch.setattr(SliceAutoencoder, "decode", explode)
    with pytest.raises(OutOfResources, match="96 x 96") as caught:
        calid.reconstruct(sparse, 4.0, device="cpu")
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"samples": 0}, UnusableInput),
        ({"steps": -1}, UnusableInput),
        ({"uncertainty": True, "samples": 1}, UnusableInput),
        ({"spacing": 8.0}, UnusableInput),
        ({"fill": "spiral"}, UnusableInput),
        ({"temperature": 0.0}, UnusableInput),
        ({"device": "cuda:99"}, OutOfResources),
        ({"device": "toaster"}, OutOfResources),
    ],
)
def test_impossible_requests_are_refused(sparse, options, error):
    with pytest.raises(error):
        calid.reconstruct(sparse, **{"spacing": 4.0, "device": "cpu", **options})
