"""The options: said once, checked once, the same through a job folder and on the command line."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calid.commands.common import add_options, chosen_options
from calid.errors import OutOfResources, UnusableInput
from calid.options import LARGEST_SEED, Options
from calid.protocol import Job

options = st.builds(
    Options,
    spacing=st.floats(0.25, 20),
    samples=st.none() | st.integers(1, 64),
    steps=st.none() | st.integers(1, 1000),
    seed=st.integers(0, LARGEST_SEED),
    detail=st.none() | st.floats(0, 1),
    consistent=st.booleans(),
    uncertainty=st.booleans(),
    thickness=st.none() | st.floats(1, 20),
    acquired=st.sampled_from(["keep", "thin"]),
    align=st.sampled_from(["auto", "straight", "off"]),
    in_place=st.lists(st.integers(1, 20)),
    device=st.sampled_from(["auto", "cpu", "cuda:1"]),
    models=st.none() | st.just("some folder"),
)


@given(options)
def test_a_job_folder_gives_them_back(tmp_path_factory, chosen: Options) -> None:
    folder = tmp_path_factory.mktemp("job")
    Job([[1.0]], [0.0, 8.0], chosen).write(folder)
    assert Job.read(folder).options == chosen


def test_the_command_line_has_their_defaults_and_help() -> None:
    parser = argparse.ArgumentParser()
    parser.set_defaults(input=Path("sparse.nrrd"))  # what a refusal names
    named = [each.name for each in fields(Options) if each.metadata["kind"] is not bool]
    add_options(parser, *named)
    assert chosen_options(parser.parse_args([])) == Options()
    assert all(f"--{name.replace('_', '-')}" in parser.format_help() for name in named)
    assert chosen_options(parser.parse_args(["--spacing", "1.5", "--seed", "7"])) == Options(spacing=1.5, seed=7)
    assert chosen_options(parser.parse_args(["--in-place", "5,3"])).in_place == (3, 5)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"spacing": "2"}, "spacing is '2', not a number"),
        ({"samples": 1.5}, "samples is 1.5, not a whole number"),
        ({"samples": True}, "samples is True"),
        ({"samples": 1001}, "samples is 1001"),
        ({"steps": 10**9}, "steps is 1000000000"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**31}, "seed is 2147483648"),
        ({"seed": None}, "seed is None"),
        ({"steps": 0}, "steps is 0"),
        ({"detail": float("nan")}, "detail is nan"),
        ({"in_place": 3}, "in_place is 3, not several numbers"),
        ({"in_place": "3"}, "in_place is '3', not several numbers"),
        ({"in_place": [3, 0]}, "in_place is 0"),
        ({"in_place": [1.5]}, "in_place is 1.5, not a whole number"),
    ],
)
def test_a_value_that_is_none_is_refused_by_name(chosen: dict, said: str) -> None:
    with pytest.raises(UnusableInput, match=said) as caught:
        Options(**chosen)
    assert next(iter(chosen)) in caught.value.remedy


def test_numbers_of_numpy_and_paths_become_pythons_own() -> None:
    chosen = Options(spacing=np.float32(2), seed=np.int64(3), models=Path("folder"), in_place=np.array([4, 2, 4]))
    assert chosen.in_place == (2, 4)
    assert all(type(number) is int for number in chosen.in_place)
    assert [type(value) for value in (chosen.spacing, chosen.seed, chosen.models)] == [float, int, str]


@pytest.mark.parametrize("name", ["tpu", "gpu", "cuda:-1", "cuda:a", "CPU", "", "cpu:"])
def test_a_device_that_no_machine_has_is_refused_without_pytorch(name: str) -> None:
    with pytest.raises(OutOfResources, match=f"no device '{name}'") as caught:
        Options(device=name)
    assert "cuda:N" in caught.value.remedy
