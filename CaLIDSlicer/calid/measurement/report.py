"""The report of a measured heart: one page of HTML in one file, which opens offline and prints on one sheet."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape
from typing import Any

from calid.measurement.charts import COLOURS, THICKENING_PERCENT, THICKNESS_MM, Line, bullseye, volume_curve
from calid.measurement.pictures import pictures_of
from calid.measurement.result import Measurement
from calid.measurement.table import VENTRICLES, WORDS

_STYLE = """
@page { size: A4; margin: 12mm }
body { font: 12px/1.35 sans-serif; max-width: 186mm; margin: 6mm auto; color: #222 }
h1 { font-size: 18px; margin: 0 } h2 { font-size: 13px; margin: 10px 0 3px }
p { margin: 2px 0 } .row { display: flex; gap: 8px } figure { margin: 0; flex: 1; min-width: 0 }
figure img, figure svg { width: 100%; height: auto } figcaption { font-size: 10px; color: #555; text-align: center }
table { border-collapse: collapse } td, th { padding: 1px 10px 1px 0; text-align: left } td.n { text-align: right }
ul { margin: 2px 0; padding-left: 16px } small { color: #555 } .use { border: 1px solid #999; padding: 3px 6px }
"""


def to_html(found: Measurement, title: str, verdict: str = "") -> str:
    """The page: pictures, curves, numbers with intervals, bullseyes, what is uncertain, and how it was made.

    :param title: what the heart is called; nothing of the patient is added to it.
    :param verdict: of a self-check of the same stack, if there was one.
    """
    told = found.to_dict()
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="use">{escape(_use(found))}</p>',
        _row(_picture(png, caption) for caption, png in pictures_of(found).items()),
        _row([_figure(_curve(found), _legend(found)), f"<div>{_table(told)}</div>"]),
        _row(_bullseyes(found)),
        "<h2>What is uncertain</h2>",
        _list([*found.notes, *([verdict] if verdict else []), _about_intervals(told)]),
        "<h2>How it was measured</h2>",
        f"<p><small>{escape(_made_by(told))}</small></p>",
    ]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!DOCTYPE html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _use(found: Measurement) -> str:
    made = " Slices between the acquired ones are a model's estimate." if found.simpson_ml is not None else ""
    return f"Research use only, not for diagnosis.{made}"


def _row(parts: Iterable[str]) -> str:
    return f'<div class="row">{"".join(parts)}</div>'


def _figure(content: str, caption: str) -> str:
    return f"<figure>{content}<figcaption>{escape(caption)}</figcaption></figure>"


def _picture(png: bytes, caption: str) -> str:
    return _figure(
        f'<img alt="{escape(caption)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">', caption
    )


def _curve(found: Measurement) -> str:
    if len(found.ml["lv"]) == 1:
        return ""
    lines = [Line(found.ml[name].tolist(), COLOURS[name]) for name in ("lv", "rv", "wall")]
    if found.simpson_ml is not None:
        lines += [Line(found.simpson_ml[name].tolist(), COLOURS[name], dashed=True) for name in ("lv", "rv")]
    return volume_curve(lines, found.times_ms, {"ED": found.ed, "ES": found.es})


def _legend(found: Measurement) -> str:
    if len(found.ml["lv"]) == 1:
        return ""
    dashed = "; dashed: Simpson's rule on the acquired slices" if found.simpson_ml is not None else ""
    return f"Red: left cavity, blue: right cavity, yellow: left wall{dashed}"


def _table(told: dict[str, Any]) -> str:
    head = "".join(f"<th>{text}</th>" for text in ("", *VENTRICLES.values()))
    rows = [
        f"<tr><td>{words}, {unit}</td>{''.join(_cell(told, side, key) for side in VENTRICLES)}</tr>"
        for key, (words, unit) in WORDS.items()
        if any(told[side].get(key) is not None for side in VENTRICLES)
    ]
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>{_body(told)}"


def _cell(told: dict[str, Any], side: str, key: str) -> str:
    value, interval = told[side].get(key), told["intervals"][side].get(key)
    if value is None:
        return "<td></td>"
    between = f" <small>({interval[0]:.1f} to {interval[1]:.1f})</small>" if interval else ""
    indexed = (told["indexed"] or {}).get(side, {}).get(f"{key}_m2")
    per_surface = f" <small>{indexed:.1f}/m²</small>" if indexed is not None else ""
    return f"<td>{value:.1f}{between}{per_surface}</td>"


def _body(told: dict[str, Any]) -> str:
    body = told["body"]
    known = {"height": ("height_cm", "cm"), "weight": ("weight_kg", "kg"), "R-R interval": ("rr_ms", "ms")}
    words = [f"{name} {body[key]:g} {unit}" for name, (key, unit) in known.items() if body[key] is not None]
    return f"<p><small>{escape(', '.join(words))}</small></p>" if words else ""


def _bullseyes(found: Measurement) -> list[str]:
    ed, more = found.thickness[found.ed], found.thickening()
    if not ed:
        return []
    eyes = [_figure(bullseye(ed, *THICKNESS_MM), "Thickness of the wall at end-diastole, mm")]
    if more:
        eyes.append(_figure(bullseye(more, *THICKENING_PERCENT), "Thickening towards end-systole, %"))
    return [*eyes, "<figure></figure>"]


def _list(sentences: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(each)}</li>' for each in sentences)}</ul>"


def _about_intervals(told: dict[str, Any]) -> str:
    varies = told["wall_volume_range_percent"]
    wall = (
        "" if varies is None else f" Muscle keeps its volume; that of the wall varies by {varies:.0f} % over the beat."
    )
    return f"In nine of ten hearts an expert's value lies within the brackets.{wall}"


def _made_by(told: dict[str, Any]) -> str:
    conventions, made = told["conventions"], told["provenance"]
    model = made.get("reconstruction", {}).get("model")
    dense = f" Slices were synthesised by {model}." if model else ""
    return (
        f"{conventions['papillary'].capitalize()}; {conventions['volumes']}; base: {conventions['base']}; muscle "
        f"{conventions['muscle_g_per_ml']} g/ml; thickness: {conventions['thickness']}. Labels by {made['labels']}, "
        f"{made['software']}.{dense}"
    )
