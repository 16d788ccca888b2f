"""Evaluate methods on the cines of a cohort: held-out slices at all phases, their motion, and the volume curve.

The held-out-slice protocol of :mod:`calid.evaluation.heldout` for each phase, in one region for the whole beat: the
bounding box of the slice's labels at both end phases, dilated by 8 pixels, as far as the crop reaches.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

from calid.baselines.methods import Method, make_method
from calid.cohorts.acdc import split_patients
from calid.errors import UnusableInput
from calid.evaluation.cine.cases import CineCase, load_cines
from calid.evaluation.cine.report import format_cine_table, summarise_cines, write_cine_slices, write_volumes
from calid.evaluation.cine.scoring import ScoredCine, score_cine, score_real_cine
from calid.segmentation.segmenter import Segmenter, has_segmenter, load_segmenter
from calid.version import __version__


def evaluate_cine(
    data: str | Path,
    methods: Sequence[str],
    out: str | Path,
    split: str = "validation",
    limit: int | None = None,
    jobs: int = 1,
    figures: bool = True,
) -> dict[str, Any]:
    """Score methods on the held-out slices of the cines of a split and print the table.

    Writes the summary to ``out`` (.json) and beside it the per-slice table (.csv), the volume curves (_volumes.csv) and
    a folder of figures (.png). Anatomy and volumes are scored if the models folder has a segmentation network.

    :param data: folder with ``index.json``, ``ed_es/`` and ``cine/``.
    :param methods: names for :func:`calid.baselines.methods.make_method`; all differences are to the first.
    :param limit: only the first so many patients of the split.
    :param jobs: patients at a time, each in a process of its own.
    :returns: the summary.
    :raises UnusableInput: for an unknown method, no job, patients that are missing, or an ``out`` that cannot be
        written.
    """
    out = Path(out)
    if out.suffix != ".json" or not out.parent.is_dir():
        raise UnusableInput(f"{out} cannot be written", "name a .json file in a folder that exists")
    if jobs < 1:
        raise UnusableInput(f"jobs is {jobs}", "ask for at least 1 of jobs")
    names = list(dict.fromkeys(methods))
    for name in names:
        make_method(name)
    cases = load_cines(Path(data), split_patients(split)[:limit])
    scored = [s for cine in _score_all(cases, names, jobs) for s in cine]
    sets = summarise_cines(scored, names[0])
    summary = {
        "protocol": "held-out slices, version 1, at every phase of the cine",
        "region": "bounding box of the slice's labels at both end phases, dilated by 8 pixels, within the crop",
        "interval": f"95 %, bootstrap over patients, differences paired with {names[0]}",
        "calid": __version__,
        "split": split,
        "limit": limit,
        "segmenter": load_segmenter().id if has_segmenter() else None,
        "sets": sets,
    }
    out.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    write_cine_slices(scored, out.with_suffix(".csv"))
    write_volumes(scored, out.with_name(f"{out.stem}_volumes.csv"))
    print(format_cine_table(sets))
    if figures:
        _draw(scored, out.with_name(f"{out.stem}_figures"))
    return summary


def score_cines(
    cases: Iterable[CineCase], methods: Mapping[str, Method], segmenter: Segmenter | None
) -> list[ScoredCine]:
    """Every method, and the real slices, on every cine: for methods that have no name yet."""
    return [s for case in cases for s in _score(case, methods, segmenter)]


def _score_all(cases: Iterator[CineCase], names: Sequence[str], jobs: int) -> Iterator[list[ScoredCine]]:
    if jobs == 1:
        yield from (_score_named(case, tuple(names)) for case in cases)
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(partial(_score_named, names=tuple(names)), cases)


def _score_named(case: CineCase, names: tuple[str, ...]) -> list[ScoredCine]:
    print(f"{case.patient}: {len(case.stack.voxels)} phases, {len(case.scored)} slices", file=sys.stderr)
    return _score(case, *_load(names))


@cache
def _load(names: tuple[str, ...]) -> tuple[dict[str, Method], Segmenter | None]:
    """Once per process: a method is a closure, which does not travel."""
    return {name: make_method(name) for name in names}, load_segmenter() if has_segmenter() else None


def _score(case: CineCase, methods: Mapping[str, Method], segmenter: Segmenter | None) -> list[ScoredCine]:
    real = score_real_cine(case, segmenter)
    return [real, *(score_cine(case, name, method, real, segmenter) for name, method in methods.items())]


def _draw(scored: Sequence[ScoredCine], folder: Path) -> None:
    from calid.evaluation.cine.figures import draw_cine_figures  # matplotlib is optional and slow to import

    folder.mkdir(exist_ok=True)
    draw_cine_figures(scored, folder)
