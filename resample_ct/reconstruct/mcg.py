"""MCG: manifold constrained gradients on pixels.

Chung, Sim, Ryu, Ye, "Improving Diffusion Models for Inverse Problems using Manifold Constraints" (NeurIPS
2022), as its authors' code has it for CT:

    x'      = DDPM(x_t) - alpha (I - A^+ A) grad_{x_t} ||A^+ (y - A xhat(x_t))||
    x_{t-1} = x' + lambda A^T (sqrt(abar) y - A x') / (A^T A 1)

alpha = 0.1, 2000 steps, lambda = 1. Deviations: their A^+ is filtered back-projection; here it is the
pseudo-inverse by conjugate gradients, which serves any operator. For A^T A 1, a step size only where A
has no negative entries, stands ||A||^2, which it nearly is at every pixel of a slice. Their process is
variance exploding, ours preserving, so y is scaled by sqrt(abar); it has a corrector step, ours has none.
alpha grows by the published number of steps over `steps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from resample_ct.prior.diffusion import DiffusionPrior
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.guidance import in_network_range, prediction_with_gradient, unit_gain
from resample_ct.reconstruct.sampling import ddim_step, pure_noise, reverse_times
from resample_ct.solvers.cg import cgls
from resample_ct.solvers.solution import Solution


@dataclass(frozen=True)
class MCGSettings:
    """What the authors set.

    Attributes:
        steps: 2000 as published.
        published_steps: that `alpha` was stated for.
        alpha: weight of the gradient.
        relaxation: lambda of the projection.
        eta: 1 is DDPM's step, as published.
        inverse_iterations: of conjugate gradients in A^+.
    """

    steps: int = 40
    published_steps: int = 2000
    alpha: float = 0.1
    relaxation: float = 1.0
    eta: float = 1.0
    inverse_iterations: int = 5


@dataclass(frozen=True)
class MCG:
    """A gradient step within the null space, then a projection step towards the measurement."""

    prior: DiffusionPrior
    settings: MCGSettings = MCGSettings()

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """See `Reconstructor`. Raises OptionError for a nonlinear operator."""
        s = self.settings
        step = s.alpha * s.published_steps / s.steps
        with torch.no_grad():
            scaled = in_network_range(measurement)
            operator = scaled.linear
            x = pure_noise(self.prior, measurement, generators)
            gain = s.relaxation * unit_gain(measurement) ** 2
            for t, a, a_next in reverse_times(self.prior.schedule, s.steps):
                noise, clean, gradient = self._gradient(scaled, x, t)
                gradient = gradient - cgls(operator, operator(gradient), s.inverse_iterations).x
                x = ddim_step(clean, noise, a, a_next, s.eta, generators) - step * gradient
                x = x + gain * operator.T(a_next**0.5 * scaled.sinogram - operator(x))
            return measurement.solution(self.prior.decode(x), s.steps, "iterations")

    def _gradient(
        self, scaled: Measurement, x: torch.Tensor, t: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Predicted noise, xhat, and the gradient of ||A^+ (y - A xhat)|| in x_t."""
        operator = scaled.linear

        def misfit(clean: torch.Tensor) -> torch.Tensor:
            beyond = scaled.sinogram - operator(clean)
            inverse = cgls(operator, beyond, self.settings.inverse_iterations).x
            return inverse.flatten(1).norm(dim=1)

        return prediction_with_gradient(self.prior, x, t, misfit)
