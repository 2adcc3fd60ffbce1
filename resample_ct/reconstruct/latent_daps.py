"""Latent DAPS: decoupled annealing posterior sampling in the latent space.

Zhang, Chu, Berner, Meng, Anandkumar, Song, "Improving Diffusion Inverse Problem Solving with Decoupled
Noise Annealing" (CVPR 2025), Algorithm 1 and its latent version. At each of N_A noise levels sigma_i,
in the variance-exploding scale z_t / sqrt(abar_t) = z_0 + sigma n:

    zhat   by N_ode steps of the probability-flow ODE from z_i
    z_0    by N Langevin steps on ||z_0 - zhat||^2 / (2 sigma_i^2) + ||A(D(z_0)) - y||^2 / (2 beta^2)
    z_i+1  ~ N(z_0, sigma_{i+1}^2 I)

As published for latent models: 50 levels from 10 to 0.1 spaced by rho = 7, 2 ODE steps, 50 to 100
Langevin steps whose rate falls to 1 % over the levels, beta = 0.01 or more for operators of norm 1.
Deviations: beta is multiplied by ||A||, and is never below the measurement's own noise; Langevin steps
are preconditioned by the running root mean square of their gradient (Li et al., "Preconditioned
Stochastic Gradient Langevin Dynamics", AAAI 2016), because a CPU affords few of them and the Radon
transform's singular values span three decades. Their rate is then stated in latent standard deviations.
The mean square starts at that of the whole slice: a number whose first gradient is near zero would else
take a step without bound, and a rounding error would decide where to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from resample_ct.prior.diffusion import DiffusionPrior
from resample_ct.progress import track
from resample_ct.randomness import randn
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.guidance import unit_gain
from resample_ct.reconstruct.sampling import ddim_step, pure_noise, stochastic_encode
from resample_ct.solvers.solution import Solution

_MEMORY = 0.9


@dataclass(frozen=True)
class LatentDAPSSettings:
    """What the authors set.

    Attributes:
        levels: N_A; 50 as published.
        ode_steps: N_ode; 2 as published for latent models.
        langevin_steps: N; 50 or more as published.
        sigma_max: first noise level.
        sigma_min: last noise level, before 0.
        rho: of the levels' spacing.
        beta: noise that the measurement is trusted to, for an operator of norm 1.
        rate: first step of the preconditioned Langevin dynamics.
        last_rate_share: of `rate` at the last level.
    """

    levels: int = 8
    ode_steps: int = 2
    langevin_steps: int = 6
    sigma_max: float = 10.0
    sigma_min: float = 0.1
    rho: float = 7.0
    beta: float = 0.01
    rate: float = 0.2
    last_rate_share: float = 0.2


@dataclass(frozen=True)
class LatentDAPS:
    """Anneal the noise; at each level denoise, sample what the measurement allows, and noise again."""

    prior: DiffusionPrior
    settings: LatentDAPSSettings = LatentDAPSSettings()

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """See `Reconstructor`."""
        s = self.settings
        sigmas = _spaced(s.sigma_max, s.sigma_min, s.levels, s.rho)
        shares = np.linspace(1.0, s.last_rate_share, s.levels)
        noise_level = measurement.noise_variance.sqrt()
        beta = noise_level.clamp(min=s.beta / unit_gain(measurement)).view(-1, 1, 1, 1)
        with torch.no_grad():
            a = self._nearest(sigmas[0])[1]
            z = (1 - a) ** 0.5 * pure_noise(self.prior, measurement, generators)
            for level, sigma in enumerate(track(sigmas)):
                z_hat = self._denoise(z, sigma, generators)
                z_0 = self._langevin(measurement, z_hat, sigma, beta, s.rate * shares[level], generators)
                if level + 1 < len(sigmas):
                    z = stochastic_encode(z_0, self._nearest(sigmas[level + 1])[1], generators)
            return measurement.solution(self.prior.decode(z_0), s.levels, "iterations")

    def _nearest(self, sigma: float) -> tuple[int, float]:
        """T and abar_t of the schedule's time whose noise is nearest to sigma."""
        alpha_bar = self.prior.schedule.alpha_bar
        t = int(np.abs(np.log((1 - alpha_bar) / alpha_bar) - 2 * np.log(sigma)).argmin())
        return t, float(alpha_bar[t])

    def _denoise(
        self, z: torch.Tensor, sigma: float, generators: Sequence[torch.Generator]
    ) -> torch.Tensor:
        """Zhat at the end of the probability-flow ODE, whose Euler steps in sigma are DDIM's."""
        s = self.settings
        shares = (1 - np.arange(s.ode_steps) / s.ode_steps) ** s.rho
        # A level near the end has fewer distinct times than steps.
        places = list(dict.fromkeys(self._nearest(sigma * share) for share in shares))
        for (t, a), (_, a_next) in zip(places, [*places[1:], (0, 1.0)], strict=True):
            noise = self.prior.predict_noise(z, t)
            z = ddim_step(self.prior.schedule.tweedie(z, noise, t), noise, a, a_next, 0.0, generators)
        return z

    def _langevin(
        self,
        measurement: Measurement,
        z_hat: torch.Tensor,
        sigma: float,
        beta: torch.Tensor,
        rate: float,
        generators: Sequence[torch.Generator],
    ) -> torch.Tensor:
        """A sample of z_0 given zhat and y, from zhat."""
        z, v = z_hat, None
        for _ in range(self.settings.langevin_steps):
            with torch.enable_grad():
                z = z.detach().requires_grad_(True)
                misfit = measurement.operator(self.prior.decode(z)) - measurement.sinogram
                energy = (misfit / beta).square().sum() / 2 + ((z - z_hat) / sigma).square().sum() / 2
                (g,) = torch.autograd.grad(energy, z)
            if v is None:
                v = g.square().mean(dim=(1, 2, 3), keepdim=True)
            v = _MEMORY * v + (1 - _MEMORY) * g.square()
            step = rate / v.sqrt()
            z = z.detach() - step * g + (2 * step).sqrt() * randn(z.shape, generators).to(z)
        return z


def _spaced(first: float, last: float, count: int, rho: float) -> list[float]:
    """Noise levels, evenly spaced in their rho-th root (Karras et al. 2022)."""
    return [float(root**rho) for root in np.linspace(first ** (1 / rho), last ** (1 / rho), count)]
