"""Training: a killed run goes on where it was, and what is published can be loaded and used."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import calid
from calid.cli import main
from calid.evaluation.cohort import PHASES
from calid.files import write_stack
from calid.phantom import Phantom
from calid.segmentation import segment
from calid.training.augment import Augmentation, change_contrast, crop_stack
from calid.training.data import SPLIT_FILE, load_stacks, split_patients
from calid.training.denoiser import EncodedStack, draw_example
from calid.training.loop import Run
from calid.training.segmentation import load_labelled, random_view, segmentation_loss
from calid.weights import load_segmenter

VAE = {"channels": [8, 8, 8], "latent_channels": 2, "norm_groups": 4}
AUTOENCODER = {
    "pixel": 1.5, "seed": 1, "steps": 2, "batch": 2, "rate": 1e-3, "average": 0.9, "every": 1,
    "edge_weight": 0.5, "kl_weight": 1e-4, "vae": VAE, "augmentation": {"crop": 32},
}  # fmt: skip
DENOISER = {
    "pixel": 1.5, "seed": 1, "steps": 2, "symmetric_from": 1, "pixel_from": 1, "pixel_batch": 1, "pixel_weight": 8.0,
    "batch": 2, "pool": 2, "renew": 1, "rate": 1e-3,
    "average": 0.9, "every": 1, "vae": VAE, "augmentation": {"crop": 32},
    "denoiser": {"latent_channels": 2, "context_channels": [8, 8], "channels": [8, 8], "context_blocks": 1,
                 "blocks": 1, "embedding": 16},
    "schedule": {"timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.006},
    "publish": {"id": "tiny", "licence": "none", "training_data": "phantoms",
                "defaults": {"samples": 1, "uncertainty_samples": 2, "steps": 1, "fill": "direct",
                             "temperature": 1.0}},
}  # fmt: skip
SEGMENTATION = {
    "pixel": 1.5, "seed": 1, "steps": 2, "batch": 2, "rate": 1e-3, "average": 0.9, "every": 1, "anywhere": 0.5,
    "augmentation": {"crop": 32}, "segmentation": {"channels": [8, 8, 8], "blocks": 1},
    "publish": {"id": "tiny-seg", "licence": "none", "training_data": "phantoms"},
}  # fmt: skip


def write_patient(data: Path, patient: str, seed: int) -> dict:
    """One phantom as a patient of the data layout: two phases with label maps; returns its index entry."""
    folder = data / "ed_es" / patient
    folder.mkdir(parents=True)
    phantom = Phantom(phases=2, slices=6, gap=10.0, matrix=(64, 64), pixel=2.4, seed=seed)
    for phase in range(len(PHASES)):
        stack = phantom.sparse.phase(phase)
        stem = f"{patient}_frame{phase + 1:02d}"
        write_stack(stack, folder / f"{stem}.nii.gz")
        labels = phantom.sparse_labels[phase : phase + 1]
        write_stack(calid.SliceStack(labels, stack.frame, stack.positions), folder / f"{stem}_gt.nii.gz")
    return {"ED": 1, "ES": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    index = {patient: write_patient(folder, patient, seed) for seed, patient in enumerate(("patient001", "patient002"))}
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "split.json").write_text(json.dumps({"train": ["patient001"], "validation": ["patient002"]}))
    return folder


@pytest.fixture
def split(data, monkeypatch):
    monkeypatch.setattr("calid.training.data.SPLIT_FILE", data / "split.json")


def run_command(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


def test_train_publish_load_reconstruct(data, split, tmp_path, capsys):
    configs = {"autoencoder": AUTOENCODER, "denoiser": DENOISER}
    for stage, config in configs.items():
        (tmp_path / f"{stage}.json").write_text(json.dumps(config))
    run_command("train", "autoencoder", tmp_path / "autoencoder.json", "--data", data, "--out", tmp_path / "ae")
    vae = tmp_path / "ae" / "vae.safetensors"
    run_command("train", "denoiser", tmp_path / "denoiser.json", "--data", data, "--vae", vae, "--out", tmp_path / "dn")
    denoiser = tmp_path / "dn" / "denoiser.safetensors"
    run_command(
        "train", "publish", tmp_path / "denoiser.json", "--vae", vae, "--denoiser", denoiser, "--models", tmp_path / "m"
    )
    curve = [json.loads(line) for line in (tmp_path / "dn" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in curve] == [1, 2]
    assert all(np.isfinite(line["val_mean"]) and np.isfinite(line["val_noise"]) for line in curve)

    sparse = Phantom(slices=3, matrix=(48, 48), pixel=3.0).sparse
    result = calid.reconstruct(sparse, 4.0, device="cpu", models=tmp_path / "m")
    assert result.provenance["model"] == "tiny"
    np.testing.assert_array_equal(result.stack.voxels[:, ::2], sparse.voxels)


def test_train_segmentation_publish_beside_another_model_segment(data, split, tmp_path, capsys):
    config, out, models = tmp_path / "segmentation.json", tmp_path / "seg", tmp_path / "m"
    config.write_text(json.dumps(SEGMENTATION))
    models.mkdir()
    before = {"default": "other", "models": [{"id": "tiny-seg", "date": "long ago"}, {"id": "other"}]}
    (models / "manifest.json").write_text(json.dumps(before))
    run_command("train", "segmentation", config, "--data", data, "--out", out)
    run_command("train", "publish", config, "--segmentation", out / "segmentation.safetensors", "--models", models)
    curve = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert all(0 <= line[f"val_dice_{label}"] <= 1 for line in curve for label in (1, 2, 3))

    manifest = json.loads((models / "manifest.json").read_text())
    assert [model["id"] for model in manifest["models"]] == ["other", "tiny-seg"]
    assert (manifest["default"], manifest["segmenter"]) == ("other", "tiny-seg")
    sparse = Phantom(slices=3, matrix=(48, 48), pixel=3.0).sparse
    assert segment(load_segmenter(models), sparse.voxels, sparse.pixel_spacing).shape == sparse.voxels.shape


def test_publish_wants_all_files_of_one_model(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["train", "publish", "c.json", "--vae", "v", "--segmentation", "s", "--models", str(tmp_path)])
    assert "--vae and --denoiser, or --segmentation" in capsys.readouterr().err


def test_image_and_labels_move_together(data, split):
    stack = load_labelled(data, "train", pixel=1.5)[0]
    bright = replace(stack, slices=2 * stack.labels[:, 2] - 1)  # an image of nothing but the cavity
    how = Augmentation(crop=48, gamma=0, gain=0)
    for seed in range(8):
        image, shares = random_view(bright, how, anywhere=0.0, rng=torch.Generator().manual_seed(seed))
        assert image.shape == (1, 48, 48)
        torch.testing.assert_close(shares.sum(dim=0), torch.ones(48, 48), atol=0.2, rtol=0)
        inside, outside = shares[3] > 0.9, shares[3] < 0.1
        if inside.any():
            assert image[0][inside].mean() > image[0][outside].mean() + 1


def test_a_perfect_segmentation_costs_nothing():
    labels = torch.randint(4, (2, 16, 16), generator=torch.Generator().manual_seed(0))
    shares = torch.nn.functional.one_hot(labels, 4).movedim(-1, 1).float()
    right, _ = segmentation_loss(40 * shares, shares)
    wrong, numbers = segmentation_loss(40 * shares.roll(1, dims=1), shares)
    assert float(right) < 1e-3
    assert float(wrong) > 10
    assert numbers["dice"] < 0.01


class Killed(Exception):
    """Stands for the end of the process."""


def train_line(folder: Path, killed_at: int | None = None) -> torch.Tensor:
    """Fit a line in 6 steps with a checkpoint every 2; returns the averaged weight."""
    torch.manual_seed(0)
    net = torch.nn.Linear(1, 1)
    run = Run(folder, net, steps=6, rate=0.1, average=0.5)
    run.resume()

    def loss(step: int) -> tuple[torch.Tensor, dict[str, float]]:
        if step == killed_at:
            raise Killed
        value = (net(torch.tensor([[float(step)]])) - 2 * step).square().mean()
        return value, {"loss": float(value.detach())}

    run.train(loss, dict, every=2)
    return run.averaged.weight.detach().clone()


def test_a_killed_run_resumes_from_its_checkpoint_and_ends_the_same(tmp_path):
    with pytest.raises(Killed):
        train_line(tmp_path / "killed", killed_at=5)
    resumed = train_line(tmp_path / "killed")
    torch.testing.assert_close(resumed, train_line(tmp_path / "whole"), rtol=0, atol=0)


def test_no_patient_is_in_both_splits():
    train, validation = set(split_patients("train")), set(split_patients("validation"))
    assert not train & validation
    assert len(train) + len(validation) == 86
    assert len(validation) == 12
    assert SPLIT_FILE.is_file()


def test_training_stacks_know_their_gap_and_where_the_heart_is(data, split):
    stacks = load_stacks(data, "train", pixel=1.5)
    assert len(stacks) == 2
    for stack in stacks:
        assert stack.gap == pytest.approx(10.0)
        assert stack.slices.shape[0] == 6
        centre = np.array(stack.slices.shape[1:]) / 2
        assert np.abs(np.array(stack.centre) - centre).max() < 25


def test_augmentation_moves_all_slices_of_a_stack_alike():
    slices = torch.rand(1, 60, 60).repeat(3, 1, 1)
    view, zoom = crop_stack(slices, (30, 30), Augmentation(crop=32), torch.Generator().manual_seed(0))
    assert view.shape == (3, 32, 32)
    assert 0.7 < zoom < 1.4
    assert torch.equal(view[0], view[1])
    changed = change_contrast(slices, Augmentation(crop=32), torch.Generator().manual_seed(1))
    torch.testing.assert_close(changed[0], changed[2])
    assert not torch.equal(changed[0], slices[0])


def test_examples_tell_the_true_distances():
    latents = torch.arange(9.0)[:, None, None, None].expand(9, 1, 2, 2)  # the value of a latent is its position
    entry = EncodedStack(latents, gap=5.0)
    for seed in range(200):
        example = draw_example(entry, torch.Generator().manual_seed(seed))
        assert example is not None
        neighbours, target = example
        positions, here = neighbours.latents[0, :, 0, 0, 0], target[0, 0, 0]
        for n in range(4):
            if neighbours.present[0, n]:
                assert neighbours.distance[0, n] == pytest.approx(5 * abs(float(positions[n] - here)))
        assert neighbours.present[0, 1:3].tolist() == [1, 1]
        assert 0 <= float(neighbours.fraction) <= 1


def test_a_stack_too_short_for_a_triplet_gives_no_example():
    entry = EncodedStack(torch.zeros(2, 1, 2, 2), gap=10.0)
    assert draw_example(entry, torch.Generator().manual_seed(0)) is None
