"""Training: a killed run goes on where it was, and what is published can be loaded and used."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from calid.model.conditioning import Neighbours
from safetensors.torch import load_file

import calid
from calid.cli import main
from calid.cohorts.acdc import SPLIT_FILE, split_patients
from calid.phantom.beating_heart import Phantom
from calid.segmentation.segmenter import load_segmenter, segment
from calid.training.augment import Augmentation, change_contrast, crop_stack
from calid.training.data import load_stacks
from calid.training.deviation import likelihood_loss
from calid.training.loop import Run
from calid.training.segmentation import load_labelled, random_view, segmentation_loss

VAE = {"channels": [8, 8, 8], "latent_channels": 2, "norm_groups": 4}
RUN = {"steps": 2, "batch": 2, "rate": 1e-3, "average": 0.9, "every": 1}
POOL = {**RUN, "pool": 2, "renew": 1}
AUTOENCODER = {
    "pixel": 1.5, "seed": 1, **RUN, "edge_weight": 0.5, "kl_weight": 1e-4, "vae": VAE, "augmentation": {"crop": 32},
    "decoder": {**RUN, "power_weight": 0.1},
}  # fmt: skip
DENOISER = {
    "pixel": 1.5, "seed": 1, "pool": 2, "vae": VAE, "augmentation": {"crop": 32},
    "motion": {"channels": [8, 8], "blocks": 1, "embedding": 16},
    "denoiser": {"latent_channels": 2, "factor": 4, "context_channels": [8, 8], "channels": [8, 8],
                 "context_blocks": 1, "blocks": 1, "embedding": 16, "start_noise": 0.3},
    "motion_training": {**POOL, "blend_weight": 1.0, "each_weight": 0.5, "dissimilar_weight": 0.1, "rough_weight": 0.1},
    "context": {**POOL, "symmetric_from": 1, "decoded": 1, "pixel_weight": 8.0, "similarity_weight": 0.1},
    "flow": {**POOL, "conditioned": 0.5, "shortcuts": 0.25, "follow": 0.25}, "deviation": POOL,
    "temporal": {"latent_channels": 2, "context_channels": 8, "width": 8},
    "temporal_training": {**RUN, "views": 1, "phases": 2, "latent_weight": 1.0, "pixel_weight": 8.0,
                          "dissimilar_weight": 0.2, "change_weight": 2.0},
    "publish": {"id": "tiny", "licence": "none", "training_data": "phantoms",
                "defaults": {"samples": 1, "steps": 2, "detail": 1.0, "follow": 0.5, "fill": "direct"}},
}  # fmt: skip
SEGMENTATION = {
    "pixel": 1.5, "seed": 1, "steps": 2, "batch": 2, "rate": 1e-3, "average": 0.9, "every": 1, "anywhere": 0.5,
    "augmentation": {"crop": 32}, "segmentation": {"channels": [8, 8, 8], "blocks": 1},
    "publish": {"id": "tiny-seg", "licence": "none", "training_data": "phantoms"},
}  # fmt: skip


@pytest.fixture
def split(data, monkeypatch):
    monkeypatch.setattr("calid.cohorts.acdc.SPLIT_FILE", data / "split.json")


def run_command(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


class Chain:
    """The stages of a tiny model by the command line; each leaves its run in a folder of its own name."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.data, self.folder = data, folder
        for name, config in {"autoencoder": AUTOENCODER, "denoiser": DENOISER}.items():
            (folder / f"{name}.json").write_text(json.dumps(config))

    def weights(self, stage: str) -> Path:
        """The safetensors file that a stage has left."""
        (file,) = (self.folder / stage).glob("*.safetensors")
        return file

    def train(self, stage: str, config: str, **files: str) -> list[dict]:
        """Train a stage on what earlier ones left, ``option=stage``; returns its log."""
        inputs = [part for option, of in files.items() for part in (f"--{option}", self.weights(of))]
        where = ["--data", self.data, *inputs, "--out", self.folder / stage]
        run_command("train", stage, self.folder / f"{config}.json", *where)
        return [json.loads(line) for line in (self.folder / stage / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def chain(data, tmp_path_factory):
    """A chain after all stages, and their logs."""
    made = Chain(data, tmp_path_factory.mktemp("chain"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("calid.cohorts.acdc.SPLIT_FILE", data / "split.json")
        logs = {
            "autoencoder": made.train("autoencoder", "autoencoder"),
            "decoder": made.train("decoder", "autoencoder", vae="autoencoder"),
            "motion": made.train("motion", "denoiser"),
            "context": made.train("context", "denoiser", vae="decoder", motion="motion"),
            "denoiser": made.train("denoiser", "denoiser", vae="decoder", motion="motion", context="context"),
            "deviation": made.train("deviation", "denoiser", vae="decoder", motion="motion", interpolator="denoiser"),
            "temporal": made.train("temporal", "denoiser", vae="decoder", motion="motion", interpolator="deviation"),
        }
    return made, logs


@pytest.mark.parametrize("stage", ["autoencoder", "decoder", "motion", "context", "denoiser", "deviation", "temporal"])
def test_every_stage_logs_its_validation_and_ends_at_its_last_step(chain, stage):
    log = chain[1][stage]
    assert [line["step"] for line in log] == [1, 2]
    assert all(np.isfinite(value) for line in log for value in line.values())
    validated = [name for name in log[-1] if name.startswith("val_") or name == "heart_psnr"]
    assert validated


@pytest.mark.parametrize(
    ("stage", "before", "trained"),
    [
        ("decoder", "autoencoder", {"net.decoder"}),
        ("denoiser", "context", {"injection", "embed", "net", "to_velocity"}),
        ("deviation", "denoiser", {"deviation"}),
    ],
)
def test_a_stage_changes_its_own_part_and_keeps_the_rest(chain, stage, before, trained):
    after, old = (load_file(chain[0].weights(of)) for of in (stage, before))
    assert after.keys() == old.keys()
    changed = {name for name in after if not torch.equal(after[name], old[name])}
    assert changed
    assert all(name.startswith(tuple(f"{part}." for part in trained)) for name in changed)


@pytest.mark.parametrize("in_time", [{}, {"temporal": "temporal"}])
def test_train_publish_load_reconstruct(chain, tmp_path, in_time):
    made, _ = chain
    stages = {"vae": "decoder", "motion": "motion", "interpolator": "deviation", **in_time}
    files = [part for option, stage in stages.items() for part in (f"--{option}", made.weights(stage))]
    run_command("train", "publish", made.folder / "denoiser.json", *files, "--models", tmp_path)
    sparse = Phantom(slices=3, matrix=(48, 48), pixel=3.0).sparse
    result = calid.reconstruct(sparse, 4.0, device="cpu", models=tmp_path, uncertainty=True)
    assert result.provenance["model"] == "tiny"
    assert result.provenance["temporal"] == bool(in_time)
    assert set(result.provenance["weights_sha256"]) == {f"{name}.safetensors" for name in stages}
    np.testing.assert_array_equal(result.stack.voxels[:, ::2], sparse.voxels)
    assert (result.uncertainty[:, 1::2] >= 0).all()
    assert result.uncertainty.max() > 0


@pytest.mark.parametrize(
    ("stage", "section", "files", "parts"),
    [
        ("motion", "motion_training", {"start": "motion"}, ("",)),
        ("context", "context", {"vae": "decoder", "motion": "motion", "start": "deviation"}, ("encoder.",)),
        (
            "denoiser",
            "flow",
            {"vae": "decoder", "motion": "motion", "context": "context", "start": "deviation"},
            ("injection.", "embed.", "net.", "to_velocity."),
        ),
    ],
)
def test_a_stage_can_start_from_earlier_weights(chain, split, tmp_path, stage, section, files, parts):
    made, _ = chain
    inputs = [part for option, of in files.items() for part in (f"--{option}", made.weights(of))]
    config = tmp_path / "config.json"
    config.write_text(json.dumps(DENOISER | {section: DENOISER[section] | {"steps": 1, "rate": 0.0}}))
    run_command("train", stage, config, "--data", made.data, *inputs, "--out", tmp_path / "out")
    start = made.weights(files["start"])
    earlier, after = load_file(start), load_file(tmp_path / "out" / start.name)
    started = [name for name in earlier if name.startswith(parts)]
    assert started
    assert all(torch.equal(after[name], earlier[name]) for name in started)


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


def test_the_likelihood_is_greatest_where_the_deviation_is_the_mean_absolute_error(tiny_model):
    net = copy.deepcopy(tiny_model.interpolator)
    last = net.deviation.net[-1]
    last.weight.zero_()
    neighbours = Neighbours(
        torch.rand(2, 4, 2, 4, 4), torch.ones(2, 4), torch.full((2, 4), 4.0), torch.rand(2, 2, 2, 4, 4)
    )
    error = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))

    def loss(scale):
        last.bias.fill_(float(scale.log()))
        return float(likelihood_loss(net, (net.context(neighbours), neighbours, error)))

    best = loss(error.mean())
    assert best < loss(0.9 * error.mean())
    assert best < loss(1.1 * error.mean())
    assert best == pytest.approx(1 + float(error.mean().log()), abs=1e-4)


@pytest.mark.parametrize("files", [["--vae", "v", "--segmentation", "s"], ["--vae", "v", "--interpolator", "i"], []])
def test_publish_wants_all_files_of_one_model(tmp_path, capsys, files):
    with pytest.raises(SystemExit):
        main(["train", "publish", "c.json", *files, "--models", str(tmp_path)])
    assert "--vae, --motion and --interpolator, or --segmentation" in capsys.readouterr().err


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
    assert [s.is_crop for s in stacks] == [False] * 2 + [True] * 4
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
