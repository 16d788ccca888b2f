"""Evaluate methods on a labelled cohort by the held-out-slice protocol: from the data folder to table and figures."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from calid.baselines.methods import Method, make_method
from calid.cohorts.acdc import split_patients
from calid.errors import UnusableInput
from calid.evaluation.cases import load_cases
from calid.evaluation.heldout import Case
from calid.evaluation.report import REFERENCE, format_table, summarise, write_slices
from calid.evaluation.scoring import REAL, ScoredSlice, score, score_real
from calid.segmentation.segmenter import Segmenter, has_segmenter, load_segmenter
from calid.version import __version__


def evaluate(
    data: str | Path,
    methods: Sequence[str],
    out: str | Path,
    split: str = "validation",
    limit: int | None = None,
    every: int = 2,
    figures: bool = True,
) -> dict[str, Any]:
    """Score methods on the held-out slices of a split and print the table.

    Writes the summary to ``out`` (.json) and beside it the per-slice table (.csv) and a folder of figures (.png).
    The anatomy of the slices is scored if the models folder comes with a segmentation network.

    :param data: folder with ``index.json`` and ``ed_es/``.
    :param methods: names for :func:`calid.baselines.methods.make_method`; linear, the reference, always takes part.
    :param limit: only the first so many patients of the split.
    :param every: one slice in so many is kept; 2 is the protocol.
    :returns: the summary.
    :raises UnusableInput: for an unknown method, patients that are missing, or an ``out`` that cannot be written.
    """
    out = Path(out)
    if out.suffix != ".json" or not out.parent.is_dir():
        raise UnusableInput(f"{out} cannot be written", "name a .json file in a folder that exists")
    called = {name: make_method(name) for name in dict.fromkeys([REFERENCE, *methods])}
    segmenter = load_segmenter() if has_segmenter() else None
    cases = list(load_cases(Path(data), split_patients(split)[:limit], every))
    scored, seconds = _score(cases, called, segmenter)
    write_slices(scored, out.with_suffix(".csv"))
    sets = summarise(scored)
    summary = {
        "protocol": "held-out slices, version 1" if every == 2 else f"held-out slices, one in {every} kept",
        "interval": "95 %, bootstrap over patients, differences paired with linear",
        "calid": __version__,
        "split": split,
        "limit": limit,
        "median_seconds_per_stack": seconds,
        "encode_decode_psnr": _ceiling(cases) if _needs_model(methods) else None,
        "segmenter": segmenter.id if segmenter else None,
        "sets": sets,
    }
    out.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    print(format_table(sets, seconds))
    if figures:
        _draw(scored, out.with_name(f"{out.stem}_figures"))
    return summary


def _score(
    cases: Sequence[Case], methods: Mapping[str, Method], segmenter: Segmenter | None
) -> tuple[list[ScoredSlice], dict[str, float]]:
    """Every scored slice of every method, and the median seconds that a method takes for a stack."""
    scored: list[ScoredSlice] = []
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for case in cases:
        print(f"{case.patient} {case.phase}: {len(case.scored)} slices", file=sys.stderr)
        for name, method in methods.items():
            slices, taken = score(case, name, method, segmenter)
            scored += slices
            seconds[name].append(taken)
        scored += score_real(case, segmenter) if segmenter else []
    return scored, {name: statistics.median(taken) for name, taken in seconds.items()}


def _needs_model(methods: Sequence[str]) -> bool:
    return any(method.startswith(("calid", "latent")) for method in methods)


def _ceiling(cases: Sequence[Case]) -> dict[str, float]:
    """Mean PSNR in dB of real slices through the autoencoder, on its own grid and on the scanner's."""
    from calid.evaluation.ceiling import encode_decode_psnr
    from calid.model.weights import load_model

    model, values = load_model(), {"model_grid": [], "scanner_grid": []}  # type: ignore[var-annotated]
    for case in cases:
        for grid, found in encode_decode_psnr(model, case).items():
            values[grid] += found
    return {grid: statistics.mean(found) for grid, found in values.items()}


def _draw(scored: Sequence[ScoredSlice], folder: Path) -> None:
    from calid.evaluation.figures import draw_figures  # matplotlib is optional and slow to import

    folder.mkdir(exist_ok=True)
    draw_figures([s for s in scored if s.method != REAL], folder)
