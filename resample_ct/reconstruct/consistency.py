"""Hard data consistency: in pixels (paper appendix B.1) and in latents (paper eq. 10)."""

from __future__ import annotations

from collections.abc import Callable

import torch

from resample_ct.operators.base import LinearOperator
from resample_ct.prior.diffusion import DiffusionPrior
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.resample_settings import LatentRule, PixelRule
from resample_ct.solvers.cg import pseudo_inverse_step, regularised_data_consistency
from resample_ct.solvers.gauss_newton import gauss_newton
from resample_ct.solvers.norm import operator_norm
from resample_ct.solvers.tv import piccs, weight_for_noise

# Conjugate-gradient iterations between two linearisations of the decoder, and Levenberg's damping for an
# operator of norm 1: both measured on the validation patients (docs/ablations.md).
_BETWEEN_LINEARISATIONS = 10
_DAMPING = 5e-5


def optimise_pixels(
    measurement: Measurement,
    image: torch.Tensor,
    rule: PixelRule,
    iterations: int,
    weight: float,
    kappa: float,
) -> torch.Tensor:
    """The image nearest to what the prior believes that the measurement allows.

    Args:
        measurement: A, y and the noise.
        image: (B, 1, row, column) = D(zhat).
        rule: "pseudo-inverse" is the paper's eq. 16; "ridge" minimises
            ||A x - y||^2 + weight ||x - image||^2, weight stated for sigma_y = 0.01 and growing
            with the noise variance; "piccs" minimises 0.5 ||A x - y||^2 + TV terms, of which the
            share `weight` is taken of x - image; "gradient" descends ||A(x) - y||^2 from `image` by
            Adam at rate `weight` until the residual is the noise variance, for any operator (the
            paper's way for natural images, C.1; its code has AdamW at 1e-2).
        iterations: of the solver.
        weight: see `rule`.
        kappa: relaxation of "pseudo-inverse".
    """
    if rule == "gradient":
        return _descend(measurement, image, weight, iterations)
    operator, y = measurement.linear, measurement.sinogram
    if rule == "pseudo-inverse":
        return pseudo_inverse_step(operator, y, image, iterations, kappa)
    if rule == "ridge":
        # argmin ||Ax-y||^2 / sigma^2 + ||x-D(z)||^2 / error^2: the weight grows with sigma^2.
        noise = (measurement.noise_variance / 1e-4).clamp(min=1e-2).view(-1, 1, 1, 1)
        return regularised_data_consistency(operator, y, image, weight * noise, iterations)
    total = weight_for_noise(measurement.noise_variance)
    return piccs(operator, y, image.clamp(min=0.0), total, weight, iterations)


def optimise_latent(
    prior: DiffusionPrior,
    measurement: Measurement,
    latent: torch.Tensor,
    tau: torch.Tensor,
    iterations: int,
    learning_rate: float,
    rule: LatentRule = "adam",
) -> torch.Tensor:
    """argmin_z 0.5 ||y - A(D(z))||^2 from `latent`, by Adam as in the paper, or by Gauss-Newton.

    Each slice stops on its own once its mean squared residual is at most its `tau` (B,), the noise
    level: fitting closer would fit the noise. Returns the latent of the lowest residual of each slice.
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

    return _adam(residual, latent, tau, iterations, learning_rate)


def _descend(
    measurement: Measurement, image: torch.Tensor, learning_rate: float, iterations: int
) -> torch.Tensor:
    return _adam(measurement.residual, image, measurement.noise_variance, iterations, learning_rate)


def _adam(
    residual_of: Callable[[torch.Tensor], torch.Tensor],
    start: torch.Tensor,
    tau: torch.Tensor,
    iterations: int,
    learning_rate: float,
) -> torch.Tensor:
    """The point of each slice's lowest residual on Adam's way down, which ends at `tau`."""
    if iterations == 0:
        return start
    z = start.detach().clone().requires_grad_(True)
    optimiser = torch.optim.Adam([z], lr=learning_rate)
    best = start.detach().clone()
    lowest = torch.full((len(start),), float("inf"), device=start.device)
    with torch.enable_grad():
        for step in range(iterations + 1):
            residual = residual_of(z)
            better = (residual.detach() < lowest) & (lowest > tau)
            best[better], lowest[better] = z.detach()[better], residual.detach()[better]
            if step == iterations or bool((lowest <= tau).all()):
                break
            optimiser.zero_grad()
            residual.sum().backward()
            optimiser.step()
    return best


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
