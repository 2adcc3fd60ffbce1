"""Guidance by gradients: the data term's gradient through the network, and the scale of its steps."""

from __future__ import annotations

from collections.abc import Callable

import torch

from resample_ct.operators.base import LinearOperator
from resample_ct.prior.diffusion import DiffusionPrior
from resample_ct.reconstruct.base import Measurement
from resample_ct.solvers.norm import operator_norm


def guided_prediction(
    prior: DiffusionPrior, measurement: Measurement, z: torch.Tensor, t: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """eps_theta(z_t, t), Tweedie's zhat, and the gradient of ||y - A(D(zhat(z_t)))|| in z_t.

    The norm itself, not its square (paper eq. 7 and 9): DPS divides the square's gradient by the norm
    (Chung et al. 2023, appendix D), and the code of both papers differentiates the norm.
    """

    def misfit(clean: torch.Tensor) -> torch.Tensor:
        residual = measurement.operator(prior.decode(clean)) - measurement.sinogram
        return residual.flatten(1).norm(dim=1)

    return prediction_with_gradient(prior, z, t, misfit)


def prediction_with_gradient(
    prior: DiffusionPrior, z: torch.Tensor, t: int, misfit: Callable[[torch.Tensor], torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """eps_theta(z_t, t), Tweedie's zhat, and the gradient in z_t of `misfit`, (B,) of zhat."""
    with torch.enable_grad():
        z = z.detach().requires_grad_(True)
        noise = prior.predict_noise(z, t)
        clean = prior.schedule.tweedie(z, noise, t)
        (gradient,) = torch.autograd.grad(misfit(clean).sum(), z)
    return noise.detach(), clean.detach(), gradient


def unit_gain(measurement: Measurement) -> float:
    """1 / ||A||, so that step sizes that were published for operators of norm 1 hold for any.

    A nonlinear operator counts as one of norm 1, as those on images in [0, 1] are about.
    """
    operator = measurement.operator
    if isinstance(operator, LinearOperator):
        return 1.0 / operator_norm(operator, measurement.sinogram)
    return 1.0


def in_network_range(measurement: Measurement) -> Measurement:
    """What would have been measured of the image in [-1, 1], for methods that work there.

    A (2 x - 1) = 2 A x - A 1, and the noise doubles.
    """
    operator, y = measurement.linear, measurement.sinogram
    ones = operator(y.new_ones(1, operator.channels, *operator.domain_shape))
    return Measurement(operator, 2 * y - ones, 4 * measurement.noise_variance)
