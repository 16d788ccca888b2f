"""What a models folder says of itself, and whether its files are the ones that were measured. Standard library only.

A models folder holds ``manifest.json`` and one folder per model with its files. The manifest names some of them by
their role: ``"default"`` makes slices, ``"segmenter"`` labels and judges them, and ``"measurer"``, which need not be
there, labels hearts to be measured. It gives the SHA256 of every file: a result must be
traceable to the weights that made it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from calid.errors import WeightsError

MANIFEST_FILE = "manifest.json"
MODELS_VARIABLE = "CALID_MODELS"
REMEDY = "reinstall CaLIDSlicer, or {intact_models}"


def find_models(folder: str | Path | None = None) -> Path:
    """The models folder: the given one, ``$CALID_MODELS``, or the bundled one of an installed or a source tree.

    :raises WeightsError: if there is none.
    """
    package = Path(__file__).resolve().parents[1]
    trees = [package.parent, package.parents[1]]  # of the installed extension, and of the source
    bundled = [package / "models", *(tree / "Resources" / "Models" for tree in trees)]
    named = folder or os.environ.get(MODELS_VARIABLE)
    candidates = [Path(named)] if named else bundled
    for candidate in candidates:
        if (candidate / MANIFEST_FILE).is_file():
            return candidate
    raise WeightsError(f"no {MANIFEST_FILE} in {' or '.join(str(c) for c in candidates)}", REMEDY)


def load_manifest(folder: Path) -> dict[str, Any]:
    """All of ``manifest.json``; raises :class:`WeightsError` if it cannot be read."""
    path = folder / MANIFEST_FILE
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read: {error!r}", REMEDY) from error


def read_manifest(folder: Path, role: str = "default") -> dict[str, Any]:
    """The entry of the model with a role: ``"default"`` or ``"segmenter"``.

    :raises WeightsError: if there is none.
    """
    manifest = load_manifest(folder)
    try:
        return next(m for m in manifest["models"] if m["id"] == manifest[role])
    except (KeyError, StopIteration, TypeError) as error:
        raise WeightsError(f"{folder / MANIFEST_FILE} has no {role} model: {error!r}", REMEDY) from error


def model_files(manifest: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The files of all models of a manifest: their path in the models folder (with ``/``) and SHA256.

    :raises WeightsError: for a manifest that is not of this form, or names a file outside its own folder.
    """
    try:
        for entry in manifest["models"]:
            for name, about in entry["files"].items():
                _check_plain(entry["id"], name)
                yield f"{entry['id']}/{name}", about["sha256"]
    except (KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{MANIFEST_FILE} does not list models and their files: {error!r}", REMEDY) from error


def verify(path: Path, expected: str) -> None:
    """Raise :class:`WeightsError`, naming both hashes, unless the file has the expected SHA256."""
    if not path.is_file():
        raise WeightsError(f"{path} is missing (expected SHA256 {expected})", REMEDY)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise WeightsError(f"{path} is altered: SHA256 {found}, expected {expected}", REMEDY)


def verify_model(folder: Path, entry: dict[str, Any]) -> dict[str, str]:
    """SHA256 of every file of a model by its name, after all of them were found to be as they should."""
    hashes = {name: about["sha256"] for name, about in entry["files"].items()}
    for name, expected in hashes.items():
        verify(folder / entry["id"] / name, expected)
    return hashes


def _check_plain(*names: str) -> None:
    for name in names:
        if name in ("", ".", "..") or any(character in name for character in "/\\:"):
            raise WeightsError(f"{MANIFEST_FILE} names {name!r}, which is not a plain file name", REMEDY)
