"""Train the part that makes it 2D+T, with everything else frozen.

``calid train temporal CONFIG --data DIR --vae FILE --motion FILE --interpolator FILE --out DIR``

Learns from whole cines how the mean of a missing slice at one phase is corrected by the other phases. Cycles are also
seen with some of their phases left out, as if they had been sampled more coarsely.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Generator, Tensor

from calid.model.denoiser import DenoiserConfig, LatentInterpolator
from calid.model.layers import channels_last
from calid.model.temporal import TemporalConfig, TemporalCorrection, phases_around
from calid.model.vae import SliceAutoencoder
from calid.model.weights import load_weights
from calid.reconstruction.device import CPU, autocast
from calid.training.augment import Augmentation
from calid.training.cines import Beat, Spatial, load_cines
from calid.training.loop import Run, export
from calid.training.losses import dissimilarity
from calid.training.materials import load_frozen, stage_parser


def as_acquired(how: Augmentation) -> Augmentation:
    """Crops of the same size, with nothing else changed."""
    return Augmentation(how.crop, jitter=0.0, rotation=0.0, scale=0.0, bend=0.0, gamma=0.0, gain=0.0, untouched=1.0)


def corrected_means(model: TemporalCorrection, beat: Beat, phases: Sequence[int]) -> Tensor:
    """(n, c, h, w) means of ``phases`` of a beat, corrected by all its phases."""
    count = len(beat.slices)
    compared = model.read(beat.context, beat.neighbours)
    around = torch.tensor([phases_around(phase, count) for phase in phases])
    return beat.context.mean[phases] + model(compared[phases], compared[around], count).float()


def temporal_loss(
    model: TemporalCorrection, vae: SliceAutoencoder, beat: Beat, phases: Sequence[int], about: dict[str, float]
) -> tuple[Tensor, dict[str, float]]:
    """Errors of the corrected means of successive ``phases``: of latents, of decoded slices, and of what changes."""
    means, truth = corrected_means(model, beat, phases), beat.slices[phases]
    decoded = vae.decode(means).float()
    numbers = {
        "latent": (means - beat.latents[phases]).square().mean(),
        "pixel": (decoded - truth).square().mean(),
        "dissimilar": dissimilarity(decoded, truth),
        "change": (decoded.diff(dim=0) - truth.diff(dim=0)).square().mean(),
    }
    loss = torch.stack([about[f"{part}_weight"] * value for part, value in numbers.items()]).sum()
    return loss, {name: float(value.detach()) for name, value in numbers.items()}


def main(argv: Sequence[str]) -> int:
    """Entry of ``calid train temporal``."""
    parser = stage_parser("temporal", __doc__)
    parser.add_argument("--interpolator", type=Path, required=True, help="of calid train deviation")
    args = parser.parse_args(argv)
    config, vae, motion = load_frozen(args)
    about = config["temporal_training"]
    interpolator = load_weights(LatentInterpolator(DenoiserConfig(**config["denoiser"])), args.interpolator)
    spatial = Spatial(vae, motion, interpolator)
    rng = Generator().manual_seed(config["seed"])
    how, pixel = Augmentation(**config["augmentation"]), config["pixel"]
    cines = load_cines(args.data, "train", pixel)
    views = [list(spatial.beats(cine, how, rng)) for _ in range(about["views"]) for cine in cines]
    validation = load_cines(args.data, "validation", pixel)
    fixed = [beat for cine in validation for beat in spatial.beats(cine, as_acquired(how), rng)]

    torch.manual_seed(config["seed"])
    model = channels_last(TemporalCorrection(TemporalConfig(**config["temporal"])))
    run = Run(args.out, model, about["steps"], about["rate"], about["average"])
    run.resume()

    def loss(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = Generator().manual_seed(config["seed"] * 1_000_003 + step)
        beats = [draw_beat(views, rng) for _ in range(about["batch"])]
        return mean_loss([(beat, some_phases(len(beat.slices), about["phases"], rng)) for beat in beats])

    def mean_loss(
        drawn: list[tuple[Beat, list[int]]], net: TemporalCorrection = model
    ) -> tuple[Tensor, dict[str, float]]:
        with autocast(CPU):
            parts = [temporal_loss(net, spatial.vae, beat, phases, about) for beat, phases in drawn]
        numbers = {name: sum(p[1][name] for p in parts) / len(parts) for name in parts[0][1]}
        return torch.stack([value for value, _ in parts]).mean(), numbers

    def validate() -> dict[str, float]:
        with torch.no_grad():
            whole = [beat.at(range(len(beat.slices))) for beat in fixed]
            numbers = mean_loss([(beat, list(range(min(8, len(beat.slices))))) for beat in whole], run.averaged)[1]
        export(run.averaged, args.out / "temporal.safetensors")
        return {f"val_{name}": round(value, 5) for name, value in numbers.items()}

    run.train(loss, validate, every=about["every"])
    return 0


def draw_beat(views: Sequence[Sequence[Beat]], rng: Generator) -> Beat:
    """A slice of a random view of a cine, now and then with only every second or third phase."""
    view = views[int(torch.randint(len(views), (), generator=rng))]
    beat = view[int(torch.randint(len(view), (), generator=rng))]
    stride = 1 + int(torch.multinomial(torch.tensor([0.6, 0.2, 0.2]), 1, generator=rng))
    stride = min(stride, len(beat.slices) // 2)  # two phases at least: without a change there is nothing to learn
    first = int(torch.randint(stride, (), generator=rng))
    return beat.at(range(first, len(beat.slices), stride))


def some_phases(phases: int, count: int, rng: Generator) -> list[int]:
    """``count`` successive phases, at most all, on the circle of all phases."""
    first = int(torch.randint(phases, (), generator=rng))
    return [(first + i) % phases for i in range(min(count, phases))]
