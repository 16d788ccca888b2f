"""Make trained weights the ones to ship.

``calid train publish CONFIG --gap FILE --vae FILE --denoiser FILE --models DIR`` for the model that makes slices;
``calid train publish CONFIG --segmentation FILE --models DIR`` for one that labels them: the judge of single slices,
or, if CONFIG lets it see the slices beside, the one that hearts are measured with. Copies the files into the models
folder and makes them its default in ``manifest.json``, which keeps its other models. CONFIG's ``"publish"`` part holds
the id, the licence, the training data and, of the first, the default sampling.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calid.atomic import write_atomically

STAGES = ("gap", "vae", "denoiser")
GENERATOR = ("pixel", *STAGES)  # what of CONFIG is the architecture
SEGMENTER = ("pixel", "segmentation")


def main(argv: Sequence[str]) -> int:
    """Entry of ``calid train publish``."""
    parser = argparse.ArgumentParser(prog="calid train publish", description=__doc__)
    parser.add_argument("config", type=Path)
    for stage in STAGES:
        parser.add_argument(f"--{stage}", type=Path)
    parser.add_argument("--segmentation", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    args = parser.parse_args(argv)
    files = {f"{stage}.safetensors": getattr(args, stage) for stage in (*STAGES, "segmentation")}
    files = {name: source for name, source in files.items() if source is not None}
    if set(files) not in ({f"{stage}.safetensors" for stage in STAGES}, {"segmentation.safetensors"}):
        parser.error("give --gap, --vae and --denoiser, or --segmentation")
    config = json.loads(args.config.read_text(encoding="utf-8"))
    role, keys = (_labeller(config), SEGMENTER) if args.segmentation else ("default", GENERATOR)
    publish(config["publish"], {key: config[key] for key in keys}, files, args.models, role)
    return 0


def publish(
    about: dict[str, Any], architecture: dict[str, Any], files: dict[str, Path], models: Path, role: str
) -> None:
    """Copy ``files`` (by their names there) into the models folder, and give the model ``role`` in its manifest."""
    folder = models / about["id"]
    folder.mkdir(parents=True, exist_ok=True)
    entry = {
        **about,
        "date": datetime.date.today().isoformat(),
        "architecture": architecture,
        "files": {name: _copy(source, folder / name) for name, source in files.items()},
    }
    path = models / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"models": []}
    others = [model for model in manifest.pop("models") if model["id"] != about["id"]]
    text = json.dumps({**manifest, role: about["id"], "models": [*others, entry]}, indent=2) + "\n"
    write_atomically(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def _labeller(config: dict[str, Any]) -> str:
    return "measurer" if config["segmentation"].get("reach") else "segmenter"


def _copy(source: Path, to: Path) -> dict[str, str | int]:
    shutil.copyfile(source, to)
    content = to.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
