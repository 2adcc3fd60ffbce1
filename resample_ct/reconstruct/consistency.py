"""Hard data consistency: in pixels (paper appendix B.1) and in latents (paper eq. 10)."""

from __future__ import annotations

from typing import Literal

import torch

from resample_ct.prior.latent import LatentPrior
from resample_ct.reconstruct.base import Measurement
from resample_ct.solvers.cg import pseudo_inverse_step, regularised_data_consistency
from resample_ct.solvers.tv import piccs, weight_for_noise

PixelRule = Literal["pseudo-inverse", "ridge", "piccs"]


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
            share `weight` is taken of x - image.
        iterations: of the solver.
        weight: see `rule`.
        kappa: relaxation of "pseudo-inverse".
    """
    operator, y = measurement.operator, measurement.sinogram
    if rule == "pseudo-inverse":
        return pseudo_inverse_step(operator, y, image, iterations, kappa)
    if rule == "ridge":
        # argmin ||Ax-y||^2 / sigma^2 + ||x-D(z)||^2 / error^2: the weight grows with sigma^2.
        noise = (measurement.noise_variance / 1e-4).clamp(min=1e-2).view(-1, 1, 1, 1)
        return regularised_data_consistency(operator, y, image, weight * noise, iterations)
    total = weight_for_noise(measurement.noise_variance)
    return piccs(operator, y, image.clamp(min=0.0), total, weight, iterations)


def optimise_latent(
    prior: LatentPrior,
    measurement: Measurement,
    latent: torch.Tensor,
    tau: torch.Tensor,
    iterations: int,
    learning_rate: float,
) -> torch.Tensor:
    """argmin_z 0.5 ||y - A(D(z))||^2 from `latent`, by Adam.

    Each slice stops on its own once its mean squared residual is at most its `tau` (B,), the noise
    level: fitting closer would fit the noise. Returns the latent of the lowest residual of each slice.
    """
    if iterations == 0:
        return latent
    z = latent.detach().clone().requires_grad_(True)
    optimiser = torch.optim.Adam([z], lr=learning_rate)
    best = latent.detach().clone()
    lowest = torch.full((len(latent),), float("inf"), device=latent.device)
    with torch.enable_grad():
        for step in range(iterations + 1):
            residual = measurement.residual(prior.decode(z))
            better = (residual.detach() < lowest) & (lowest > tau)
            best[better], lowest[better] = z.detach()[better], residual.detach()[better]
            if step == iterations or bool((lowest <= tau).all()):
                break
            optimiser.zero_grad()
            residual.sum().backward()
            optimiser.step()
    return best
