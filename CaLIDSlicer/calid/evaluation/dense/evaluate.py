"""Evaluate methods on dense truth: from a folder of hearts to table and figures."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from calid.baselines.methods import Method, make_method
from calid.evaluation.dense.acquisition import SETTINGS, Setting
from calid.evaluation.dense.cases import DenseCase, load_cases
from calid.evaluation.dense.report import format_table, summarise, write_slices
from calid.evaluation.dense.scoring import ScoredHeart, fill, score
from calid.evaluation.report import REFERENCE
from calid.files.reading import read_stack
from calid.version import __version__


def evaluate_dense(
    data: str | Path,
    methods: Sequence[str],
    out: str | Path,
    settings: Sequence[str] = SETTINGS,
    hearts: Sequence[str] = (),
    real: Sequence[Path] = (),
) -> dict[str, Any]:
    """Score methods between the slices of acquired hearts and print the table.

    Writes the summary to ``out`` (.json) and beside it the per-slice table (.csv) and a folder of figures (.png).

    :param data: folder of ``heartNNN_sax.nii.gz``, each a volume that is dense along the axis, base first.
    :param methods: names for :func:`calid.baselines.methods.make_method`; linear, the reference, always takes part.
    :param hearts: numbers of the hearts to score; all if empty.
    :param real: stacks without truth, of which only long-axis pictures are drawn.
    :returns: the summary.
    :raises UnusableInput: for a method, a setting or a heart that there is not.
    """
    out, chosen = Path(out), [Setting.parse(setting) for setting in settings]
    called = {name: make_method(name) for name in dict.fromkeys([REFERENCE, *methods])}
    scored: list[ScoredHeart] = []
    for case in load_cases(Path(data), chosen, hearts):
        print(f"{case.setting} heart {case.heart}: {len(case.missing)} slices", file=sys.stderr, flush=True)
        scored += _score(case, called)
    settled = summarise(scored)
    summary = {
        "protocol": "dense truth, version 2",
        "interval": "95 %, bootstrap over hearts, differences paired with linear",
        "calid": __version__,
        "settings": settled,
    }
    out.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    write_slices(scored, out.with_suffix(".csv"))
    print(format_table(settled))
    _draw(scored, called, real, out.with_name(f"{out.stem}_figures"))
    return summary


def _score(case: DenseCase, methods: Mapping[str, Method]) -> list[ScoredHeart]:
    linear = fill(case, REFERENCE, methods[REFERENCE])
    others = {name: method for name, method in methods.items() if name != REFERENCE}
    scored = [score(case, REFERENCE, linear, linear.dense)]
    return scored + [score(case, name, fill(case, name, method), linear.dense) for name, method in others.items()]


def _draw(scored: Sequence[ScoredHeart], methods: Mapping[str, Method], real: Sequence[Path], folder: Path) -> None:
    from calid.evaluation.dense.figures import draw_figures, draw_real  # matplotlib is optional and slow to import

    folder.mkdir(exist_ok=True)
    draw_figures(scored, folder)
    for path in real:
        draw_real(read_stack(path), methods, folder / f"real_{path.name.partition('.')[0]}.png")
