"""The random steps: DDIM, stochastic resampling and stochastic encoding, and where they start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from resample_ct.prior.diffusion import DiffusionPrior
from resample_ct.prior.schedule import NoiseSchedule
from resample_ct.progress import track
from resample_ct.randomness import randn
from resample_ct.reconstruct.base import Measurement


def pure_noise(
    prior: DiffusionPrior, measurement: Measurement, generators: Sequence[torch.Generator]
) -> torch.Tensor:
    """z_T of each slice."""
    operator, y = measurement.operator, measurement.sinogram
    empty = torch.zeros(len(y), operator.channels, *operator.domain_shape, dtype=y.dtype, device=y.device)
    latent = prior.encode(empty)
    return randn(latent.shape, generators).to(latent)


def reverse_times(
    schedule: NoiseSchedule, steps: int, start: int | None = None
) -> Iterator[tuple[int, float, float]]:
    """t, abar_t and the abar of the time after it, from noise to the clean image, where it is 1."""
    times = schedule.timesteps(steps, start)
    for t, following in track(list(zip(times, [*times[1:], None], strict=True))):
        after = 1.0 if following is None else float(schedule.alpha_bar[following])
        yield t, float(schedule.alpha_bar[t]), after


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


def renoise(
    clean: torch.Tensor,
    noise: torch.Tensor,
    alpha_bar: float,
    share: float,
    generators: Sequence[torch.Generator],
) -> torch.Tensor:
    """Noise `clean` to abar by sqrt(1 - share^2) of the predicted noise and `share` of fresh noise.

    The step of DDS and DDRM, whose eta is this share; share 1 is `stochastic_encode`.
    """
    step = alpha_bar**0.5 * clean
    if alpha_bar < 1:
        fresh = randn(clean.shape, generators).to(clean)
        mixed = (1 - share**2) ** 0.5 * noise + share * fresh
        step = step + (1 - alpha_bar) ** 0.5 * mixed
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
    prior: DiffusionPrior, shape: Sequence[int], steps: int, generators: Sequence[torch.Generator]
) -> torch.Tensor:
    """Unconditional samples (B, 1, H, W) of the prior, one a generator, by ancestral sampling.

    DDIM with eta = 1: fresh noise corrects what an early step got wrong, where deterministic steps of a
    small network carried it to the end.

    Args:
        prior: the model.
        shape: (C, h, w) of one latent.
        steps: from pure noise to the slice.
        generators: of all noise.
    """
    device = next(prior.unet.parameters()).device
    z = randn(torch.Size((len(generators), *shape)), generators).to(device)
    with torch.no_grad():
        for t, a, a_next in reverse_times(prior.schedule, steps):
            noise = prior.predict_noise(z, t)
            clean = prior.schedule.tweedie(z, noise, t)
            z = ddim_step(clean, noise, a, a_next, 1.0, generators)
        return prior.decode(z)
