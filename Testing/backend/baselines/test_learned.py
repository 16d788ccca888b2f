"""The learned baselines: a short training on growing discs, and its weights as a method."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from calid.baselines.methods import make_method
from calid.baselines.pixel_models import PixelSpace
from calid.cli import main
from calid.errors import UnusableInput
from calid.stacks.plan import plan_slices
from calid.stacks.stack import SliceStack
from calid.training import baselines as training
from calid.training.data import TrainingStack

KINDS = {"unet": ("pixel", 2), "pixel-diffusion": ("noise", 1)}  # the number that must fall, and the space to depth


def config(factor: int) -> dict:
    return {
        "seed": 1, "steps": 60, "symmetric_from": 40, "batch": 4, "pool": 4, "renew": 1, "rate": 5e-3, "average": 0.5,
        "every": 20, "architecture": {"pixel": 1.5, "factor": factor, "channels": [8, 8], "blocks": 1, "embedding": 16},
        "augmentation": {"crop": 24, "jitter": 0.1},
    }  # fmt: skip


def discs(data: Path, split: str, pixel: float, cine: bool = True) -> list[TrainingStack]:
    """Stacks of a disc that is widest in the middle slice: halfway is not the mean of both sides."""
    rows, columns = np.meshgrid(np.arange(40) - 20, np.arange(40) - 20, indexing="ij")
    radius = 11 - 0.7 * (np.arange(7) - 3) ** 2
    slices = np.tanh(radius[:, None, None] - np.hypot(rows, columns)).astype(np.float16) * 0.8
    return [TrainingStack(split, slices, gap, (20.0, 20.0), is_crop=False) for gap in (5.0, 10.0)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The run folder of a short training of each kind, by the command line."""
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in KINDS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "load_stacks", discs)
        for kind, (_, factor) in KINDS.items():
            (folders[kind] / "config.json").write_text(json.dumps(config(factor)))
            arguments = [folders[kind] / "config.json", "--data", folders[kind], "--out", folders[kind]]
            assert main(["train", kind, *map(str, arguments)]) == 0
    return folders


def spec(kind: str, folder: Path, *options: str) -> str:
    return f"{kind}:" + ",".join([f"weights={folder / kind}.safetensors", "device=cpu", *options])


@pytest.mark.parametrize("kind", KINDS)
def test_training_learns_what_linear_interpolation_cannot_know(kind: str, trained: dict[str, Path]) -> None:
    curve = [json.loads(line) for line in (trained[kind] / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in curve] == [20, 40, 60]
    number = f"val_{KINDS[kind][0]}"
    assert curve[-1][number] < 0.95 * curve[0][number]
    assert curve[-1]["val_pixel"] < 0.85 * curve[-1]["val_linear"]


@pytest.mark.parametrize("kind", KINDS)
def test_weights_in_a_file_are_a_method(kind: str, trained: dict[str, Path], cine: SliceStack) -> None:
    plan = plan_slices(cine.positions, 2)
    method = make_method(spec(kind, trained[kind], *(["steps=3"] if kind == "pixel-diffusion" else [])))
    dense, uncertainty = method(cine, plan)
    assert uncertainty is None
    assert dense.shape == (3, len(plan.positions), 9, 8)
    np.testing.assert_array_equal(dense[:, ~plan.synthesised], cine.voxels)
    np.testing.assert_array_equal(method(cine, plan)[0], dense)


def test_regression_is_blind_to_the_order_of_the_stack(trained: dict[str, Path]) -> None:
    voxels = np.random.default_rng(0).uniform(0, 500, (4, 20, 16)).astype(np.float32)
    results = []
    for order in (slice(None), slice(None, None, -1)):
        stack = SliceStack.from_affine(voxels[order], np.diag([1.5, 1.5, 9, 1]))
        dense, _ = make_method(spec("unet", trained["unet"]))(stack, plan_slices(stack.positions, 3))
        results.append(dense[:, order])
    np.testing.assert_allclose(results[0], results[1], atol=1)


def test_diffusion_draws_by_seed_and_tells_its_spread(trained: dict[str, Path], stack: SliceStack) -> None:
    plan = plan_slices(stack.positions, 4)

    def draw(*options: str) -> tuple[np.ndarray, np.ndarray | None]:
        return make_method(spec("pixel-diffusion", trained["pixel-diffusion"], "steps=2", *options))(stack, plan)

    assert not np.array_equal(draw("seed=1")[0], draw("seed=2")[0])
    _, uncertainty = draw("samples=2")
    assert uncertainty is not None
    assert np.all(uncertainty[:, ~plan.synthesised] == 0)
    assert np.any(uncertainty[:, plan.synthesised] > 0)


@pytest.mark.parametrize("kind", KINDS)
def test_without_weights_the_remedy_is_to_train_them(kind: str) -> None:
    with pytest.raises(UnusableInput, match="not shipped") as caught:
        make_method(kind)
    assert f"calid train {kind}" in caught.value.remedy


def test_weights_of_something_else_are_refused(trained: dict[str, Path], tmp_path: Path) -> None:
    other = trained["unet"] / "unet.safetensors"
    with pytest.raises(UnusableInput, match="holds no weights of pixel-diffusion"):
        make_method(f"pixel-diffusion:weights={other}")
    for name, content in {"absent": None, "text": b"not weights"}.items():
        if content:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(UnusableInput, match="cannot be read"):
            make_method(f"unet:weights={tmp_path / name}")


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_pixel_space_loses_nothing(factor: int) -> None:
    space, slices = PixelSpace(factor), torch.rand(3, 1, 16, 24)
    latents = space.encode(slices)
    assert latents.shape == (3, factor**2, 16 // factor, 24 // factor)
    assert space.config.factor == factor
    assert torch.equal(space.decode(latents), slices)
