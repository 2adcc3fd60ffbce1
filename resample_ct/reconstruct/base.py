"""What every reconstruction method takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from resample_ct.errors import OptionError
from resample_ct.operators.base import LinearOperator, Operator
from resample_ct.operators.spectrum import HasSpectrum, Spectrum


@dataclass(frozen=True)
class Measurement:
    """What the scanner, or another instrument, gave.

    Attributes:
        operator: A.
        sinogram: y, (B, 1, angle, detector); (B, channels, *A.range_shape) of any other operator.
        noise_variance: (B,) mean variance of each slice's noise; 0 for a clean one.
    """

    operator: Operator
    sinogram: torch.Tensor
    noise_variance: torch.Tensor

    @property
    def linear(self) -> LinearOperator:
        """A, for a method that needs its adjoint. Raises OptionError for a nonlinear one."""
        if not isinstance(self.operator, LinearOperator):
            raise OptionError(
                f"operator {type(self.operator).__name__}: not linear, which this method needs; choose "
                "--method resample, dps, latent-dps or latent-daps"
            )
        return self.operator

    @property
    def spectrum(self) -> Spectrum:
        """A's singular values and vectors. Raises OptionError where they cannot be had."""
        if not isinstance(self.operator, HasSpectrum):
            raise OptionError(
                f"operator {type(self.operator).__name__}: no singular value decomposition, which this "
                "method needs; choose --method dds"
            )
        return self.operator.spectrum()

    def residual(self, image: torch.Tensor) -> torch.Tensor:
        """Mean squared data residual of each slice, shape (B,)."""
        return (self.operator(image) - self.sinogram).square().mean(dim=(1, 2, 3))


class Reconstructor(Protocol):
    """A method: settings in the constructor, the problem in the call."""

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> torch.Tensor:
        """Image (B, 1, H, W) of relative attenuation; one generator a slice for its random numbers."""
        ...
