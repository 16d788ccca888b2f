"""Weights are found, verified and loaded, or refused with both hashes."""

import json
import shutil

import pytest

from calid.errors import WeightsError
from calid.weights import MODELS_VARIABLE, find_models, load_model, read_manifest


@pytest.fixture
def models(tmp_path):
    return shutil.copytree(find_models(), tmp_path / "models")


def test_bundled_weights_are_small_and_match_their_manifest():
    folder = find_models()
    assert sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) < 30e6
    assert set(load_model().sha256) == {"vae.safetensors", "denoiser.safetensors"}


def test_manifest_states_licence_training_data_and_date():
    entry = read_manifest(find_models())
    assert "CC BY-NC-SA" in entry["licence"]
    assert "ACDC" in entry["training_data"]
    assert entry["date"]


def test_environment_variable_points_elsewhere(models, monkeypatch):
    monkeypatch.setenv(MODELS_VARIABLE, str(models))
    assert find_models() == models


def test_one_altered_byte_is_refused_with_both_hashes(models):
    entry = read_manifest(models)
    path = models / entry["id"] / "denoiser.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=entry["files"]["denoiser.safetensors"]["sha256"]) as caught:
        load_model(models)
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
    (models / "manifest.json").write_text('{"default": "x", "models": []}')
    with pytest.raises(WeightsError, match=r"manifest\.json"):
        load_model(models)


def test_weights_of_another_architecture_are_refused(models):
    manifest = json.loads((models / "manifest.json").read_text())
    manifest["models"][0]["architecture"]["vae"]["channels"] = [16, 32, 32]
    (models / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(WeightsError, match="does not fit"):
        load_model(models)
