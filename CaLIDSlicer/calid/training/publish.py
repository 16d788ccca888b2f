"""Make trained weights the ones to ship: ``calid train publish CONFIG --vae FILE --denoiser FILE --models DIR``.

Copies both files into the models folder and writes ``manifest.json``. CONFIG is the denoiser's; its ``"publish"`` part
holds the id, the licence, the training data and the default sampling.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str]) -> int:
    """Entry of ``calid train publish``."""
    parser = argparse.ArgumentParser(prog="calid train publish", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--vae", type=Path, required=True)
    parser.add_argument("--denoiser", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    args = parser.parse_args(argv)
    config = json.loads(args.config.read_text(encoding="utf-8"))
    about = config["publish"]
    folder = args.models / about["id"]
    folder.mkdir(parents=True, exist_ok=True)
    files = {"vae.safetensors": args.vae, "denoiser.safetensors": args.denoiser}
    entry = {
        **about,
        "date": datetime.date.today().isoformat(),
        "architecture": {key: config[key] for key in ("pixel", "vae", "denoiser", "schedule")},
        "files": {name: _copy(source, folder / name) for name, source in files.items()},
    }
    manifest = {"default": about["id"], "models": [entry]}
    (args.models / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return 0


def _copy(source: Path, to: Path) -> dict[str, str | int]:
    shutil.copyfile(source, to)
    content = to.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
