"""Measurement noise on a sinogram, each slice from its own generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from resample_ct.errors import OptionError
from resample_ct.physics.noise_text import read_noise
from resample_ct.randomness import randn
from resample_ct.values.units import Window

MU_WATER_PER_MM = 0.0192


class NoiseModel(Protocol):
    """What corrupts a clean sinogram (B, 1, angle, detector)."""

    def apply(self, clean: torch.Tensor, generators: Sequence[torch.Generator]) -> torch.Tensor:
        """The noisy sinogram; slice b draws from generator b."""
        ...

    def variance(self, clean: torch.Tensor) -> torch.Tensor:
        """Noise variance of every ray, in the shape of `clean`."""
        ...


@dataclass(frozen=True)
class NoNoise:
    """The clean sinogram."""

    def apply(self, clean: torch.Tensor, generators: Sequence[torch.Generator]) -> torch.Tensor:
        """See `NoiseModel`."""
        return clean

    def variance(self, clean: torch.Tensor) -> torch.Tensor:
        """See `NoiseModel`."""
        return torch.zeros_like(clean)


@dataclass(frozen=True)
class GaussianNoise:
    """y = A x + sigma_y n (paper section 4).

    Attributes:
        sigma: standard deviation.
        relative: whether sigma is a share of each sinogram's maximum. The paper never states its
            sinograms' scale; False reads sigma literally, in the units of a unit-pixel projector.
    """

    sigma: float
    relative: bool = False

    def _sigma(self, clean: torch.Tensor) -> torch.Tensor:
        scale = clean.amax(dim=(1, 2, 3), keepdim=True) if self.relative else torch.ones(())
        return self.sigma * scale.to(clean)

    def apply(self, clean: torch.Tensor, generators: Sequence[torch.Generator]) -> torch.Tensor:
        """See `NoiseModel`."""
        return clean + self._sigma(clean) * randn(clean.shape, generators).to(clean)

    def variance(self, clean: torch.Tensor) -> torch.Tensor:
        """See `NoiseModel`."""
        return self._sigma(clean).square().expand_as(clean)


@dataclass(frozen=True)
class PoissonNoise:
    """Photon counting: counts ~ Poisson(I0 exp(-p)) + N(0, electronic^2), y = -ln(counts / I0).

    Attributes:
        photons: I0, photons per unattenuated ray.
        attenuation_per_unit: p per unit of the sinogram, see `attenuation_per_unit`.
        electronic: standard deviation of the detector's electronic noise, in photons.
    """

    photons: float
    attenuation_per_unit: float
    electronic: float = 0.0

    def apply(self, clean: torch.Tensor, generators: Sequence[torch.Generator]) -> torch.Tensor:
        """See `NoiseModel`; a ray with no photon left counts one."""
        expected = self.photons * torch.exp(-clean.double() * self.attenuation_per_unit)
        counts = torch.stack(
            [torch.poisson(e.cpu(), generator=g) for e, g in zip(expected, generators, strict=True)]
        )
        if self.electronic:
            counts = counts + self.electronic * randn(counts.shape, generators).to(counts)
        noisy = -torch.log(counts.clamp(min=1.0) / self.photons) / self.attenuation_per_unit
        return noisy.to(clean)

    def variance(self, clean: torch.Tensor) -> torch.Tensor:
        """See `NoiseModel`: var(ln counts) = var(counts) / counts^2."""
        photons = (self.photons * torch.exp(-clean * self.attenuation_per_unit)).clamp(min=1.0)
        return (photons + self.electronic**2) / (photons * self.attenuation_per_unit).square()


def attenuation_per_unit(pixel_mm: float, window: Window, mu_water: float = MU_WATER_PER_MM) -> float:
    """What one unit of our sinograms is in -ln(I / I0).

    A relative attenuation of 1 is `window.width` HU above air, that is width / 1000 times water's.
    Raises OptionError for a window that does not start at air, -1000 HU: rays through the empty image
    would be attenuated too.
    """
    if window.lower != -1000.0:
        raise OptionError(
            f"HU window: found {window.lower} to {window.upper}, expected one from -1000 (air), which "
            "photon noise and -ln(I / I0) need; choose gaussian noise or units of pixels"
        )
    return mu_water * window.width / 1000.0 * pixel_mm


def parse_noise(text: str, pixel_mm: float, window: Window) -> NoiseModel:
    """`gaussian:0.01`, `gaussian:1%`, `poisson:1e5`, `poisson:1e5:10` or `none`.

    Args:
        text: the option as given; a percentage is of each sinogram's maximum, and a number behind the
            photons the electronic noise in photons.
        pixel_mm: pixel size, which the photon model needs.
        window: HU window that the attenuation is relative to.

    Raises:
        OptionError: anything else, a number that is not positive and finite, or photons with a
            window that does not start at air.
    """
    asked = read_noise(text)
    if asked.kind == "none":
        return NoNoise()
    if asked.kind == "poisson":
        return PoissonNoise(asked.number, attenuation_per_unit(pixel_mm, window), asked.electronic)
    return GaussianNoise(asked.number, asked.relative)
