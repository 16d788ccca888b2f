"""Weights from elsewhere: verified before they replace anything, and never written outside their folder."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import slicer

from calid.errors import OutOfResources, WeightsError
from calid.model.manifest import MODELS_VARIABLE, find_models
from CaLIDSlicerLib.Setup import ModelSource, ModelStore
from CaLIDSlicerLib.Setup.ModelStore import defaultUserFolder

BUNDLED = find_models()


@pytest.fixture(autouse=True)
def withoutVariable(monkeypatch):
    monkeypatch.delenv(MODELS_VARIABLE, raising=False)


@pytest.fixture
def store(tmp_path):
    return ModelStore.ModelStore(tmp_path / "user" / "Models")


@pytest.fixture
def published(tmp_path):
    """The bundled models under another name, as a folder."""
    folder = shutil.copytree(BUNDLED, tmp_path / "published")
    manifest = json.loads((folder / "manifest.json").read_text())
    old, new = manifest["default"], "other-1"
    text = (folder / "manifest.json").read_text().replace(f'"{old}"', f'"{new}"')
    (folder / "manifest.json").write_text(text)
    (folder / old).rename(folder / new)
    (folder / "MODEL_CARD.md").write_text("# Model card: other-1")
    return folder


def zipped(folder: Path, top: str = "", **changes: bytes) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, top + file.relative_to(folder).as_posix())
        for name, content in changes.items():
            archive.writestr(name, content)
    return path


def change(folder: Path, edit) -> Path:
    manifest = json.loads((folder / "manifest.json").read_text())
    edit(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def default(manifest) -> dict:
    return next(entry for entry in manifest["models"] if entry["id"] == manifest["default"])


def assertRefused(store, path, match: str, error=WeightsError) -> None:
    """Nothing has changed, and nothing lies about."""
    before = sorted(store._userFolder.rglob("*"))
    with pytest.raises(error, match=match) as caught:
        store.importFrom(path)
    assert caught.value.remedy
    assert sorted(store._userFolder.rglob("*")) == before
    parent = store._userFolder.parent
    assert not parent.exists() or [file.name for file in parent.iterdir()] in ([], ["Models"])


def test_the_bundled_weights_are_used_first(store):
    assert store.isBundled
    assert store.modelsFolder() is None
    assert store.location() == str(BUNDLED)
    assert "Model card" in store.card()
    assert "as they were published" in store.verify()


@pytest.mark.parametrize("give", [Path, zipped, lambda folder: zipped(folder, "calid models/")])
def test_imported_weights_are_used_and_can_be_removed(store, published, give):
    path = give(published)
    named = sum(len(entry["files"]) for entry in json.loads((BUNDLED / "manifest.json").read_text())["models"])
    assert store.importFrom(path).startswith(f"other-1: all {named} files")
    assert not store.isBundled
    assert store.modelsFolder() == store.location() != str(BUNDLED)
    assert store.card() == "# Model card: other-1"
    store.remove()
    assert store.isBundled
    assert store.location() == str(BUNDLED)
    assert path.exists()


def test_an_import_replaces_the_one_before(store, published):
    store.importFrom(published)
    (published / "MODEL_CARD.md").unlink()
    store.importFrom(published)
    assert "licence: CC BY-NC-SA" in store.card()
    assert [file.name for file in store._userFolder.parent.iterdir()] == ["Models"]


def test_only_what_the_manifest_names_is_taken(store, published):
    (published / "run.exe").write_bytes(b"surprise")
    store.importFrom(zipped(published))
    assert not list(store._userFolder.rglob("run.exe"))


def test_bundled_weights_cannot_be_removed(store):
    with pytest.raises(WeightsError, match="came with the extension"):
        store.remove()
    assert BUNDLED.is_dir()


def test_weights_that_are_in_use_cannot_be_removed(store, published, monkeypatch):
    store.importFrom(published)

    def refuse(_folder) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(OutOfResources, match="cannot be deleted: Permission denied"):
        store.remove()
    assert not store.isBundled


def test_altered_weights_are_refused(store, published):
    store.importFrom(published)
    path = published / "other-1" / "vae.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    assertRefused(store, zipped(published), "is altered")
    assert "as they were published" in store.verify()


def test_weights_that_are_altered_later_are_noticed(store, published):
    store.importFrom(published)
    (store._userFolder / "other-1" / "vae.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"vae\.safetensors is missing"):
        store.verify()


@pytest.mark.parametrize("give", [Path, zipped])
def test_a_missing_file_is_named(store, published, give):
    (published / "other-1" / "vae.safetensors").unlink()
    assertRefused(store, give(published), "has no other-1/vae.safetensors")


@pytest.mark.parametrize("name", ["../evil", "..", "/etc/passwd", "C:evil", "..\\evil", ""])
@pytest.mark.parametrize("where", ["id", "file"])
def test_no_name_leads_outside(store, published, tmp_path, name, where):
    def edit(manifest):
        entry = default(manifest)
        if where == "id":
            entry["id"] = manifest["default"] = name
        else:
            entry["files"] = {name: {"sha256": "0"}}

    change(published, edit)
    path = zipped(published, **{f"other-1/{name}": b"evil", name or "empty": b"evil"})
    assertRefused(store, path, "not a plain file name")
    assert not list(tmp_path.rglob("evil"))


def test_a_zip_bomb_is_not_unpacked(store, published, monkeypatch):
    """A small file that says that it unpacks to 3 MB, where models have at most 2."""
    monkeypatch.setattr(ModelSource, "LARGEST_MODELS", 2 * 2**20)
    (published / "other-1" / "vae.safetensors").write_bytes(bytes(3 * 2**20))
    path = zipped(published)
    assertRefused(store, path, "would unpack to")


def test_a_manifest_that_unpacks_to_anything_is_not_read(store, published):
    (published / "manifest.json").write_bytes(b" " * (2**20 + 1))
    assertRefused(store, zipped(published), "too large")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"{", "cannot be read"),
        (b"[]", "does not list models"),
        (b"\xff", "cannot be read"),
        (b'{"default": "x", "models": []}', "no default model"),
        (b'{"default": "x", "models": [{"id": 3, "files": {"a": {"sha256": "0"}}}]}', "does not list models"),
        (b'{"default": "x", "models": [{"id": "x", "files": []}]}', "does not list models"),
    ],
)
def test_a_damaged_manifest_is_refused(store, published, content, match):
    (published / "manifest.json").write_bytes(content)
    assertRefused(store, published, match)


@pytest.mark.parametrize(
    "edit",
    [
        lambda entry: entry["architecture"].pop("gap"),
        lambda entry: entry.pop("architecture"),
        lambda entry: entry.pop("defaults"),
        lambda entry: entry["files"].pop("gap.safetensors"),
    ],
)
def test_models_for_another_version_are_refused(store, published, edit):
    change(published, lambda manifest: edit(default(manifest)))
    assertRefused(store, published, "another version of CaLIDSlicer")


def test_a_truncated_zip_file_is_refused(store, published):
    path = zipped(published)
    path.write_bytes(path.read_bytes()[:-200])
    assertRefused(store, path, "cannot be read as a zip file")


def test_a_zip_file_with_a_flipped_bit_is_refused(store, published):
    path = zipped(published)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    assertRefused(store, path, r"zip file|altered|invalid|Error")


def test_neither_folder_nor_zip_file(store, tmp_path):
    assertRefused(store, tmp_path / "nowhere.zip", "there is no .*nowhere.zip")
    (tmp_path / "picture.png").write_bytes(b"png")
    assertRefused(store, tmp_path / "picture.png", "cannot be read as a zip file")
    (tmp_path / "empty").mkdir()
    assertRefused(store, tmp_path / "empty", "has no manifest.json")


def test_a_full_disk_leaves_what_was_there(store, published, monkeypatch):
    store.importFrom(published)
    path = zipped(published)

    def refuse(_source, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ModelSource.shutil, "copyfileobj", refuse)
    assertRefused(store, path, "No space left on device", OutOfResources)


def test_a_folder_in_use_stays_as_it_was(store, published, monkeypatch):
    store.importFrom(published)
    replace = ModelStore.os.replace

    def refuse(source, target):
        if Path(target) == store._userFolder and not source.name.endswith("-old"):
            raise PermissionError(13, "Access is denied")
        replace(source, target)

    monkeypatch.setattr(ModelStore.os, "replace", refuse)
    assertRefused(store, published, "Access is denied", OutOfResources)
    assert "other-1" in store.verify()


def test_the_variable_goes_first_and_its_folder_is_left_alone(store, published, monkeypatch):
    monkeypatch.setenv(MODELS_VARIABLE, str(published))
    assert store.location() == store.modelsFolder() == str(published)
    assert not store.isBundled
    for change_ in (store.remove, lambda: store.importFrom(BUNDLED)):
        with pytest.raises(WeightsError, match=MODELS_VARIABLE):
            change_()
    assert published.is_dir()


def test_models_lie_beside_the_settings_of_the_user(monkeypatch, tmp_path):
    assert Path.home() in defaultUserFolder().parents
    settings = tmp_path / "settings" / "Slicer.ini"
    monkeypatch.setattr(slicer, "app", type("App", (), {"slicerUserSettingsFilePath": str(settings)}), raising=False)
    assert defaultUserFolder() == tmp_path / "settings" / "CaLIDSlicer" / "Models"
