"""The model weights that Slicer's jobs use: where they are, what they are, and others from a file.

Weights come with the extension. Others can be imported into a folder of the user, which an update of Slicer leaves as
it is, and are then used instead; removing them brings the bundled ones back. ``$CALID_MODELS`` goes before both.
Nothing is downloaded, so all of it works offline.
"""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from calid.errors import OutOfResources, WeightsError
from calid.model.manifest import (
    MANIFEST_FILE,
    MODELS_VARIABLE,
    find_models,
    load_manifest,
    model_files,
    read_manifest,
    verify,
)

from .. import Host
from .ModelSource import CARD_FILE, CHOOSE, openSource

NETS = {"gap", "vae", "denoiser"}
ARCHITECTURE = {"pixel", *NETS}
FILES = {f"{net}.safetensors" for net in NETS}
"""What :func:`calid.model.weights.load_model` looks for."""


class ModelStore:
    """Bundled and imported weights.

    >>> store = ModelStore()
    >>> store.importFrom("/downloads/calid-sax-5.zip")
    >>> print(store.verify())
    >>> job = Reconstruction(node, models=store.modelsFolder())

    :param userFolder: where imported models go; by default beside Slicer's settings of the user.
    """

    def __init__(self, userFolder: str | Path | None = None) -> None:
        self._userFolder = Path(userFolder) if userFolder else defaultUserFolder()

    @property
    def isBundled(self) -> bool:
        """Whether the weights in use are those that came with the extension."""
        return self.modelsFolder() is None

    def modelsFolder(self) -> str | None:
        """The folder to pass on as ``Job.models``; ``None`` for the bundled weights."""
        if os.environ.get(MODELS_VARIABLE):
            return os.environ[MODELS_VARIABLE]
        return str(self._userFolder) if (self._userFolder / MANIFEST_FILE).is_file() else None

    def location(self) -> str:
        """The folder of the weights in use; raises :class:`WeightsError` if there are none."""
        return str(find_models(self.modelsFolder()))

    def card(self) -> str:
        """The model card (Markdown), or what the manifest tells where there is none.

        :raises WeightsError: if there is neither.
        """
        folder = Path(self.location())
        if (folder / CARD_FILE).is_file():
            return (folder / CARD_FILE).read_text(encoding="utf-8", errors="replace")
        entry = read_manifest(folder)
        facts = ("licence", "training_data", "intended_use", "date")
        known = "".join(f"- {fact.replace('_', ' ')}: {entry[fact]}\n" for fact in facts if fact in entry)
        return f"# {entry.get('title', entry['id'])}\n\n{known}"

    def verify(self) -> str:
        """Check every file in use against its SHA256; returns what was found, in one line.

        :raises WeightsError: naming the file that is missing or altered, and both hashes.
        """
        folder = Path(self.location())
        files = _verifyAll(folder)
        return f"{read_manifest(folder)['id']}: all {files} files in {folder} are as they were published"

    def importFrom(self, path: str | Path) -> str:
        """Copy the models of a zip file or a folder, and use them from now on; returns what :meth:`verify` says.

        They replace those that were imported before, once they are complete and have been verified.

        :raises WeightsError: if there are no usable models; then nothing has changed.
        :raises OutOfResources: if the disk does not take them; then nothing has changed.
        """
        self._refuseIfNamed()
        incoming = self._userFolder.with_name(f".{self._userFolder.name}-{uuid.uuid4().hex}")
        try:
            with openSource(Path(path)) as source:
                source.copyTo(incoming)
            _checkUsable(incoming)
            _replace(self._userFolder, incoming)
        except OSError as error:
            raise OutOfResources(
                f"{self._userFolder} does not take the models: {error.strerror or error}",
                "free disk space, let running jobs end, and try again",
            ) from error
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
        return self.verify()

    def remove(self) -> None:
        """Delete the imported models; the bundled ones are used again.

        :raises WeightsError: if none were imported.
        :raises OutOfResources: if they cannot be deleted.
        """
        self._refuseIfNamed()
        if self.isBundled:
            raise WeightsError("the weights in use came with the extension", "uninstall the extension to remove them")
        try:
            shutil.rmtree(self._userFolder)
        except OSError as error:
            raise OutOfResources(
                f"{self._userFolder} cannot be deleted: {error.strerror or error}",
                "let running jobs end, and try again",
            ) from error

    def _refuseIfNamed(self) -> None:
        if os.environ.get(MODELS_VARIABLE):
            raise WeightsError(
                f"the variable {MODELS_VARIABLE} says which models to use: {os.environ[MODELS_VARIABLE]}",
                "change that folder, or start Slicer without the variable",
            )


def defaultUserFolder() -> Path:
    """Beside the settings of the user, which no update of Slicer touches; without the application, in the home."""
    app = Host.application()
    settings = Path(app.slicerUserSettingsFilePath).parent if app else Path.home() / ".calid"
    return settings / "CaLIDSlicer" / "Models"


def _verifyAll(folder: Path) -> int:
    files = dict(model_files(load_manifest(folder)))
    for name, expected in files.items():
        verify(folder / name, expected)
    return len(files)


def _checkUsable(folder: Path) -> None:
    """Raise :class:`WeightsError` unless the models are complete, unaltered, and of a kind that this version loads."""
    _verifyAll(folder)
    entry: dict[str, Any] = read_manifest(folder)
    isKnown = set(entry.get("architecture") or ()) >= ARCHITECTURE and set(entry["files"]) >= FILES
    if not isKnown or "defaults" not in entry:
        raise WeightsError(f"the model {entry['id']} is for another version of CaLIDSlicer", CHOOSE)


def _replace(folder: Path, incoming: Path) -> None:
    """Put ``incoming`` in the place of ``folder``, or leave all as it was."""
    outgoing = incoming.with_name(f"{incoming.name}-old")
    if folder.exists():
        os.replace(folder, outgoing)
    try:
        os.replace(incoming, folder)
    except OSError:
        if outgoing.exists():
            os.replace(outgoing, folder)
        raise
    shutil.rmtree(outgoing, ignore_errors=True)
