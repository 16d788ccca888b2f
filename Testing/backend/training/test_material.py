"""Batches: hidden slices of real stacks, draws of several processes, and the network that reads them."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from calid.errors import UnusableInput
from calid.model.gap import GapConfig, GapNet
from calid.model.knots import slab_weights
from calid.reconstruction.device import CPU
from calid.training.data import TrainingStack
from calid.training.hidden import draw_hidden, look, shelve
from calid.training.material import Material, Mixture, predict
from calid.training.stage import divide
from calid.training.surroundings import batched

HOW = Mixture(dense=3, thick=2, crop=24, pool=3, renew=0.5, fine_weight=2.0)


def stack(gap=5.0, size=(40, 44), count=7, seed=0):
    """Noise, so that every pixel tells where it comes from."""
    slices = np.random.default_rng(seed).uniform(-1, 1, (count, *size)).astype(np.float16)
    return TrainingStack("patient001", slices, gap, (19.3, 22.8), is_crop=False)


def heart(count=30, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).uniform(0, 1, (count, 60, 64)).astype(np.float32))


def test_a_batch_of_hidden_slices_is_what_each_is_on_its_own():
    stacks, rng = [stack(), stack(10.0, (300, 280), 9, 1)], np.random.default_rng(0)
    planes, shelf = shelve(stacks, 2.0)
    examples = [draw_hidden(shelf, rng) for _ in range(16)]
    near, hidden = look(planes, batched(examples), 24)
    assert {int(e.planes[-1]) >= 7 for e in examples} == {False, True}
    y, x = torch.meshgrid(torch.arange(24.0) - 11.5, torch.arange(24.0) - 11.5, indexing="ij")
    for n, one in enumerate(examples):
        source = stacks[int(one.planes[-1] >= 7)]
        pictures = torch.from_numpy(source.slices[one.planes - (7 if one.planes[-1] >= 7 else 0)].astype(np.float32))
        corner = np.round(source.centre) - 104
        (xx, xy, cx), (yx, yy, cy) = one.pose
        across, down = xx * x + xy * y + cx + corner[1], yx * x + yy * y + cy + corner[0]
        rows, columns = pictures.shape[1:]
        grid = torch.stack([2 * across / (columns - 1) - 1, 2 * down / (rows - 1) - 1], dim=-1).float()
        seen = F.grid_sample(pictures[None], grid[None], mode="bicubic", padding_mode="border", align_corners=True)[0]
        expected = 2 * ((seen.clamp(-1, 2) + 1) / 2) ** one.gamma * one.gain - 1
        torch.testing.assert_close(torch.cat([near[n], hidden[n]]), expected, atol=5e-3, rtol=0)


def test_a_hidden_slice_is_the_mean_over_its_slab_between_its_neighbours():
    slices = np.stack([np.full((40, 40), -0.9 + 0.2 * k, np.float16) for k in range(7)])
    _, shelf = shelve([TrainingStack("patient001", slices, 5.0, (20.0, 20.0), is_crop=False)], 2.0)
    rng, ways = np.random.default_rng(0), set()
    for _ in range(30):
        one = draw_hidden(shelf, rng)
        np.testing.assert_allclose(one.slab, slab_weights([0.5], 0.5))
        assert (one.around.gap, one.around.thickness) == (10, 5)
        middle, shown = one.planes[-1], one.around.present.astype(bool)
        assert 1 <= middle <= 5
        assert one.planes[2] + one.planes[3] == 2 * middle
        assert (np.abs(np.diff(one.planes[:6][shown])) == 2).all()
        ways.add(int(np.sign(one.planes[3] - one.planes[2])))
        turn = one.pose[:, :2]
        assert 0.85 < math.sqrt(1 / abs(np.linalg.det(turn))) < 1.15 or np.allclose(np.abs(turn).max(axis=1), 1)
    assert ways == {-1, 1}


def test_fine_stacks_are_drawn_more_often():
    _, shelf = shelve([stack(5.0), stack(10.0), stack(10.0)], 6.0)
    np.testing.assert_allclose(shelf.chance, [0.75, 0.125, 0.125])


@pytest.fixture(scope="module")
def material():
    return Material([heart(30), heart(24, 1)], [stack()], HOW, 5, CPU)


def test_the_net_says_the_same_with_consistency_drawn_and_its_own(material):
    torch.manual_seed(0)
    net = GapNet(GapConfig(channels=(8, 8), down=(1, 1), up=(1,), embedding=8))
    torch.nn.init.constant_(net.trust.bias, 0.7)
    batch = material.draw()
    with torch.no_grad():
        knots = predict(net, batch)
        for kind, known in batch.items():
            torch.testing.assert_close(knots[kind], net(known.near), atol=2e-3, rtol=0)


def test_being_consistent_is_computed_in_single_precision(material):
    net = GapNet(GapConfig(channels=(8, 8), down=(1, 1), up=(1,), embedding=8))
    torch.nn.init.ones_(net.trust.bias)  # nothing but what is consistent
    near = material.draw()["dense"].near
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        knots = net(near)
    exact = torch.einsum("nks,nshw->nkhw", near.consistency.double(), near.slices.double())
    torch.testing.assert_close(knots.double(), exact, atol=1e-5, rtol=0)


def test_a_batch_knows_what_it_was_asked_for_and_can_be_split(material):
    batch = material.draw()
    assert {kind: known.slices.shape for kind, known in batch.items()} == {
        "dense": (3, 9, 24, 24),
        "thick": (2, 1, 24, 24),
    }
    parts = batch["dense"].split(2)
    assert [len(part.slices) for part in parts] == [2, 1]
    for field in ("slices", "weights", "consistency"):
        whole = torch.cat([getattr(part, field) for part in parts])
        assert torch.equal(whole, getattr(batch["dense"], field))
    assert torch.equal(parts[1].near.offset, batch["dense"].near.offset[2:])
    knots = torch.rand(3, 9, 24, 24)
    torch.testing.assert_close(batch["dense"].of(knots), knots)


def test_hearts_of_the_pool_are_renewed_as_often_as_said():
    made = Material([heart(30)], [stack()], HOW, 0, CPU)
    changed = []
    for _ in range(6):
        before = made.pool.clone()
        made.draw()
        changed.append(int((made.pool != before).flatten(1).any(dim=1).sum()))
    assert sorted(changed) == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("workers", [0, 2])
def test_draws_are_the_same_in_each_run_and_differ_between_processes(workers):
    how = Mixture(dense=2, thick=1, crop=24, pool=2, renew=0, fine_weight=2.0, workers=workers)
    runs = []
    for _ in range(2):
        material = Material([heart(30)], [stack()], how, 3, CPU)
        runs.append([material.draw() for _ in range(3)])
    for one, other in zip(*runs, strict=True):
        assert torch.equal(one["dense"].slices, other["dense"].slices)
        assert torch.equal(one["thick"].slices, other["thick"].slices)
    assert len({float(batch["dense"].slices.sum()) for batch in runs[0]}) == 3


def test_without_hearts_only_hidden_slices_are_drawn():
    batch = Material([], [stack()], Mixture(0, 2, 24, 3, 0.5, 2.0), 0, CPU).draw()
    assert list(batch) == ["thick"]


def test_hearts_held_out_validate_and_all_others_are_trained_on():
    hearts = {"train": ["003", "024", "029"], "test": ["010"]}
    assert divide(hearts, []) == {"train": ["003", "024", "029"], "validation": []}
    assert divide(hearts, ["003", "024"]) == {"train": ["010", "029"], "validation": ["003", "024"]}
    with pytest.raises(UnusableInput, match="heart 099"):
        divide(hearts, ["003", "099"])
