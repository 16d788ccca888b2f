"""When memory runs out: fewer samples, then the CPU, each said; and only then a failure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from calid.errors import OutOfResources, WeightsError
from calid.options import Options
from calid.protocol import INPUT_FILE, RECONSTRUCT, Event, Job, Started, Warned
from calid.stacks.stack import SliceStack
from calid.worker import run as worker
from calid.worker.fallback import reconstruct_with_fallback

NO_MEMORY = OutOfResources("not enough memory on cuda:0 for 73 slices of 256 x 256 pixels", "use --device cpu")


class Machine:
    """Reconstructs if the device and the number of samples fit; ``auto`` is its graphics processor."""

    def __init__(self, fits: Callable[[str, int | None], bool], auto: str = "cuda:0", error: Exception = NO_MEMORY):
        self.fits, self.auto, self.error = fits, auto, error
        self.tried: list[tuple[str, int | None]] = []
        self.events: list[Event] = []

    def __call__(self, stack: str, *, options: Options, progress: Callable) -> str:
        device, samples = options.device, options.samples
        self.tried.append((device, samples))
        progress(Started("m", self.auto if device == "auto" else device, 1, 2, 3))
        if not self.fits(device, samples):
            raise self.error
        return f"{stack} {options.seed}"

    def run(self, device: str = "auto", samples: int | None = None) -> Any:
        options = Options(device=device, samples=samples, seed=7)
        return reconstruct_with_fallback(self, "dense", options, self.events.append)

    @property
    def warnings(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Warned)]


def test_nothing_happens_while_memory_suffices() -> None:
    machine = Machine(lambda device, samples: True)
    assert machine.run("cuda:1", 4) == "dense 7"
    assert machine.tried == [("cuda:1", 4)]
    assert machine.warnings == []


def test_one_sample_is_tried_before_the_cpu() -> None:
    machine = Machine(lambda device, samples: device == "cpu")
    assert machine.run("auto", 4) == "dense 7"
    assert machine.tried == [("auto", 4), ("auto", 1), ("cpu", 1)]
    assert machine.warnings == [
        "memory ran out on cuda:0: starting again with 1 sample instead of 4",
        "memory ran out on cuda:0: starting again on the CPU, which takes longer",
    ]


@pytest.mark.parametrize("samples", [1, None])
@pytest.mark.parametrize("device", ["auto", "cuda", "cuda:0", "mps"])
def test_the_cpu_is_next_where_nothing_can_be_spared(device: str, samples: int | None) -> None:
    machine = Machine(lambda device, _samples: device == "cpu")
    machine.run(device, samples)
    assert machine.tried == [(device, samples), ("cpu", samples)]
    assert len(machine.warnings) == 1


@pytest.mark.parametrize(("device", "auto"), [("cpu", "cuda:0"), ("auto", "cpu")])
def test_on_the_cpu_the_error_is_the_last_word(device: str, auto: str) -> None:
    machine = Machine(lambda device, samples: False, auto)
    with pytest.raises(OutOfResources) as caught:
        machine.run(device)
    assert caught.value is NO_MEMORY
    assert len(machine.tried) == 1


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), NO_MEMORY]
)
def test_memory_that_runs_out_while_the_model_is_loaded(error: Exception) -> None:
    def reconstruct(stack: str, *, options: Options, progress: object) -> str:
        if options.device != "cpu":
            raise error
        return "dense"

    said: list[Event] = []
    assert reconstruct_with_fallback(reconstruct, "sparse", Options(), said.append) == "dense"
    assert "auto" in said[0].message


@pytest.mark.parametrize(
    "error",
    [
        WeightsError("vae.safetensors is missing"),
        OutOfResources("there is no device 'cuda:7' on this machine"),
        RuntimeError("a defect"),
    ],
)
def test_other_errors_are_not_hidden(error: Exception) -> None:
    machine = Machine(lambda device, samples: False, error=error)
    with pytest.raises(type(error)) as caught:
        machine.run("auto", 4)
    assert caught.value is error
    assert len(machine.tried) == 1


def test_the_memory_of_the_failed_try_is_free_before_the_next() -> None:
    class Features:
        living = 0

        def __init__(self) -> None:
            Features.living += 1

        def __del__(self) -> None:
            Features.living -= 1

    def reconstruct(stack: str, *, options: Options, progress: object) -> int:
        if options.device == "cpu":
            return Features.living
        features = Features()
        raise MemoryError(type(features))

    assert reconstruct_with_fallback(reconstruct, "sparse", Options(device="cuda"), lambda event: None) == 0


def test_the_worker_goes_on_with_less_and_says_so(stack: SliceStack, tmp_path: Path) -> None:
    """With a graphics processor that is always full."""

    def reconstruct(
        given: SliceStack, *, options: Options, progress: Callable, on_phase: Callable, **_others: object
    ) -> SimpleNamespace:
        progress(Started("fake", "cpu" if options.device == "cpu" else "cuda:0", 1, 4, 4))
        on_phase(0, given.voxels[0], None)
        if options.device != "cpu":
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        synthesised = np.zeros(len(given.positions), bool)
        return SimpleNamespace(stack=given, synthesised=synthesised, provenance={"samples": options.samples})

    np.save(tmp_path / INPUT_FILE, stack.voxels)
    Job(stack.frame.tolist(), stack.positions.tolist(), Options(spacing=4.0, samples=2)).write(tmp_path)
    events: list[Event] = []
    done = worker._run(tmp_path, events.append, {RECONSTRUCT: reconstruct})
    assert [event.message for event in events if isinstance(event, Warned)] == [
        "memory ran out on cuda:0: starting again with 1 sample instead of 2",
        "memory ran out on cuda:0: starting again on the CPU, which takes longer",
    ]
    assert done.provenance["samples"] == 1
    assert (tmp_path / "dense_000.npy").is_file()
