"""DPS: diffusion posterior sampling on pixels.

Chung, Kim, McCann, Klasky, Ye, "Diffusion Posterior Sampling for General Noisy Inverse Problems" (ICLR
2023), Algorithm 1: x_{t-1} = DDPM(x_t) - zeta grad ||y - A(xhat(x_t))||, T = 1000, zeta = 0.3 to 1 over
their tasks. Deviations: the step is divided by ||A|| (their operators have norm 1), and with fewer steps
on a CPU it grows by the published number over them. The misfit is of images in [0, 1], theirs of the
network's [-1, 1], so that zeta = 1 here is a half there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from resample_ct.prior.diffusion import DiffusionPrior
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.guidance import guided_prediction, unit_gain
from resample_ct.reconstruct.sampling import ddim_step, pure_noise, reverse_times
from resample_ct.solvers.solution import Solution


@dataclass(frozen=True)
class DPSSettings:
    """What the authors set.

    Attributes:
        steps: T; 1000 as published.
        published_steps: that `scale` was stated for.
        scale: zeta, for an operator of norm 1.
        eta: 1 is DDPM's step, as published.
    """

    steps: int = 60
    published_steps: int = 1000
    scale: float = 1.0
    eta: float = 1.0


@dataclass(frozen=True)
class DPS:
    """Ancestral sampling with a gradient step on the misfit of the denoised image."""

    prior: DiffusionPrior
    settings: DPSSettings = DPSSettings()

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """See `Reconstructor`."""
        s = self.settings
        with torch.no_grad():
            step = s.scale * s.published_steps / s.steps * unit_gain(measurement)
            x = pure_noise(self.prior, measurement, generators)
            for t, a, a_next in reverse_times(self.prior.schedule, s.steps):
                noise, clean, gradient = guided_prediction(self.prior, measurement, x, t)
                x = ddim_step(clean, noise, a, a_next, s.eta, generators) - step * gradient
            return measurement.solution(self.prior.decode(x), s.steps, "iterations")
