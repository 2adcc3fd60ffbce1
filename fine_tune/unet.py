"""What the diffusion UNet learns: the noise on scaled latents (paper eq. 3), the velocity, or z_0."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from fine_tune.loop import generator_of_step
from fine_tune.noise_prediction import prediction_error, prediction_merit, stratified_times
from fine_tune.pictures import grid
from fine_tune.source import SliceSource
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.prior.latent import LatentPrior
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.resample import ReSample
from resample_ct.reconstruct.resample_settings import PRESETS
from resample_ct.reconstruct.sampling import unconditional_samples
from resample_ct.reconstruct.start import TVStart
from resample_ct.values.network_grid import IMAGE_SIZE

_SAMPLE_STEPS = 25
_PICTURED_SIGMA = 0.01
# From TV and early: what the presets start from is so good that a picture would not show this network.
_PICTURED = replace(PRESETS["fast"], start=TVStart(150), steps=4)


class UNetTask:
    """Predict the noise or velocity of z_t, or z_0.

    Args:
        source: of slices, encoded anew at each draw.
        held_out: (N, 1, 256, 256) in [0, 1].
        prior: whose autoencoder, scale, schedule and kind of prediction are used; its own UNet is not.
    """

    name = "unet"

    def __init__(self, source: SliceSource, held_out: torch.Tensor, prior: LatentPrior) -> None:
        self._source, self._held_out, self._prior = source, held_out, prior
        self._latents = self._encode(held_out)

    def _encode(self, slices: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return torch.cat(
                [self._prior.encode(part.to(self._prior.device)) for part in slices.split(4)]
            )

    def batch(self, size: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """Slices, times and noise."""
        slices = self._source.draw(size, IMAGE_SIZE, generator)
        noise = torch.randn(size, *self._latents.shape[1:], generator=generator)
        return slices, stratified_times(size, self._prior.schedule, generator), noise

    def loss(self, network: nn.Module, *batch: torch.Tensor) -> torch.Tensor:
        """See `prediction_error`."""
        slices, t, noise = batch
        return prediction_error(
            self._prior.prediction, network, self._prior.schedule, self._encode(slices), t, noise
        )

    def validate(self, network: nn.Module) -> float:
        """See `prediction_merit`."""
        return prediction_merit(self._prior.prediction, network, self._prior.schedule, self._latents)

    def picture(self, network: nn.Module) -> torch.Tensor:
        """Four samples; two held-out slices, each beside its reconstruction from 25 views."""
        prior = replace(self._prior, unet=network)
        seeds = [generator_of_step(0, number) for number in range(4)]
        samples = unconditional_samples(prior, self._latents.shape[1:], _SAMPLE_STEPS, seeds)
        truth = self._held_out[:2]
        operator = make_projector(ParallelBeam.uniform(IMAGE_SIZE, 25), str(self._latents.device))
        clean = operator(truth.to(self._latents.device))
        noise = torch.randn(clean.shape, generator=generator_of_step(0, 9)).to(clean)
        variance = torch.full((len(truth),), _PICTURED_SIGMA**2).to(clean)
        measurement = Measurement(operator, clean + _PICTURED_SIGMA * noise, variance)
        found = ReSample(prior, _PICTURED)(measurement, seeds[: len(truth)]).x
        pairs = [image for pair in zip(truth, found.cpu(), strict=True) for image in pair]
        return grid(torch.stack([*samples.cpu().clamp(0, 1), *pairs, *[truth[0] * 0] * (4 - len(pairs))]))
