"""What the pixel prior learns: the noise on whole slices, as the latent UNet does on latents."""

from __future__ import annotations

import torch
from torch import nn

from fine_tune.loop import generator_of_step
from fine_tune.pictures import side_by_side
from fine_tune.source import SliceSource
from resample_ct.prior.pixel import PixelPrior
from resample_ct.prior.schedule import NoiseSchedule
from resample_ct.reconstruct.sampling import unconditional_samples
from resample_ct.slices import IMAGE_SIZE
from resample_ct.units import Window, to_network

_SAMPLE_STEPS = 25
_JUDGED_TIMES = 8


class PixelTask:
    """Predict the noise of x_t.

    Args:
        source: of slices.
        held_out: (N, 1, 256, 256) in [0, 1].
    """

    name = "pixel"

    def __init__(self, source: SliceSource, held_out: torch.Tensor) -> None:
        self._source, self._held_out = source, held_out
        self._schedule = NoiseSchedule()

    def batch(self, size: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """Slices, times and noise; times are stratified, for a calmer gradient."""
        slices = self._source.draw(size, IMAGE_SIZE, generator)
        noise = torch.randn(slices.shape, generator=generator)
        strata = (torch.arange(size) + torch.rand(size, generator=generator)) / size
        return slices, (strata * self._schedule.train_steps).long(), noise

    def loss(self, network: nn.Module, *batch: torch.Tensor) -> torch.Tensor:
        """Mean squared error of the predicted noise."""
        slices, t, noise = batch
        noisy = self._schedule.add_noise(to_network(slices), noise, t)
        return (network(noisy, t) - noise).square().mean()

    def validate(self, network: nn.Module) -> float:
        """Minus the loss on the held-out slices, each at eight fixed times."""
        generator = generator_of_step(0, 0)
        device = next(network.parameters()).device
        t = torch.linspace(0, self._schedule.train_steps - 1, _JUDGED_TIMES).long()
        total = 0.0
        for image in self._held_out:
            slices = image.expand(_JUDGED_TIMES, -1, -1, -1)
            noise = torch.randn(slices.shape, generator=generator)
            total += float(self.loss(network, slices.to(device), t.to(device), noise.to(device)))
        return -total / len(self._held_out)

    def picture(self, network: nn.Module) -> torch.Tensor:
        """Four samples."""
        prior = PixelPrior(network, self._schedule, Window(), self.name, "")
        seeds = [generator_of_step(0, number) for number in range(4)]
        samples = unconditional_samples(prior, self._held_out.shape[1:], _SAMPLE_STEPS, seeds)
        return side_by_side(samples.cpu().clamp(0, 1).split(1))
