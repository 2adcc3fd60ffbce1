"""Hard data consistency: latent optimisation (paper eq. 10) and the pixel solve at the end."""

from __future__ import annotations

import torch

from resample_ct.prior.latent import LatentPrior
from resample_ct.reconstruct.base import Measurement


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
    z = latent.detach().clone().requires_grad_(True)
    optimiser = torch.optim.Adam([z], lr=learning_rate)
    best = latent.detach().clone()
    lowest = torch.full((len(latent),), float("inf"), device=latent.device)
    with torch.enable_grad():
        for _ in range(iterations):
            residual = measurement.residual(prior.decode(z))
            better = residual.detach() < lowest
            best[better], lowest[better] = z.detach()[better], residual.detach()[better]
            if bool((lowest <= tau).all()):
                break
            optimiser.zero_grad()
            residual.sum().backward()
            optimiser.step()
    return best
