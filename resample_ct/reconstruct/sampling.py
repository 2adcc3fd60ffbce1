"""The random steps of ReSample: DDIM, stochastic resampling and stochastic encoding."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from resample_ct.prior.latent import LatentPrior
from resample_ct.randomness import randn


def ddim_step(
    clean: torch.Tensor,
    noise: torch.Tensor,
    alpha_bar: float,
    alpha_bar_next: float,
    eta: float,
    generators: Sequence[torch.Generator],
) -> torch.Tensor:
    """z'_t = sqrt(abar_t) zhat + sqrt(1 - abar_t - s^2) eps + s * fresh noise (paper eq. 4).

    s = eta * sqrt((1 - abar_t) / (1 - abar_{t+1}) * (1 - abar_{t+1} / abar_t)), as in DDIM.
    """
    variance = (1 - alpha_bar_next) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_next)
    fresh = eta**2 * variance
    step = alpha_bar_next**0.5 * clean + max(1 - alpha_bar_next - fresh, 0.0) ** 0.5 * noise
    if fresh > 0:
        step = step + fresh**0.5 * randn(step.shape, generators).to(step)
    return step


def resample_variance(
    gamma: float, alpha_bar: float, alpha_bar_next: float, rule: str = "paper"
) -> float:
    """sigma_t^2, the distrust of the unconditional sample (paper section 3.1).

    Rule "paper" divides by abar_t; "code" divides by 1 - abar_t, as the authors' code does.
    """
    denominator = alpha_bar if rule == "paper" else 1 - alpha_bar
    return gamma * (1 - alpha_bar_next) / denominator * (1 - alpha_bar / alpha_bar_next)


def stochastic_resample(
    consistent: torch.Tensor,
    unconditional: torch.Tensor,
    alpha_bar: float,
    variance: float,
    generators: Sequence[torch.Generator],
) -> torch.Tensor:
    """Draw z_t given zhat_0(y) and z'_t (paper Proposition 2, eq. 13).

    variance = 0 gives z'_t; variance -> infinity gives `stochastic_encode`.
    """
    spread = 1 - alpha_bar
    total = variance + spread
    if total == 0:
        return consistent
    mean = (variance * alpha_bar**0.5 * consistent + spread * unconditional) / total
    deviation = (variance * spread / total) ** 0.5
    return mean + deviation * randn(mean.shape, generators).to(mean)


def stochastic_encode(
    consistent: torch.Tensor, alpha_bar: float, generators: Sequence[torch.Generator]
) -> torch.Tensor:
    """Draw z_t given zhat_0(y) alone (paper Proposition 1), the ablation's baseline."""
    noise = randn(consistent.shape, generators).to(consistent)
    return alpha_bar**0.5 * consistent + (1 - alpha_bar) ** 0.5 * noise


def unconditional_samples(
    prior: LatentPrior, shape: Sequence[int], steps: int, generators: Sequence[torch.Generator]
) -> torch.Tensor:
    """Slices (B, 1, H, W) that the prior makes up, one a generator, by deterministic DDIM.

    Args:
        prior: the model.
        shape: (C, h, w) of one latent.
        steps: from pure noise to the slice.
        generators: of the noise to start from.
    """
    device = next(prior.unet.parameters()).device
    z = randn(torch.Size((len(generators), *shape)), generators).to(device)
    times = prior.schedule.timesteps(steps)
    with torch.no_grad():
        for t, following in zip(times, [*times[1:], None], strict=True):
            noise = prior.predict_noise(z, t)
            clean = prior.schedule.tweedie(z, noise, t)
            a = float(prior.schedule.alpha_bar[t])
            a_next = 1.0 if following is None else float(prior.schedule.alpha_bar[following])
            z = ddim_step(clean, noise, a, a_next, 0.0, generators)
        return prior.decode(z)
