"""What is measured: the standard stack, how it is varied, and the sizes of the methods it is compared with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

from calid.baselines.pixel_models import PixelModelConfig
from calid.phantom.beating_heart import Phantom
from calid.stacks.plan import DensePlan, plan_slices
from calid.stacks.stack import SliceStack


@dataclass(frozen=True)
class Job:
    """A phantom stack with slices 10 mm apart and square pixels of 1.4 mm, to be made dense.

    :param matrix: rows and columns.
    :param spacing: largest distance between slices of the result, mm.
    """

    matrix: int = 256
    slices: int = 10
    phases: int = 1
    spacing: float = 1.25

    @cached_property
    def stack(self) -> SliceStack:
        """What is given."""
        return Phantom(
            phases=self.phases, slices=self.slices, gap=10.0, pixel=1.4, matrix=(self.matrix, self.matrix)
        ).sparse

    @cached_property
    def plan(self) -> DensePlan:
        """What is asked for."""
        return plan_slices(self.stack.positions, self.spacing)

    @property
    def missing(self) -> int:
        """Slices to be synthesised, over all phases."""
        return self.phases * int(self.plan.synthesised.sum())


@dataclass(frozen=True)
class DiffusionAutoencoder:
    """Size of the diffusion autoencoder that a slice is decoded with (DiffAE, Preechakul et al., CVPR 2022).

    :param pixels: side of its square image.
    :param channels: per level, finest first; each level but the last halves the size.
    :param attention: sizes in pixels of the levels with self-attention.
    :param steps: sampling steps of one slice.
    """

    pixels: int = 256
    channels: Sequence[int] = (128, 128, 256, 256, 512, 512)
    blocks: int = 2
    attention: Sequence[int] = (16,)
    steps: int = 100


@dataclass(frozen=True)
class StudySize:
    """A study of a scanner: a short-axis cine among other pictures, ``files`` in all."""

    slices: int = 12
    phases: int = 30
    matrix: int = 256
    files: int = 5000


@dataclass(frozen=True)
class HeartSize:
    """A dense cine to be measured: slices ``gap`` mm apart, of which every so-manieth was acquired.

    :param drawn: how many of its phases differ.
    """

    slices: int = 46
    gap: float = 2.0
    every: int = 5
    phases: int = 30
    drawn: int = 3
    matrix: int = 256


@dataclass(frozen=True)
class Settings:
    """One benchmark.

    :param standard: the volume that the goals are about.
    :param growth: for each quantity that varies, the jobs from small to large.
    :param repeats: of every measurement in the same process; the fastest counts.
    :param pixel_model: architecture of the pixel-space diffusion model.
    :param pixel_steps: sampling steps of one slice of it.
    """

    standard: Job
    growth: Mapping[str, Sequence[Job]]
    repeats: int
    pixel_model: PixelModelConfig
    pixel_steps: int
    autoencoder: DiffusionAutoencoder
    study: StudySize = StudySize()
    heart: HeartSize = HeartSize()


def full() -> Settings:
    """What ``docs/BENCHMARK.md`` reports. Growth is measured at one missing slice in 2.5 mm, for time's sake."""
    configured = files("calid.training").joinpath("configs/pixel_diffusion.json").read_text(encoding="utf-8")
    return Settings(
        standard=Job(),
        growth={
            "matrix": [Job(matrix=n, spacing=2.5) for n in (128, 192, 256, 384)],
            "slices": [Job(slices=n, spacing=2.5) for n in (6, 10, 14)],
            "phases": [Job(phases=n, spacing=2.5) for n in (1, 2, 4)],
        },
        repeats=2,
        pixel_model=PixelModelConfig(**json.loads(configured)["architecture"]),
        pixel_steps=20,
        autoencoder=DiffusionAutoencoder(),
    )


def quick() -> Settings:
    """The same structure in seconds, to see that it works; its times mean nothing."""
    small = Job(matrix=48, slices=3, spacing=5.0)
    return Settings(
        standard=small,
        growth={"slices": [small, Job(matrix=48, slices=4, spacing=5.0)]},
        repeats=1,
        pixel_model=PixelModelConfig(pixel=1.5, factor=1, channels=(4, 8), blocks=1, embedding=8),
        pixel_steps=2,
        autoencoder=DiffusionAutoencoder(pixels=32, channels=(32, 32), blocks=1, attention=(16,), steps=10),
        study=StudySize(slices=4, phases=3, matrix=32, files=20),
        heart=HeartSize(slices=16, gap=4.0, every=3, phases=3, drawn=2, matrix=96),
    )
