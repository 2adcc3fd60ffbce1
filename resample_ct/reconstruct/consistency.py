"""Hard data consistency: in pixels (paper appendix B.1) and in latents (paper eq. 10)."""

from __future__ import annotations

import torch

from resample_ct.prior.diffusion import DiffusionPrior
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.guidance import unit_gain
from resample_ct.reconstruct.resample_settings import LatentRule
from resample_ct.reconstruct.rules import Descent, Piccs, PseudoInverse, Ridge, Rule
from resample_ct.solvers.adam import adam
from resample_ct.solvers.cg import pseudo_inverse_step, regularised_data_consistency
from resample_ct.solvers.gauss_newton import gauss_newton
from resample_ct.solvers.solution import Solution
from resample_ct.solvers.tv import piccs, weight_for_noise

# Conjugate-gradient iterations between two linearisations of the decoder, and Levenberg's damping for an
# operator of norm 1: both measured on the validation patients (docs/ablations.md).
_BETWEEN_LINEARISATIONS = 10
_DAMPING = 5e-5


def optimise_pixels(measurement: Measurement, image: torch.Tensor, rule: Rule) -> Solution:
    """The image nearest to the prior's that the measurement allows.

    Args:
        measurement: A, y and the noise.
        image: (B, 1, row, column), the prior's: x = D(zhat).
        rule: what "nearest" and "allows" mean, and how it is solved.

    Raises:
        OptionError: a nonlinear operator, which only `Descent` takes.
    """
    y, variance = measurement.sinogram, measurement.noise_variance
    match rule:
        case Descent(rate, iterations):
            return adam(measurement.residual, image, variance, iterations, rate)
        case PseudoInverse(kappa, iterations):
            return pseudo_inverse_step(measurement.linear, y, image, iterations, kappa)
        case Ridge(weight, iterations):
            # argmin ||Ax-y||^2 / sigma^2 + ||x-D(z)||^2 / error^2: the weight grows with sigma^2.
            noise = (variance / 1e-4).clamp(min=1e-2).view(-1, 1, 1, 1)
            return regularised_data_consistency(measurement.linear, y, image, weight * noise, iterations)
        case Piccs(alpha, iterations):
            weights = weight_for_noise(variance)
            return piccs(measurement.linear, y, image.clamp(min=0.0), weights, alpha, iterations)


def optimise_latent(
    prior: DiffusionPrior,
    measurement: Measurement,
    latent: torch.Tensor,
    tau: torch.Tensor,
    iterations: int,
    learning_rate: float,
    rule: LatentRule = "adam",
) -> Solution:
    """argmin_z 0.5 ||y - A(D(z))||^2 from `latent`, by Adam as in the paper, or by Gauss-Newton.

    Each slice stops on its own once its mean squared residual is at most its `tau` (B,), the noise
    level: fitting closer would fit the noise. Gives the latent of the lowest residual of each slice.
    Gauss-Newton spends its iterations ten to a linearisation; each takes twice as long as one of Adam.
    """
    if rule == "gauss-newton":
        return gauss_newton(
            lambda z: measurement.operator(prior.decode(z)),
            measurement.sinogram,
            latent,
            tau,
            iterations,
            _BETWEEN_LINEARISATIONS,
            _DAMPING / unit_gain(measurement) ** 2,
        )

    def residual(z: torch.Tensor) -> torch.Tensor:
        return measurement.residual(prior.decode(z))

    return adam(residual, latent, tau, iterations, learning_rate)
