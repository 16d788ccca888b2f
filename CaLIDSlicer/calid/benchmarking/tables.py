"""The report as Markdown tables, ready for ``docs/BENCHMARK.md``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

TITLES = {
    "pixel_diffusion": "diffusion in pixel space, the baseline of the quality tables",
    "wide_pixel_diffusion": "diffusion in pixel space, networks as wide as CaLID's",
    "diffusion_autoencoder": "diffusion autoencoder",
}


def format_report(report: Mapping[str, Any]) -> str:
    """Machine, standard volume, ratios, growth and parts."""
    sections = [_machine, _standard, _ratios, _growth, _parts, _study, _heart]
    return "\n\n".join(section(report) for section in sections)


def _machine(report: Mapping[str, Any]) -> str:
    machine = report["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    half = "with" if machine["half_precision"] else "without"
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads, {machine['instructions']}, "
        f"{half} bfloat16; device: {machine['device']}; {machine['system']}; {versions}. Model `{report['model']}`."
    )


def _standard(report: Mapping[str, Any]) -> str:
    command, loaded = report["command"], report["standard"]
    rows = [
        ("start-up, s", f"{command['start_up_s']:.1f}"),
        ("compute and writing, s", f"{command['compute_s']:.1f}"),
        ("whole command, s", f"{command['total_s']:.1f}"),
        ("model loaded, s", f"{loaded['compute_s']:.2f}"),
        ("per synthesised slice, s", f"{loaded['per_slice_s']:.3f}"),
        ("peak memory, GB", _gigabytes(command["peak_memory_bytes"])),
        ("peak memory of the device, GB", _gigabytes(loaded["device_memory_bytes"])),
    ]
    return _table([f"{_describe(loaded)}", ""], rows)


def _ratios(report: Mapping[str, Any]) -> str:
    rows = [
        (
            TITLES[name],
            r["steps"],
            f"{r['per_slice_s']:.3g}",
            f"{r['compute_s']:.3g}",
            f"{r['ratio']:.1f}x",
            r["measured"],
        )
        for name, r in report["references"].items()
    ]
    return _table(["against", "steps", "s per slice", "s per volume", "CaLID is faster by", "measured"], rows)


def _growth(report: Mapping[str, Any]) -> str:
    rows = [
        (
            name,
            r[name],
            r["missing"],
            f"{r['compute_s']:.2f}",
            f"{r['per_slice_s']:.3f}",
            _gigabytes(r["device_memory_bytes"]),
        )
        for name, results in report["growth"].items()
        for r in results
    ]
    return _table(["varied", "value", "synthesised", "s", "s per slice", "device GB"], rows)


def _parts(report: Mapping[str, Any]) -> str:
    parts = report["parts"]
    rows = [
        ("a gap, all its slices", f"{1e3 * parts['gap']:.1f}"),
        *((f"detail: {name} a slice", f"{1e3 * parts[name]:.1f}") for name in ("encode", "denoise", "decode")),
        (f"detail of a slice, {parts['steps']} steps", f"{1e3 * parts['detail']:.1f}"),
    ]
    return _table(["part, one worker", "ms"], rows)


def _study(report: Mapping[str, Any]) -> str:
    study = report["study"]
    size = f"{study['slices']} x {study['phases']} x {study['matrix']} x {study['matrix']}"
    rows = [
        (f"listing {study['files']} files, s", f"{study['list_s']:.2f}"),
        (f"assembling {size}, s", f"{study['assemble_s']:.2f}"),
    ]
    return _table(["a DICOM study", ""], rows)


def _heart(report: Mapping[str, Any]) -> str:
    heart = report["heart"]
    size = f"{heart['slices']} x {heart['matrix']} x {heart['matrix']}, {heart['phases']} phases"
    rows = [
        (f"measuring {size}, s", f"{heart['measure_s']:.1f}"),
        ("of that, s of processor", f"{heart['processor_s']:.1f}"),
    ]
    return _table(["a dense heart", ""], rows)


def _describe(job: Mapping[str, Any]) -> str:
    return f"{job['slices']} x {job['matrix']} x {job['matrix']} to {job['spacing_mm']:g} mm, {job['missing']} slices"


def _gigabytes(count: int | None) -> str:
    return "" if count is None else f"{count / 1e9:.2f}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
