"""DDRM: denoising diffusion restoration in the singular basis of the operator.

Kawar, Elad, Ermon, Song, "Denoising Diffusion Restoration Models" (NeurIPS 2022), eq. 7 and 8, with
eta = 0.85, eta_b = 1 and 20 steps. In the variance-exploding scale x_t / sqrt(abar_t) with noise sigma_t,
coefficients c of singular value s, and ybar = U^T y / s of noise sigma_y / s:

    s = 0                   c ~ N(chat + k eps, eta^2 sigma_t^2),  k = sqrt(1 - eta^2) sigma_t
    sigma_t < sigma_y / s   c ~ N(chat + k (ybar - chat) s / sigma_y, eta^2 sigma_t^2)
    sigma_t >= sigma_y / s  c ~ N((1 - eta_b) chat + eta_b ybar, sigma_t^2 - eta_b^2 sigma_y^2 / s^2)

The singular value decomposition is exact, see `radon_spectrum` for that of the Radon transform.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from resample_ct.operators.spectrum import Spectrum
from resample_ct.prior.diffusion import DiffusionPrior
from resample_ct.randomness import randn
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.guidance import in_network_range
from resample_ct.reconstruct.sampling import pure_noise, reverse_times
from resample_ct.solvers.solution import Solution


@dataclass(frozen=True)
class DDRMSettings:
    """What the authors set.

    Attributes:
        steps: 20 as published.
        eta: share of fresh noise where the measurement says less than x_t.
        eta_b: weight of the measurement where it says more.
    """

    steps: int = 20
    eta: float = 0.85
    eta_b: float = 1.0


@dataclass(frozen=True)
class DDRM:
    """Every singular direction is denoised on its own, as far as its own measurement is noisy."""

    prior: DiffusionPrior
    settings: DDRMSettings = DDRMSettings()

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """See `Reconstructor`. Raises OptionError for an operator without singular values."""
        s, schedule = self.settings, self.prior.schedule
        with torch.no_grad():
            spectrum = measurement.spectrum
            scaled = in_network_range(measurement)
            ybar = spectrum.measured(scaled.sinogram) / spectrum.singular_values
            sigma_ybar = scaled.noise_variance.sqrt().view(-1, 1, 1) / spectrum.singular_values
            x = pure_noise(self.prior, measurement, generators)
            for step, (t, a, a_next) in enumerate(reverse_times(schedule, s.steps)):
                if step == 0:
                    x = a**0.5 * self._first(spectrum, x, ybar, sigma_ybar, ((1 - a) / a) ** 0.5)
                noise = self.prior.predict_noise(x, t)
                clean = schedule.tweedie(x, noise, t)
                sigma = ((1 - a_next) / a_next) ** 0.5
                fresh = randn(x.shape, generators).to(x)
                c = self._next(spectrum, clean, noise, fresh, ybar, sigma_ybar, sigma)
                x = a_next**0.5 * c
            return measurement.solution(self.prior.decode(x), s.steps, "iterations")

    def _first(
        self,
        spectrum: Spectrum,
        fresh: torch.Tensor,
        ybar: torch.Tensor,
        sigma_ybar: torch.Tensor,
        sigma: float,
    ) -> torch.Tensor:
        """x_T: what is measured better than sigma_T, noised to it; noise elsewhere."""
        drawn = spectrum.analyse(fresh)
        spread = (sigma**2 - sigma_ybar.square()).clamp(min=0).sqrt()
        start = torch.where(sigma_ybar < sigma, ybar + spread * drawn, sigma * drawn)
        return sigma * fresh + spectrum.synthesise(start - sigma * drawn)

    def _next(
        self,
        spectrum: Spectrum,
        clean: torch.Tensor,
        noise: torch.Tensor,
        fresh: torch.Tensor,
        ybar: torch.Tensor,
        sigma_ybar: torch.Tensor,
        sigma: float,
    ) -> torch.Tensor:
        """x_t from xhat and the predicted noise, in the variance-exploding scale."""
        s = self.settings
        k = (1 - s.eta**2) ** 0.5 * sigma
        unmeasured = clean + k * noise + s.eta * sigma * fresh
        chat, drawn = spectrum.analyse(clean), spectrum.analyse(fresh)
        noisier = chat + k * (ybar - chat) / sigma_ybar.clamp(min=1e-12) + s.eta * sigma * drawn
        spread = (sigma**2 - (s.eta_b * sigma_ybar).square()).clamp(min=0).sqrt()
        cleaner = (1 - s.eta_b) * chat + s.eta_b * ybar + spread * drawn
        measured = torch.where(sigma_ybar > sigma, noisier, cleaner)
        return unmeasured + spectrum.synthesise(measured - spectrum.analyse(unmeasured))
