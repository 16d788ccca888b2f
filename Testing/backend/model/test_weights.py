"""Weights are found, verified and loaded, or refused with both hashes."""

import json
import shutil

import pytest

from calid.errors import WeightsError
from calid.model.manifest import MODELS_VARIABLE, find_models, read_manifest
from calid.model.weights import load_model
from calid.segmentation.segmenter import has_segmenter, load_segmenter


@pytest.fixture
def models(tmp_path):
    return shutil.copytree(find_models(), tmp_path / "models")


def test_bundled_weights_are_small_and_match_their_manifest():
    folder = find_models()
    assert sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) < 30e6
    parts = ("gap", "vae", "denoiser")
    assert set(load_model().sha256) == {f"{part}.safetensors" for part in parts}
    assert set(load_segmenter().sha256) == {"segmentation.safetensors"}


@pytest.mark.parametrize("role", ["default", "segmenter"])
def test_manifest_states_licence_training_data_and_date(role):
    entry = read_manifest(find_models(), role)
    assert "CC BY-NC-SA" in entry["licence"]
    assert "ACDC" in entry["training_data"]
    assert entry["date"]


def test_environment_variable_points_elsewhere(models, monkeypatch):
    monkeypatch.setenv(MODELS_VARIABLE, str(models))
    assert find_models() == models


@pytest.mark.parametrize(
    ("role", "name", "load"),
    [
        ("default", "gap.safetensors", load_model),
        ("default", "denoiser.safetensors", load_model),
        ("segmenter", "segmentation.safetensors", load_segmenter),
    ],
)
def test_one_altered_byte_is_refused_with_both_hashes(models, role, name, load):
    entry = read_manifest(models, role)
    path = models / entry["id"] / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=entry["files"][name]["sha256"]) as caught:
        load(models)
    assert str(path) in str(caught.value)
    assert caught.value.remedy


def test_missing_file_and_missing_folder_are_named(models, tmp_path):
    entry = read_manifest(models)
    (models / entry["id"] / "vae.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"vae\.safetensors is missing"):
        load_model(models)
    with pytest.raises(WeightsError, match="nowhere"):
        load_model(tmp_path / "nowhere")


def test_damaged_manifest_is_refused(models):
    (models / "manifest.json").write_text('{"default": "x", "segmenter": "x", "models": []}')
    for load in (load_model, load_segmenter):
        with pytest.raises(WeightsError, match=r"manifest\.json"):
            load(models)


def test_a_models_folder_may_come_without_a_segmenter(models):
    assert has_segmenter(models)
    manifest = json.loads((models / "manifest.json").read_text())
    del manifest["segmenter"]
    (models / "manifest.json").write_text(json.dumps(manifest))
    assert not has_segmenter(models)
    assert load_model(models).id == manifest["default"]
    with pytest.raises(WeightsError, match="segmenter"):
        load_segmenter(models)


def edit_default(models, edit):
    manifest = json.loads((models / "manifest.json").read_text())
    edit(next(m for m in manifest["models"] if m["id"] == manifest["default"]))
    (models / "manifest.json").write_text(json.dumps(manifest))


def test_weights_of_another_architecture_are_refused(models):
    edit_default(models, lambda entry: entry["architecture"]["vae"].update(channels=[16, 32, 32]))
    with pytest.raises(WeightsError, match="does not fit"):
        load_model(models)


@pytest.mark.parametrize("part", ["gap", "vae", "denoiser"])
def test_a_model_of_another_version_of_the_program_is_refused(models, part):
    edit_default(models, lambda entry: entry["architecture"].pop(part))
    with pytest.raises(WeightsError, match=f"another version of CaLIDSlicer: it lacks {part}") as caught:
        load_model(models)
    assert caught.value.remedy
