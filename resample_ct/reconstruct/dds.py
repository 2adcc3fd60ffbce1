"""DDS: decomposed diffusion sampling, conjugate gradients inside the pixel-space reverse process.

Chung, Lee, Ye, "Decomposed Diffusion Sampler for Accelerating Large-Scale Inverse Problems" (ICLR 2024),
Algorithm 3 (noisy measurements): xhat by Tweedie; M = 5 conjugate-gradient iterations from xhat on
(I + gamma A^T A) x = xhat + gamma A^T y; then x_{t-1} = sqrt(abar) x + sqrt(1 - abar) n', where n' is
sqrt(1 - eta^2) of the predicted and eta of fresh noise, eta = 0.85; 50 to 100 steps. Their gamma = 5 is
for a projector of unstated scale; `weight` = 1 / gamma is stated here as in `Ridge`, for
sigma_y = 0.01 and growing with the variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from resample_ct.prior.diffusion import DiffusionPrior
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.consistency import optimise_pixels
from resample_ct.reconstruct.rules import Ridge
from resample_ct.reconstruct.sampling import pure_noise, renoise, reverse_times
from resample_ct.solvers.solution import Solution


@dataclass(frozen=True)
class DDSSettings:
    """What the authors set.

    Attributes:
        steps: 50 or 100 as published.
        weight: 1 / gamma, for sigma_y = 0.01.
        iterations: M, of conjugate gradients.
        eta: share of fresh noise.
    """

    steps: int = 50
    weight: float = 0.2
    iterations: int = 5
    eta: float = 0.85


@dataclass(frozen=True)
class DDS:
    """Denoise, a few conjugate-gradient iterations from there, noise again."""

    prior: DiffusionPrior
    settings: DDSSettings = DDSSettings()

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """See `Reconstructor`. Raises OptionError for a nonlinear operator."""
        s, prior = self.settings, self.prior
        ridge = Ridge(s.weight, s.iterations)
        with torch.no_grad():
            x = pure_noise(prior, measurement, generators)
            for t, _, a_next in reverse_times(prior.schedule, s.steps):
                noise = prior.predict_noise(x, t)
                clean = prior.schedule.tweedie(x, noise, t)
                image = optimise_pixels(measurement, prior.decode(clean), ridge)
                x = renoise(prior.encode(image.x), noise, a_next, s.eta, generators)
            return measurement.solution(prior.decode(x), s.steps, "iterations")
