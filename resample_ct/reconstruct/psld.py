"""PSLD: posterior sampling with latent diffusion, which glues the latent to what was measured.

Rout, Raoof, Daras, Caramanis, Dimakis, Shakkottai, "Solving Linear Inverse Problems Provably via
Posterior Sampling with Latent Diffusion Models" (NeurIPS 2023), Algorithm 2:

    z_{t-1} = DDIM(z_t) - grad (omega ||y - A D(zhat)|| + gamma ||zhat - E(x)||)
    x       = A^T y + (I - A^T A) D(zhat)

with T = 1000, omega = 1, gamma = 0.1 and norms, not squares, as in the authors' code. Deviations: A^T
stands there for operators with A A^T = I, so that I - A^T A is a projection; here it is the
pseudo-inverse by conjugate gradients, through which the gradient is taken too. omega is divided by
||A||; both steps grow by the published number of steps over `steps`, and are weighted with abar_t, as
the paper found critical for Latent-DPS: without it a few long steps end in noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from resample_ct.prior.diffusion import DiffusionPrior
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.guidance import prediction_with_gradient, unit_gain
from resample_ct.reconstruct.sampling import ddim_step, pure_noise, reverse_times
from resample_ct.solvers.cg import pseudo_inverse_step
from resample_ct.solvers.solution import Solution


@dataclass(frozen=True)
class PSLDSettings:
    """What the authors set.

    Attributes:
        steps: T; 1000 as published.
        published_steps: that `omega` and `gamma` were stated for.
        omega: weight of the measurement.
        gamma: weight of the gluing term.
        eta: stochasticity of the DDIM step.
        projection_iterations: of conjugate gradients in the pseudo-inverse.
    """

    steps: int = 26
    published_steps: int = 1000
    omega: float = 1.0
    gamma: float = 0.1
    eta: float = 0.0
    projection_iterations: int = 10


@dataclass(frozen=True)
class PSLD:
    """Latent-DPS with a second term that pulls zhat to the encoding of a consistent image."""

    prior: DiffusionPrior
    settings: PSLDSettings = PSLDSettings()

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """See `Reconstructor`. Raises OptionError for a nonlinear operator."""
        s = self.settings
        longer = s.published_steps / s.steps
        with torch.no_grad():
            omega, gamma = longer * s.omega * unit_gain(measurement), longer * s.gamma
            z = pure_noise(self.prior, measurement, generators)
            for t, a, a_next in reverse_times(self.prior.schedule, s.steps):
                noise, clean, gradient = self._gradient(measurement, z, t, a * omega, a * gamma)
                z = ddim_step(clean, noise, a, a_next, s.eta, generators) - gradient
            return measurement.solution(self.prior.decode(z), s.steps, "iterations")

    def _gradient(
        self, measurement: Measurement, z: torch.Tensor, t: int, omega: float, gamma: float
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Predicted noise, zhat, and the gradient of both terms in z_t."""
        operator, y = measurement.linear, measurement.sinogram

        def both(clean: torch.Tensor) -> torch.Tensor:
            image = self.prior.decode(clean)
            misfit = (operator(image) - y).flatten(1).norm(dim=1)
            step = pseudo_inverse_step(operator, y, image, self.settings.projection_iterations, 1.0)
            glued = self.prior.encode(step.x)
            gluing = (clean - glued).flatten(1).norm(dim=1)
            return omega * misfit + gamma * gluing

        return prediction_with_gradient(self.prior, z, t, both)
