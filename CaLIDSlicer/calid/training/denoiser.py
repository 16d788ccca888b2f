"""Train stage 2, both conditioning parts and the U-Net jointly.

``calid train denoiser CONFIG --data DIR --vae FILE --out DIR``
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Generator, Tensor

from calid.conditioning import Neighbours
from calid.denoiser import DenoiserConfig, LatentInterpolator
from calid.layers import channels_last
from calid.sampler import NoiseSchedule
from calid.training.augment import Augmentation, change_contrast, crop_stack
from calid.training.data import TrainingStack, load_stacks
from calid.training.loop import Run
from calid.vae import SliceAutoencoder, VaeConfig
from calid.weights import load_weights


@dataclass(frozen=True)
class EncodedStack:
    """Latents (k, c, h, w) of one augmented view of a stack. Zooming the anatomy zooms ``gap`` (mm) with it."""

    latents: Tensor
    gap: float


class LatentPool:
    """Augmented, encoded stacks, renewed a few per step: encoding costs little, views hardly repeat."""

    def __init__(self, stacks: Sequence[TrainingStack], vae: SliceAutoencoder, how: Augmentation, size: int) -> None:
        self.stacks, self.vae, self.how, self.size = stacks, vae, how, size
        self.weights = torch.tensor([_stack_weight(s) for s in stacks])
        self.entries: list[EncodedStack] = []

    def renew(self, count: int, rng: Generator) -> None:
        """Replace ``count`` entries; fills the pool on the first call."""
        for _ in range(max(count, self.size - len(self.entries))):
            entry = self._encode(self.stacks[int(torch.multinomial(self.weights, 1, generator=rng))], rng)
            if len(self.entries) < self.size:
                self.entries.append(entry)
            else:
                self.entries[int(torch.randint(self.size, (), generator=rng))] = entry

    def _encode(self, stack: TrainingStack, rng: Generator) -> EncodedStack:
        view, zoom = crop_stack(torch.from_numpy(stack.slices), stack.centre, self.how, rng)
        view = change_contrast(view, self.how, rng)[:, None].contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            return EncodedStack(self.vae.encode(view).half(), stack.gap / zoom)

    def draw(self, batch: int, rng: Generator) -> tuple[Neighbours, Tensor]:
        """``batch`` random (neighbours, true latents) from random stacks of the pool."""
        parts: list[tuple[Neighbours, Tensor]] = []
        while len(parts) < batch:
            entry = self.entries[int(torch.randint(len(self.entries), (), generator=rng))]
            if (example := draw_example(entry, rng)) is not None:
                parts.append(example)
        neighbours, targets = zip(*parts, strict=True)
        return stack_neighbours(neighbours), torch.stack(targets).float()


def _stack_weight(stack: TrainingStack) -> float:
    """Thin-gap stacks are few and teach the most; cine phases of one patient resemble each other."""
    return (3.0 if stack.gap < 8 else 1.0) * (0.12 if stack.is_crop else 1.0)


def draw_example(entry: EncodedStack, rng: Generator) -> tuple[Neighbours, Tensor] | None:
    """A slice to predict from slices ``step`` apart around it; ``None`` if the stack is too short for the draw."""
    count = len(entry.latents)
    step = 2 + int(torch.multinomial(torch.tensor([0.7, 0.2, 0.1]), 1, generator=rng))
    if count <= step:
        return None
    below = int(torch.randint(count - step, (), generator=rng))
    # Now and then the answer is a neighbour itself: pins the ends of the gap, where no held-out slice exists.
    pinned = bool(torch.rand((), generator=rng) < 0.06)
    inside = step * int(torch.randint(2, (), generator=rng)) if pinned else 0
    inside = inside if pinned else 1 + int(torch.randint(step - 1, (), generator=rng))
    indices = [below - step, below, below + step, below + 2 * step]
    dropped = torch.rand(2, generator=rng) < 0.15
    present = [indices[0] >= 0 and not dropped[0], True, True, indices[3] < count and not dropped[1]]
    here = below + inside
    distance = [abs(i - here) * entry.gap if p else 0.0 for i, p in zip(indices, present, strict=True)]
    latents = torch.stack([entry.latents[i if p else below] for i, p in zip(indices, present, strict=True)])
    mask = torch.tensor(present, dtype=torch.float32)
    one = Neighbours((latents.float() * mask[:, None, None, None])[None], mask[None], torch.tensor([distance]))
    return one, entry.latents[here]


def stack_neighbours(parts: Sequence[Neighbours]) -> Neighbours:
    """Concatenate along the batch."""
    return Neighbours(*(torch.cat([getattr(p, f) for p in parts]) for f in ("latents", "present", "distance")))


def channel_weight(vae: SliceAutoencoder, latents: Tensor, size: float = 0.3) -> Tensor:
    """(1, c, 1, 1) how much an error in each latent channel shows in the decoded slice, mean 1."""
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        decoded, effect = vae.decode(latents).float(), []
        for channel in range(latents.shape[1]):
            moved = latents.clone()
            moved[:, channel] += size * torch.randn(moved[:, channel].shape, generator=Generator().manual_seed(channel))
            effect.append((vae.decode(moved).float() - decoded).square().mean())
    weight = torch.stack(effect)
    return (weight / weight.mean())[None, :, None, None]


def training_loss(
    model: LatentInterpolator,
    schedule: NoiseSchedule,
    neighbours: Neighbours,
    target: Tensor,
    weight: Tensor,
    rng: Generator,
    symmetric: bool = True,
) -> tuple[Tensor, Tensor, dict[str, float]]:
    """Mean loss of tau_theta1 plus epsilon loss of the U-Net, the mean itself, and numbers to log.

    Also moves ``residual_std`` along.
    """
    context = model.context(neighbours, symmetric)
    error = target - context.mean
    mean_loss = (weight * error.square()).mean()
    if model.training:
        with torch.no_grad():
            spread = error.square().mean(dim=(0, 2, 3), keepdim=True).sqrt().float()
            model.residual_std.lerp_(spread, 0.01)
    residual = error.detach().float() / model.residual_std
    noise = torch.randn(residual.shape, generator=rng)
    when = torch.randint(schedule.timesteps, (len(residual),), generator=rng)
    noisy = schedule.scheduler().add_noise(residual, noise, when)
    predicted = model.predict_noise(noisy, when, context.mean.detach(), model.inject(context))
    noise_loss = (predicted.float() - noise).square().mean()
    baseline = (weight * (target - neighbours.linear).square()).mean()
    numbers = {"mean": mean_loss, "noise": noise_loss, "latent_linear": baseline}
    return mean_loss + noise_loss, context.mean, {k: float(v.detach()) for k, v in numbers.items()}


def pixel_loss(vae: SliceAutoencoder, mean: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of the decoded mean (n, c, h, w): what is best in latents is not quite best in pixels."""
    with torch.no_grad():
        wanted = vae.decode(target).float()
    return (vae.decode(mean).float() - wanted).square().mean()


def main(argv: Sequence[str]) -> int:
    """Entry of ``calid train denoiser``."""
    parser = argparse.ArgumentParser(prog="calid train denoiser", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--vae", type=Path, required=True, help="vae.safetensors of stage 1")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    config = json.loads(args.config.read_text(encoding="utf-8"))
    how, schedule = Augmentation(**config["augmentation"]), NoiseSchedule(**config["schedule"])
    vae = load_weights(SliceAutoencoder(VaeConfig(**config["vae"])), args.vae)
    pool = LatentPool(load_stacks(args.data, "train", config["pixel"]), vae, how, config["pool"])
    validation = LatentPool(load_stacks(args.data, "validation", config["pixel"], cine=False), vae, how, 48)
    validation.renew(0, Generator().manual_seed(0))

    torch.manual_seed(config["seed"])
    model = channels_last(LatentInterpolator(DenoiserConfig(**config["denoiser"])))
    run = Run(args.out, model, config["steps"], config["rate"], config["average"])
    run.resume()
    pool.renew(0, Generator().manual_seed(config["seed"] + run.step))
    weight = channel_weight(vae, pool.draw(16, Generator().manual_seed(0))[1])

    def loss(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = Generator().manual_seed(config["seed"] * 1_000_003 + step)
        pool.renew(config["renew"], rng)
        neighbours, target = pool.draw(config["batch"], rng)
        if torch.rand((), generator=rng) < 0.5:
            neighbours = neighbours.reversed()
        with torch.autocast("cpu", torch.bfloat16):
            symmetric = step >= config["symmetric_from"]
            value, mean, numbers = training_loss(model, schedule, neighbours, target, weight, rng, symmetric)
            if (decoded := config["pixel_batch"]) and step >= config["pixel_from"]:
                pixel = pixel_loss(vae, mean[:decoded], target[:decoded])
                value, numbers["pixel"] = value + config["pixel_weight"] * pixel, float(pixel.detach())
            return value, numbers

    def validate() -> dict[str, float]:
        rng = Generator().manual_seed(0)
        neighbours, target = validation.draw(128, rng)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            _, mean, numbers = training_loss(run.averaged, schedule, neighbours, target, weight, rng)
            numbers["pixel"] = float(pixel_loss(vae, mean[:32], target[:32]))
        export(run.averaged, args.out / "denoiser.safetensors")
        return {f"val_{k}": round(v, 5) for k, v in numbers.items()}

    run.train(loss, validate, every=config["every"])
    return 0


def export(model: LatentInterpolator, path: Path) -> None:
    """Write fp16 weights; every validation leaves a set that can be evaluated."""
    save_file({k: v.half().contiguous() for k, v in model.state_dict().items()}, path)
