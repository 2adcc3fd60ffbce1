"""Latent-DPS: diffusion posterior sampling through the decoder of a latent model.

The paper's eq. 8 and 9, settings of its appendix C.3: T = 1000 DDIM steps and zeta_t = 2.5 abar_t for
CT, T = 500 and 0.5 abar_t for natural images. Deviations: the step is divided by ||A||, because the
paper states zeta for an operator whose scale it does not state, and the gradient is that of the norm,
as in the authors' code, not of its square (see `guided_prediction`); `steps` is lower on a CPU, and the
step grows by the published number over it, so that the path has the same length.
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
class LatentDPSSettings:
    """What the authors set.

    Attributes:
        steps: T; 1000 as published.
        published_steps: that `scale` was stated for.
        scale: k of zeta_t = k abar_t / ||A||.
        eta: stochasticity of the DDIM step.
    """

    steps: int = 40
    published_steps: int = 1000
    scale: float = 2.5
    eta: float = 0.0


@dataclass(frozen=True)
class LatentDPS:
    """z_{t-1} = DDIM(z_t) - zeta_t grad ||y - A(D(zhat(z_t)))||."""

    prior: DiffusionPrior
    settings: LatentDPSSettings = LatentDPSSettings()

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """See `Reconstructor`."""
        s = self.settings
        step = s.scale * s.published_steps / s.steps * unit_gain(measurement)
        with torch.no_grad():
            z = pure_noise(self.prior, measurement, generators)
            for t, a, a_next in reverse_times(self.prior.schedule, s.steps):
                noise, clean, gradient = guided_prediction(self.prior, measurement, z, t)
                z = ddim_step(clean, noise, a, a_next, s.eta, generators) - step * a * gradient
            return measurement.solution(self.prior.decode(z), s.steps, "iterations")
