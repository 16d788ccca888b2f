"""The benchmark runs, and its report holds together; never how long something takes."""

import json

import pytest
import torch

from calid import cli
from calid.benchmarking import settings
from calid.benchmarking.volume import time_command
from calid.errors import CalidError, ExitCode


@pytest.fixture(scope="module")
def run(tmp_path_factory, module_capture):
    """What ``calid benchmark --quick`` writes and prints."""
    out = tmp_path_factory.mktemp("benchmark") / "report.json"
    assert cli.main(["benchmark", "--quick", "--device", "cpu", "--out", str(out)]) == ExitCode.DONE
    return json.loads(out.read_text(encoding="utf-8")), module_capture()


@pytest.fixture(scope="module")
def module_capture(request):
    """Captures what is printed, for a fixture that outlives a test."""
    manager = request.config.pluginmanager.getplugin("capturemanager")
    return lambda: manager.read_global_capture().out


def test_the_command_is_split_into_start_up_and_the_rest(run):
    command = run[0]["command"]
    assert 0 < command["start_up_s"] < command["total_s"]
    assert command["start_up_s"] + command["compute_s"] == pytest.approx(command["total_s"])
    assert command["peak_memory_bytes"] > 50e6


def test_growth_counts_the_synthesised_slices(run):
    assert [r["missing"] for r in run[0]["growth"]["slices"]] == [2, 3]
    for result in run[0]["growth"]["slices"]:
        assert result["per_slice_s"] * result["missing"] == pytest.approx(result["compute_s"])


def test_references_are_whole_volumes_that_say_how_they_were_measured(run):
    standard, references = run[0]["standard"], run[0]["references"]
    assert references.keys() == {"pixel_diffusion", "wide_pixel_diffusion", "diffusion_autoencoder"}
    for reference in references.values():
        assert reference["compute_s"] == pytest.approx(reference["per_slice_s"] * standard["missing"])
        assert reference["ratio"] == pytest.approx(reference["compute_s"] / standard["compute_s"])
        assert "times" in reference["measured"]
    assert "decoding only" in references["diffusion_autoencoder"]["measured"]


def test_the_parts_of_detail_add_up(run):
    parts = run[0]["parts"]
    whole = parts["encode"] + parts["steps"] * parts["denoise"] + 2 * parts["decode"]
    assert parts["detail"] == pytest.approx(whole)
    assert all(parts[name] > 0 for name in ("gap", "encode", "denoise", "decode"))


def test_a_study_is_listed_and_assembled(run):
    study = run[0]["study"]
    assert (study["files"], study["slices"], study["phases"]) == (20, 4, 3)
    assert study["list_s"] > 0
    assert study["assemble_s"] > 0


def test_the_machine_and_the_versions_are_named(run):
    machine = run[0]["machine"]
    assert machine["processor"]
    assert machine["threads"] == torch.get_num_threads()
    assert machine["versions"]["torch"] == torch.__version__


def test_the_printed_report_is_markdown(run):
    tables = [block.splitlines() for block in run[1].split("\n\n") if block.startswith("|")]
    assert len(tables) == 6
    for head, rule, *rows in tables:
        assert set(rule) <= set("|- ")
        assert rows
        assert {line.count("|") for line in rows} == {head.count("|")}


def test_the_reference_is_the_autoencoder_of_the_comparison():
    size = settings.full().autoencoder
    assert (size.pixels, size.channels, size.steps) == (256, (128, 128, 256, 256, 512, 512), 100)


def test_the_standard_volume_is_the_one_of_the_goals():
    job = settings.full().standard
    assert job.stack.voxels.shape == (1, 10, 256, 256)
    assert job.stack.pixel_spacing == (1.4, 1.4)
    assert job.missing == 63


def test_a_command_that_fails_is_told():
    nothing_to_do = settings.Job(matrix=32, slices=2, spacing=10.0)
    with pytest.raises(CalidError, match="exit code 2"):
        time_command(nothing_to_do, "cpu")


def test_a_report_that_cannot_be_written_is_refused_before_the_work(tmp_path, capsys):
    assert cli.main(["benchmark", "--out", str(tmp_path / "no" / "report.json")]) == ExitCode.UNUSABLE_INPUT
    assert "report.json cannot be written" in capsys.readouterr().err


def test_a_heart_is_measured(run):
    heart = run[0]["heart"]
    assert (heart["slices"], heart["phases"]) == (16, 3)
    assert heart["measure_s"] > 0
    assert heart["processor_s"] > 0
