"""What it costs to be wrong: errors of latents by how much they show, structural similarity, local power."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from calid.model.vae import SliceAutoencoder
from calid.reconstruction.device import autocast

PATCH = 32  # pixels; overlapping by half
NOISE_FLOOR = 2e-4  # of the power of a patch, in squared network units: what is below it cannot be seen


def edge_loss(of: Tensor, to: Tensor) -> Tensor:
    """Mean absolute difference of horizontal and vertical gradients: blur costs, a shift in grey level does not."""
    loss = of.new_zeros(())
    for axis in (-1, -2):
        loss = loss + (of.diff(dim=axis) - to.diff(dim=axis)).abs().mean()
    return loss


def ring_power(images: Tensor) -> Tensor:
    """(n, patches, rings) mean power of local spectra of (n, 1, rows, columns), in Hann windows that overlap."""
    hann = torch.hann_window(PATCH, periodic=False)
    window = torch.outer(hann, hann)
    patches = images[:, 0].unfold(1, PATCH, PATCH // 2).unfold(2, PATCH, PATCH // 2).flatten(1, 2)
    spectra = torch.fft.rfft2((patches - patches.mean(dim=(-2, -1), keepdim=True)) * window)
    power = (spectra.abs().square() / window.square().sum()).flatten(2)
    frequency = torch.hypot(torch.fft.fftfreq(PATCH)[:, None], torch.fft.rfftfreq(PATCH)[None])
    ring = (frequency * PATCH).round().long().flatten().clamp(max=PATCH // 2)
    membership = F.one_hot(ring).float()
    return power @ (membership / membership.sum(dim=0))


def power_loss(of: Tensor, to: Tensor) -> Tensor:
    """Mean absolute difference of the logarithms of local power: too blurred and too rough cost the same."""
    return F.l1_loss(torch.log(ring_power(of) + NOISE_FLOOR), torch.log(ring_power(to) + NOISE_FLOOR))


def dissimilarity(of: Tensor, to: Tensor, sigma: float = 1.5) -> Tensor:
    """1 - SSIM (Wang et al. 2004) of (n, k, rows, columns) in network units, Gaussian window of ``sigma`` pixels."""
    with torch.autocast(of.device.type, enabled=False):  # variances are small differences of large numbers
        moments = _windowed(torch.cat([of, to, of * of, to * to, of * to], dim=1), sigma)
    mean_of, mean_to, of_of, to_to, of_to = moments.chunk(5, dim=1)
    luminance, structure = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    similarity = (2 * mean_of * mean_to + luminance) * (2 * (of_to - mean_of * mean_to) + structure)
    scale = mean_of**2 + mean_to**2 + luminance
    spread = of_of - mean_of**2 + to_to - mean_to**2 + structure
    return 1 - (similarity / (scale * spread)).mean()


def _windowed(images: Tensor, sigma: float) -> Tensor:
    """Means of (n, k, rows, columns) in Gaussian windows of 11 pixels, where a whole window fits."""
    offset = torch.arange(-5, 6, dtype=images.dtype, device=images.device)
    bell = torch.exp(-offset.square() / (2 * sigma**2))
    window = (bell / bell.sum()).expand(images.shape[1], 1, -1)
    rows = F.conv2d(images, window[:, :, :, None], groups=images.shape[1])
    return F.conv2d(rows, window[:, :, None, :], groups=images.shape[1])


def channel_weight(vae: SliceAutoencoder, latents: Tensor, size: float = 0.3) -> Tensor:
    """(1, c, 1, 1) how much an error in each latent channel shows in the decoded slice, mean 1."""
    with torch.no_grad(), autocast(latents.device):
        decoded, effect = vae.decode(latents).float(), []
        for channel in range(latents.shape[1]):
            moved = latents.clone()
            noise = torch.randn(moved[:, channel].shape, generator=Generator().manual_seed(channel))
            moved[:, channel] += size * noise.to(latents.device)
            effect.append((vae.decode(moved).float() - decoded).square().mean())
    weight = torch.stack(effect)
    return (weight / weight.mean())[None, :, None, None]
