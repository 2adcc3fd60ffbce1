"""What a denoiser learns: the slice below Gaussian noise of one level."""

from __future__ import annotations

import torch
from torch import nn

from fine_tune.loop import generator_of_step
from fine_tune.pictures import side_by_side
from fine_tune.source import SliceSource
from resample_ct.metrics import psnr


class DenoiserTask:
    """Squared error of the network on noisy crops.

    Args:
        source: of slices.
        held_out: (N, 1, 256, 256) in [0, 1].
        sigma: noise, of relative attenuation.
        crop: side of the crops in pixels; DnCNN was published on 40 to 50.
    """

    name = "denoiser"

    def __init__(self, source: SliceSource, held_out: torch.Tensor, sigma: float, crop: int = 64) -> None:
        self._source, self._held_out = source, held_out
        self._sigma, self._crop = sigma, crop
        noise = torch.randn(held_out.shape, generator=generator_of_step(0, 0))
        self._noisy = held_out + sigma * noise

    def batch(self, size: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """Noisy crops, and the crops."""
        crops = self._source.draw(size, self._crop, generator)
        return crops + self._sigma * torch.randn(crops.shape, generator=generator), crops

    def loss(self, network: nn.Module, *batch: torch.Tensor) -> torch.Tensor:
        """Mean squared error, in units of 1 % of the window so that the numbers can be read."""
        noisy, crops = batch
        return 1e4 * (network(noisy) - crops).square().mean()

    def _clean(self, network: nn.Module) -> torch.Tensor:
        device = next(network.parameters()).device
        parts = [network(part.to(device)) for part in self._noisy.split(4)]
        return torch.cat(parts).clamp(0, 1).cpu()

    def validate(self, network: nn.Module) -> float:
        """Mean PSNR in dB on the held-out slices."""
        return float(psnr(self._clean(network), self._held_out).mean())

    def picture(self, network: nn.Module) -> torch.Tensor:
        """Two held-out slices: noisy, network, truth."""
        rows = self._noisy, self._clean(network), self._held_out
        return side_by_side([row[:2] for row in rows])
