"""The estimate before a long run: against the measured tables, and as properties; and what follows from it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calid.model.manifest import find_models, read_manifest
from calid.options import Options
from calid.reconstruction.estimate import BASE_BYTES
from CaLIDSlicerLib.Setup import Preflight as module
from CaLIDSlicerLib.Setup.DeviceProbe import DeviceReport
from CaLIDSlicerLib.Setup.FreeSpace import freeDisk, freeMemory, parseMeminfo, parseVmStat
from CaLIDSlicerLib.Setup.Preflight import duration, preflight

BENCHMARK = Path(__file__).parents[3] / "docs" / "BENCHMARK.md"
CPU = DeviceReport("cpu", "CPU with 2 cores", None, None, "2.12.1", halfPrecision=True, cores=2)
SLOWER = replace(CPU, halfPrecision=False)
GB = 2**30


def card(free: float, half: bool = True) -> DeviceReport:
    return DeviceReport("cuda:0", "RTX A2000", int(free * GB), 6 * GB, "2.12.1+cu130", half, cores=8)


def estimate(
    shape=(1, 10, 256, 256), slicesOut=73, report=CPU, samples=None, steps=None, detail=None, uncertainty=False, **free
):
    free = {"freeMemory": 16 * GB, "freeDisk": 100 * GB} | free
    options = Options(samples=samples, steps=steps, detail=detail, uncertainty=uncertainty)
    return preflight(shape, slicesOut, (1.4, 1.4), options, report, **free)


def measured() -> list[tuple[tuple[int, ...], int, float]]:
    """Rows of the table of growth: shape, slices of the result (to 2.5 mm from 10 mm), seconds."""
    growth = re.compile(r"^\| (matrix|slices|phases) \| (\d+) \| \d+ \| ([\d.]+) \|", re.MULTILINE)
    jobs = []
    for varied, value, seconds in growth.findall(BENCHMARK.read_text()):
        size = {"phases": 1, "slices": 10, "matrix": 256} | {varied: int(value)}
        shape = (size["phases"], size["slices"], size["matrix"], size["matrix"])
        jobs.append((shape, 4 * (size["slices"] - 1) + 1, float(seconds)))
    return jobs


def test_the_table_is_found():
    assert len(measured()) == 10


@pytest.mark.parametrize(("shape", "slicesOut", "seconds"), measured())
def test_the_estimate_agrees_with_what_was_measured(shape, slicesOut, seconds):
    computing = estimate(shape, slicesOut, report=SLOWER).seconds - module.START_SECONDS["cpu"]
    assert computing == pytest.approx(seconds, rel=0.25)


def test_half_precision_is_expected_to_be_faster_and_smaller():
    assert estimate(report=CPU).seconds < estimate(report=SLOWER).seconds
    assert estimate(report=CPU).memoryBytes < estimate(report=SLOWER).memoryBytes


def test_memory_agrees_with_what_was_measured():
    peak = float(re.search(r"peak memory, GB \| ([\d.]+)", BENCHMARK.read_text())[1])
    assert estimate(report=SLOWER).memoryBytes == pytest.approx(peak * 1e9, rel=0.25)


def test_memory_of_a_cine_agrees_with_what_was_measured():
    peak = float(re.search(r"peak memory \| ([\d.]+) GB", BENCHMARK.read_text())[1])
    assert estimate((30, 10, 256, 256), 46, report=SLOWER).memoryBytes == pytest.approx(peak * 1e9, rel=0.25)


def test_steps_cost_nothing_without_detail():
    assert estimate(steps=9).seconds == estimate(steps=1).seconds == estimate(steps=9, detail=0.0).seconds
    assert estimate(steps=9, detail=0.5).seconds > estimate(steps=1, detail=0.5).seconds > estimate().seconds


def test_the_constants_are_those_of_the_bundled_model():
    entry = read_manifest(find_models())
    assert entry["architecture"]["pixel"] == module.MODEL_PIXEL
    assert entry["defaults"]["samples"] == module.DEFAULT_SAMPLES
    assert entry["defaults"]["steps"] == module.DEFAULT_STEPS
    assert entry["defaults"]["detail"] == module.DEFAULT_DETAIL


jobs = st.fixed_dictionaries(
    {
        "shape": st.tuples(st.integers(1, 40), st.integers(2, 20), st.integers(32, 1024), st.integers(32, 1024)),
        "slicesOut": st.integers(21, 200),
        "samples": st.none() | st.integers(1, 16),
        "steps": st.none() | st.integers(1, 50),
        "detail": st.none() | st.floats(0, 1),
        "uncertainty": st.booleans(),
        "report": st.sampled_from([CPU, replace(CPU, cores=8, halfPrecision=False), card(1), card(2), card(6, False)]),
    }
)


@given(jobs)
def test_an_estimate_is_always_positive_and_said(job):
    result = estimate(**job)
    assert result.seconds > 0
    assert result.diskBytes > 0
    assert result.memoryBytes > BASE_BYTES
    assert duration(result.seconds) in " ".join(result.lines)
    assert result.changes["device"] == result.device
    assert job["samples"] is None or 1 <= result.changes.get("samples", job["samples"]) <= job["samples"]


@given(jobs, st.sampled_from(["phases", "slices", "rows", "samples", "steps", "detail"]))
def test_more_of_anything_never_takes_less(job, varied):
    job = job | {"samples": job["samples"] or 1, "steps": job["steps"] or 3, "report": CPU}
    job["detail"] = 0.0 if varied == "detail" else 0.5
    phases, slices, rows, columns = job["shape"]
    larger = {
        "phases": {"shape": (phases + 1, slices, rows, columns)},
        "slices": {"slicesOut": job["slicesOut"] + 1},
        "rows": {"shape": (phases, slices, 2 * rows, columns)},
        "samples": {"samples": job["samples"] + 1},
        "steps": {"steps": job["steps"] + 1},
        "detail": {"detail": 0.1},
    }[varied]
    less, more = estimate(**job), estimate(**job | larger)
    assert more.seconds > less.seconds
    assert more.memoryBytes >= less.memoryBytes
    assert more.diskBytes >= less.diskBytes


@given(jobs)
def test_more_cores_and_half_precision_are_never_slower(job):
    seconds = [
        estimate(**job | {"report": replace(CPU, cores=cores, halfPrecision=half)}).seconds
        for cores, half in ((1, False), (2, False), (2, True), (8, True), (64, True))
    ]
    assert seconds == sorted(seconds, reverse=True)


@given(jobs, st.floats(0.1, 8), st.floats(0.1, 8))
def test_more_memory_on_the_card_never_leads_to_the_cpu(job, one, other):
    less, more = sorted((one, other))
    if estimate(**job | {"report": card(less)}).device == "cuda:0":
        assert estimate(**job | {"report": card(more)}).device == "cuda:0"


def test_a_short_run_on_the_cpu_just_starts():
    result = estimate()
    assert result.question is None
    assert result.changes == {"device": "cpu"}
    assert len(result.lines) == 1


def test_a_long_run_on_the_cpu_is_asked_for_with_its_time():
    result = estimate((90, 10, 256, 256))
    assert result.question == "This takes about 2 minutes on the CPU of this computer. Start?"


def test_a_long_run_on_a_graphics_processor_is_not():
    result = estimate((900, 10, 256, 256), report=card(6), freeMemory=64 * GB)
    assert result.seconds > module.ASK_ABOVE_SECONDS
    assert result.question is None
    assert "RTX A2000" in result.lines[-1]


@pytest.mark.parametrize("short", ["freeMemory", "freeDisk"])
@pytest.mark.parametrize("report", [CPU, card(6)])
def test_what_is_short_is_asked_for(short, report):
    result = estimate(report=report, **{short: 2**24})
    assert "16 MB are free: it may fail. Start?" in result.question
    assert "may fail" in result.lines[-1]


def test_what_is_unknown_is_not_short():
    assert estimate(freeMemory=None, freeDisk=None).question is None


def test_the_chain_of_the_last_resorts_is_said():
    def lines(free, **options):
        result = estimate((1, 10, 512, 512), report=card(free), **options)
        return result.device, result.changes.get("samples"), " ".join(result.lines[:-1])

    assert lines(6)[0] == "cuda:0"
    assert "half precision" in lines(6)[2]
    device, samples, said = lines(0.6, samples=4)
    assert (device, samples) == ("cpu", 1)
    assert said.index("RTX A2000 has 0.6 GB free") < said.index("the CPU is used") < said.index("One sample")


def test_the_cpu_instead_of_a_full_card_is_asked_for_if_it_takes_long():
    result = estimate((400, 10, 256, 256), report=card(0.2))
    assert result.device == "cpu"
    assert "CPU of this computer. Start?" in result.question


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.1, "5 seconds"),
        (38, "40 seconds"),
        (56, "1 minute"),
        (240, "4 minutes"),
        (3290, "55 minutes"),
        (5400, "1.5 h"),
    ],
)
def test_durations(seconds, words):
    assert duration(seconds).startswith(words)


def test_readings_of_this_computer(tmp_path):
    memory = freeMemory()
    assert memory is None or 2**20 < memory < 2**50
    assert 0 <= freeDisk(tmp_path) < 2**60
    assert freeDisk() > 0


def test_readings_of_other_systems():
    assert parseMeminfo("MemTotal:  9 kB\nMemAvailable:   2048 kB\n") == 2**21
    said = "Mach Statistics: (page size of 16384 bytes)\nPages free: 3.\nPages active: 9.\nPages inactive: 4.\n"
    assert parseVmStat(said) == 7 * 16384
    for parse in (parseMeminfo, parseVmStat):
        with pytest.raises(ValueError, match=r"\w"):
            parse("nothing of the kind")
