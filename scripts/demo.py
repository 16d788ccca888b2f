"""The main job from end to end, without 3D Slicer's window: ``make demo``.

A sparse stack becomes a volume in a real MRML scene, the worker process fills its gaps, and the dense volume joins
the scene, on the very path that the Slicer module takes. A cine goes through the command line. ``demo/`` then holds
the scene, the cine as a volume sequence, and pictures of them. The stack is the phantom's, the cine that of a real
heart from the sample data; with CALID_DATA naming the ACDC data, both are those of a validation patient.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from calid.errors import CalidError
from calid.protocol import Event, Progress, Started, Warned
from calid.stacks.stack import SliceStack

SPACING = 2.0
OUTPUT = Path(__file__).resolve().parents[1] / "demo"


def main() -> int:
    """Run the demo; returns the exit code."""
    if importlib.util.find_spec("slicer_core") is None:
        print("The demo needs slicer-core (real MRML): use Python 3.11 or 3.12, as in: make demo PYTHON=python3.12")
        return 1
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    try:
        _run()
    except CalidError as error:
        print(f"\n{error}\n{error.remedy}", file=sys.stderr)
        return int(error.exit_code)
    return 0


def _run() -> None:
    import slicer
    from demo_input import patientCase, phantomCase
    from demo_scene import addStack, saveScene

    slicer.mrmlScene = slicer.vtkMRMLScene()
    data = os.environ.get("CALID_DATA")
    with _timed("make the sparse stack" if not data else "read the patient"):
        case = patientCase(Path(data)) if data else phantomCase(SPACING)
        node = addStack(case.sparse, case.name)
    with _timed("reconstruct in the worker process"):
        volume = _reconstruct(node)
    with _timed("save the scene"):
        scenePath = saveScene(slicer.mrmlScene, OUTPUT)
    dense, acquired = _readBack(volume, case.sparse), json.loads(volume.GetAttribute("CaLID.acquired"))
    with _timed("draw the pictures"):
        pictures = _draw(case, dense, acquired)
    pictures += _beat(Path(data) if data else None)
    _report(volume, [scenePath, *pictures])


def _beat(data: Path | None) -> list[Path]:
    from demo_beating import drawBeating, drawEndPhases, reconstructCine
    from demo_input import patientCine, realCine
    from demo_pictures import beforeAndAfter, drawLongAxis

    with _timed("read the cine of a real heart" if not data else "read the patient's cine"):
        case = patientCine(data) if data else realCine()
    with _timed("reconstruct the cine by the command line"):
        dense = reconstructCine(case, SPACING, OUTPUT)
    paths = [OUTPUT / name for name in ("real_heart.png", "beating.gif", "end_phases.png")]
    with _timed("draw the beating heart"):
        drawLongAxis(case, beforeAndAfter(case, dense), paths[0])
        drawBeating(case, dense, paths[1])
        drawEndPhases(case, dense, paths[2])
    return paths


def _reconstruct(node):
    from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction

    return Reconstruction(node, SPACING, _sayProgress, mask=True).wait()


def _sayProgress(event: Event) -> None:
    if isinstance(event, Started):
        print(f"  {event.model} on {event.device}: {event.slices_in} slices become {event.slices_out}")
    elif isinstance(event, Warned):
        print(f"  {event.message}")
    elif isinstance(event, Progress) and sys.stdout.isatty():
        print(f"\r  {event.fraction:4.0%}", end="\r", flush=True)


def _readBack(volume, sparse: SliceStack) -> SliceStack:
    """The dense stack as the scene holds it, after checking that the acquired slices are untouched."""
    from CaLIDSlicerLib.Scene.VolumeBridge import readStack, voxelsOf

    indices = [n for n, source in enumerate(json.loads(volume.GetAttribute("CaLID.acquired"))) if source is not None]
    if not np.array_equal(voxelsOf(volume)[indices], sparse.voxels[0]):
        raise CalidError("the acquired slices came back changed", "please report this")
    print(f"  all {len(indices)} acquired slices are there bit for bit")
    return readStack(volume)


def _draw(case, dense: SliceStack, acquired: list[int | None]) -> list[Path]:
    from demo_pictures import beforeAndAfter, drawGap, drawLongAxis, renderable, viewOf
    from demo_render import render

    shown = beforeAndAfter(case, dense)
    truth = {"truth": case.truth} if case.truth else {}
    paths = [OUTPUT / name for name in ("long_axis.png", "gap.png", "volume_rendering.png")]
    drawLongAxis(case, shown | truth, paths[0])
    drawGap(case, dense, acquired, paths[1])
    if not render({title: renderable(case, stack) for title, stack in shown.items()}, viewOf(case), paths[2]):
        print("  no volume rendering: this machine has neither EGL nor OSMesa (on Debian: apt-get install libegl1)")
        paths.pop()
    return paths


@contextmanager
def _timed(step: str) -> Iterator[None]:
    print(f"{step} ...", flush=True)
    start = time.monotonic()
    yield
    print(f"  {time.monotonic() - start:.1f} s")


def _report(volume, files: list[Path]) -> None:
    print("\nresult:")
    for file in [*files, *sorted(OUTPUT.glob("*.nrrd"))]:
        print(f"  {file}")
    print(f"peak memory of the worker: {_gibibytes(volume.GetAttribute('CaLID.peak_memory_bytes'))}")
    print(f"peak memory of this process: {_gibibytes(_ownPeak())}")


def _gibibytes(count: str | int | None) -> str:
    return "unknown" if count in (None, "null") else f"{int(count) / 2**30:.2f} GiB"


def _ownPeak() -> int | None:
    from calid.worker.run import peak_memory_bytes

    return peak_memory_bytes()


if __name__ == "__main__":
    sys.exit(main())
