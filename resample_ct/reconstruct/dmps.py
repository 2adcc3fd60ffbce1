"""DMPS: diffusion model based posterior sampling, without back-propagation through the network.

Meng, Kabashima, "Diffusion Model Based Posterior Sampling for Noisy Linear Inverse Problems" (2022),
Algorithm 1. With an uninformative prior on x_0 the likelihood of x_t is Gaussian, and its gradient is

    g = 1/sqrt(abar) A^T (sigma_y^2 I + (1 - abar) / abar A A^T)^-1 (y - A x_t / sqrt(abar))

by the singular values of A; x_{t-1} = DDPM(x_t) + lambda (1 - alpha_t) / sqrt(alpha_t) g, with
lambda = 1.75 and T = 1000. With fewer steps alpha_t = abar_t / abar_{t-1} is that of the longer step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from resample_ct.prior.diffusion import DiffusionPrior
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.guidance import in_network_range
from resample_ct.reconstruct.sampling import ddim_step, pure_noise, reverse_times
from resample_ct.solvers.solution import Solution


@dataclass(frozen=True)
class DMPSSettings:
    """What the authors set.

    Attributes:
        steps: T; 1000 as published.
        scale: lambda.
        eta: 1 is DDPM's step, as published.
    """

    steps: int = 100
    scale: float = 1.75
    eta: float = 1.0


@dataclass(frozen=True)
class DMPS:
    """Ancestral sampling with the score of a likelihood in closed form."""

    prior: DiffusionPrior
    settings: DMPSSettings = DMPSSettings()

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """See `Reconstructor`. Raises OptionError for an operator without singular values."""
        s = self.settings
        with torch.no_grad():
            spectrum = measurement.spectrum
            scaled = in_network_range(measurement)
            squares = spectrum.singular_values.square()
            variance = scaled.noise_variance.view(-1, 1, 1)
            data = spectrum.singular_values * spectrum.measured(scaled.sinogram)
            x = pure_noise(self.prior, measurement, generators)
            for t, a, a_next in reverse_times(self.prior.schedule, s.steps):
                noise = self.prior.predict_noise(x, t)
                clean = self.prior.schedule.tweedie(x, noise, t)
                misfit = data - squares * spectrum.analyse(x) / a**0.5
                score = spectrum.synthesise(misfit / (variance + (1 - a) / a * squares)) / a**0.5
                alpha = a / a_next
                step = s.scale * (1 - alpha) / alpha**0.5
                x = ddim_step(clean, noise, a, a_next, s.eta, generators) + step * score
            return measurement.solution(self.prior.decode(x), s.steps, "iterations")
