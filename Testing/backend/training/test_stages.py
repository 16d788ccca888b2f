"""Training: a killed run goes on where it was, and what is published can be loaded and used."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import calid
from calid.cli import main
from calid.cohorts.acdc import SPLIT_FILE, split_patients
from calid.errors import ExitCode
from calid.model.denoiser import MM_SCALE
from calid.model.gap import GapNeighbours, GapNet
from calid.model.knots import slab_weights
from calid.phantom.beating_heart import Phantom
from calid.reconstruction.device import CPU
from calid.reconstruction.intensity import IntensityScale
from calid.segmentation.chambers import Chambers, Region, load_measurer
from calid.segmentation.segmenter import load_segmenter, segment
from calid.training.augment import Augmentation, change_contrast, crop_stack
from calid.training.data import load_end_phases, load_stacks
from calid.training.denoiser import make_pairs
from calid.training.deviation import likelihood_loss
from calid.training.hearts import load_hearts
from calid.training.loop import Recipe, Run
from calid.training.material import Known, Material, Mixture
from calid.training.segmentation import Sight, load_labelled, random_view, segmentation_loss

VAE = {"channels": [8, 8, 8], "latent_channels": 2, "norm_groups": 4}
RUN = {"steps": 2, "rate": 1e-3, "average": 0.9, "every": 1}
AUTOENCODER = {
    "pixel": 1.5, "seed": 1, **RUN, "batch": 2, "edge_weight": 0.5, "kl_weight": 1e-4, "vae": VAE,
    "augmentation": {"crop": 32},
    "decoder": {**RUN, "batch": 2, "power_weight": 0.1},
}  # fmt: skip
COUNTS = {"dense": 2, "thick": 1}
CALID = {
    "pixel": 1.25, "seed": 1, "vae": VAE,
    "gap": {"channels": [8, 8], "down": [1, 1], "up": [1], "embedding": 8, "fold": 2},
    "denoiser": {"latent_channels": 2, "factor": 4, "channels": [8, 8], "blocks": 1, "embedding": 16,
                 "start_noise": 0.3},
    "batches": {"crop": 32, "pool": 2, "renew": 0.5, "fine_weight": 2, "workers": 0},
    "gap_training": {**RUN, **COUNTS, "decay_from": 1, "settling": 20, "judged": 2, "change_weight": 0.5,
                     "dissimilar_weight": 0.1, "thick_weight": 0.2},
    "deviation": {**RUN, **COUNTS}, "flow": {**RUN, **COUNTS, "shortcuts": 0.25},
    "hearts": {"train": ["001"], "test": ["002"]},
    "patients": {"train": ["patient001"], "validation": ["patient002"]},
    "publish": {"id": "tiny", "licence": "none", "training_data": "phantoms",
                "defaults": {"samples": 1, "steps": 1, "detail": 0.5}},
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

    def __init__(self, data: Path, hearts: Path, folder: Path) -> None:
        self.data, self.hearts, self.folder = data, hearts, folder

    def weights(self, stage: str) -> Path:
        """The safetensors file that a stage has left."""
        (file,) = (self.folder / stage).glob("*.safetensors")
        return file

    def config(self, name: str, content: dict) -> Path:
        """A config file."""
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(content))
        return path

    def train(self, stage: str, to: str = "", of: dict = CALID, **files: str) -> list[dict]:
        """Train a stage on what earlier ones left, ``option=stage``; returns its log."""
        inputs = [part for option, stage in files.items() for part in (f"--{option}", self.weights(stage))]
        hearts = ["--hearts", self.hearts, "--hold-out", "002", "--device", "cpu"] if of is not AUTOENCODER else []
        out = self.folder / (to or stage)
        run_command("train", stage, self.config(stage, of), "--data", self.data, *hearts, *inputs, "--out", out)
        return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def chain(data, hearts, tmp_path_factory):
    """A chain after all stages, and their logs."""
    made = Chain(data, hearts, tmp_path_factory.mktemp("chain"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("calid.cohorts.acdc.SPLIT_FILE", data / "split.json")
        logs = {
            "autoencoder": made.train("autoencoder", of=AUTOENCODER),
            "decoder": made.train("decoder", of=AUTOENCODER, vae="autoencoder"),
            "gap": made.train("gap"),
            "deviation": made.train("deviation", gap="gap"),
            "denoiser": made.train("denoiser", gap="gap", vae="decoder"),
        }
    return made, logs


@pytest.mark.parametrize("stage", ["autoencoder", "decoder", "gap", "deviation", "denoiser"])
def test_every_stage_logs_its_validation_and_ends_at_its_last_step(chain, stage):
    log = chain[1][stage]
    assert [line["step"] for line in log] == [1, 2]
    assert all(np.isfinite(value) for line in log for value in line.values())
    validated = [name for name in log[-1] if name.startswith("val_") or name == "heart_psnr"]
    assert validated


@pytest.mark.parametrize(
    ("stage", "before", "trained"), [("decoder", "autoencoder", "net.decoder."), ("deviation", "gap", "doubt.")]
)
def test_a_stage_changes_its_own_part_and_keeps_the_rest(chain, stage, before, trained):
    after, old = (load_file(chain[0].weights(of)) for of in (stage, before))
    assert after.keys() == old.keys()
    changed = {name for name in after if not torch.equal(after[name], old[name])}
    assert changed
    assert all(name.startswith(trained) for name in changed)


def test_train_publish_load_reconstruct(chain, tmp_path):
    made, _ = chain
    stages = {"gap": "deviation", "vae": "decoder", "denoiser": "denoiser"}
    files = [part for option, stage in stages.items() for part in (f"--{option}", made.weights(stage))]
    run_command("train", "publish", made.config("publish", CALID), *files, "--models", tmp_path)
    sparse = Phantom(slices=3, matrix=(48, 48), pixel=3.0).sparse
    result = calid.reconstruct(sparse, 4.0, device="cpu", models=tmp_path, uncertainty=True)
    assert result.provenance["model"] == "tiny"
    assert result.provenance["detail"] == 0.5
    assert set(result.provenance["weights_sha256"]) == {f"{name}.safetensors" for name in stages}
    np.testing.assert_array_equal(result.stack.voxels[:, ::2], sparse.voxels)
    assert (result.uncertainty[:, 1::2] >= 0).all()
    assert result.uncertainty.max() > 0


@pytest.mark.parametrize(
    ("stage", "section", "files"),
    [
        ("gap", "gap_training", {"start": "deviation"}),
        ("denoiser", "flow", {"gap": "gap", "vae": "decoder", "start": "denoiser"}),
    ],
)
def test_a_stage_can_start_from_earlier_weights(chain, stage, section, files):
    made, _ = chain
    made.train(stage, "again", CALID | {section: CALID[section] | {"steps": 1, "rate": 0.0}}, **files)
    earlier, after = load_file(made.weights(files["start"])), load_file(made.weights("again"))
    shutil.rmtree(made.folder / "again")
    assert all(torch.equal(after[name], tensor) for name, tensor in earlier.items())


def test_a_stage_goes_on_where_it_was(chain):
    made, _ = chain
    for steps in (1, 2):
        log = made.train("gap", "more", CALID | {"gap_training": CALID["gap_training"] | {"steps": steps}})
    assert [line["step"] for line in log] == [1, 2]


def test_without_hearts_held_out_those_of_the_test_stay_out_of_sight(chain, tmp_path, write_heart):
    made, _ = chain
    write_heart(tmp_path, "001")  # the heart of the test is not even there
    inputs = ("--data", made.data, "--hearts", tmp_path, "--device", "cpu")
    run_command("train", "gap", made.config("gap", CALID), *inputs, "--out", tmp_path / "run")
    curve = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert {name for name in curve[-1] if name.startswith("val_")} == {"val_thick_psnr", "val_thick_ssim"}


@pytest.mark.parametrize(("reach", "role"), [(0, "segmenter"), (10, "measurer")])
def test_train_segmentation_publish_beside_another_model_segment(data, split, tmp_path, capsys, reach, role):
    config, out, models = tmp_path / "segmentation.json", tmp_path / "seg", tmp_path / "m"
    config.write_text(json.dumps(SEGMENTATION | {"segmentation": SEGMENTATION["segmentation"] | {"reach": reach}}))
    models.mkdir()
    before = {"default": "other", "models": [{"id": "tiny-seg", "date": "long ago"}, {"id": "other"}]}
    (models / "manifest.json").write_text(json.dumps(before))
    run_command("train", "segmentation", config, "--data", data, "--out", out)
    run_command("train", "publish", config, "--segmentation", out / "segmentation.safetensors", "--models", models)
    curve = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert all(0 <= line[f"val_dice_{label}"] <= 1 for line in curve for label in (1, 2, 3))

    manifest = json.loads((models / "manifest.json").read_text())
    assert [model["id"] for model in manifest["models"]] == ["other", "tiny-seg"]
    assert manifest == before | {"models": manifest["models"], role: "tiny-seg"}
    sparse = Phantom(slices=3, matrix=(48, 48), pixel=3.0).sparse
    made = load_segmenter(models, role=role)
    if role == "segmenter":
        assert segment(made, sparse.voxels, sparse.pixel_spacing).shape == sparse.voxels.shape
    assert load_measurer(models).id == "tiny-seg"
    grid = made.grid(sparse.voxels.shape[-2:], sparse.pixel_spacing)
    whole = Region(slice(None), slice(None))
    chambers = Chambers(made, grid, IntensityScale.of(sparse.voxels), whole)
    found = chambers.probabilities(sparse.voxels[0], sparse.positions)
    assert found.shape == (3, 4, *grid.model_shape)


def test_the_likelihood_is_greatest_where_the_deviation_is_the_mean_absolute_error(tiny_model):
    near = GapNeighbours.around(torch.rand(6, 16, 16), 10.0 * np.arange(6), range(6), 8.0)
    weights = torch.from_numpy(slab_weights([0.25, 0.5], 0.3))[None]
    with torch.no_grad():
        mean = torch.einsum("ntk,nkhw->nthw", weights, tiny_model.gap(near))
    truth = mean + torch.rand(mean.shape, generator=torch.Generator().manual_seed(0)) - 0.2
    error = (truth - mean).abs().mean()
    last = torch.nn.Conv2d(8, tiny_model.gap.doubt.out_channels, 3, padding=1).requires_grad_(False)
    last.weight.zero_()

    def loss(scale):
        last.bias.fill_(float(scale.log()))
        known = Known(near, near.consistency, weights, truth)
        return float(likelihood_loss(tiny_model.gap, last, known))

    best = loss(error)
    assert best < loss(0.9 * error)
    assert best < loss(1.1 * error)
    assert best == pytest.approx(1 + float(error.log()), abs=3e-3)  # the last layer may compute in half precision


def test_pairs_are_the_mean_and_the_truth_at_one_place_with_its_reach(tiny_model, data, hearts):
    how = Mixture(dense=3, thick=2, **CALID["batches"])
    batch = Material(load_hearts(hearts, ["001"]), load_end_phases(data, ["patient001"], 1.25), how, 0, CPU).draw()
    pairs = make_pairs(tiny_model.gap, tiny_model.vae, batch, torch.Generator().manual_seed(0))
    assert pairs.mean.shape == pairs.latents.shape == (5, 2, 8, 8)
    gap, nearer = (pairs.reach * MM_SCALE).T
    np.testing.assert_allclose(nearer[3:], gap[3:] / 2)  # hidden slices lie in the middle
    np.testing.assert_allclose(gap[3:], 20)
    eighths = 8 * nearer[:3] / gap[:3]
    np.testing.assert_allclose(eighths, eighths.round(), atol=1e-4)
    assert ((eighths > 0.9) & (eighths < 4.1)).all()
    # What the network of a gap says has no part in the truth.
    silent = GapNet(tiny_model.gap.config)
    other = make_pairs(silent, tiny_model.vae, batch, torch.Generator().manual_seed(0))
    torch.testing.assert_close(other.latents, pairs.latents)
    assert not torch.allclose(other.mean, pairs.mean, atol=0.01)


@pytest.mark.parametrize("files", [["--vae", "v", "--segmentation", "s"], ["--vae", "v", "--denoiser", "d"], []])
def test_publish_wants_all_files_of_one_model(tmp_path, capsys, files):
    with pytest.raises(SystemExit):
        main(["train", "publish", "c.json", *files, "--models", str(tmp_path)])
    assert "--gap, --vae and --denoiser, or --segmentation" in capsys.readouterr().err


@pytest.mark.parametrize("reach", [0.0, 10.0])
def test_image_and_labels_move_together(data, split, reach):
    stack = load_labelled(data, "train", pixel=1.5)[0]
    bright = replace(stack, slices=2 * stack.labels[:, 2] - 1)  # an image of nothing but the cavity
    how = Augmentation(crop=48, gamma=0, gain=0)
    for seed in range(8):
        image, shares = random_view(bright, how, Sight(reach, anywhere=0.0), torch.Generator().manual_seed(seed))
        assert image.shape == (3 if reach else 1, 48, 48)
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
    run = Run(folder, net, Recipe(steps=6, rate=0.1, average=0.5))
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


@pytest.mark.parametrize("stage", ["autoencoder", "segmentation"])
def test_a_folder_without_patients_is_refused_by_name(stage, tmp_path, capsys) -> None:
    config = Path(calid.__file__).parent / "training" / "configs" / f"{stage}.json"
    arguments = ["train", stage, str(config), "--data", str(tmp_path), "--out", str(tmp_path / "run")]
    assert main(arguments) == ExitCode.UNUSABLE_INPUT
    assert f"{tmp_path} holds no label maps" in capsys.readouterr().err
