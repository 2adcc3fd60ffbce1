"""What every reconstruction method takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from resample_ct.errors import OptionError
from resample_ct.operators.base import LinearOperator, Operator
from resample_ct.operators.spectrum import HasSpectrum, Spectrum
from resample_ct.solvers.solution import Solution, Stopped, mean_square


@dataclass(frozen=True)
class Measurement:
    """What the scanner, or another instrument, gave.

    Attributes:
        operator: A.
        sinogram: y, (B, 1, angle, detector); (B, channels, *A.range_shape) of any other operator.
        noise_variance: (B,) mean variance of each slice's noise; 0 for a clean one.

    Raises:
        OptionError: an argument that does not fit the others, by name.
    """

    operator: Operator
    sinogram: torch.Tensor
    noise_variance: torch.Tensor

    def __post_init__(self) -> None:
        """Refuse what would end in a wrong number, or in torch's own words."""
        y, variance, name = self.sinogram, self.noise_variance, type(self.operator).__name__
        _check_finite("sinogram", y)
        if not y.is_floating_point():
            raise OptionError(f"sinogram: found {y.dtype}, expected floating-point numbers; convert it")
        shape = (self.operator.channels, *self.operator.range_shape)
        if y.dim() != 4 or len(y) == 0 or tuple(y.shape[1:]) != shape:
            raise OptionError(
                f"sinogram: found shape {tuple(y.shape)}, expected (B, {', '.join(map(str, shape))}) of "
                f"operator {name}, B at least 1"
            )
        if self.operator.dtype not in (None, y.dtype):
            raise OptionError(
                f"sinogram: found {y.dtype}, expected {self.operator.dtype}, in which operator {name} "
                "computes; convert it by sinogram.to(...)"
            )
        _check_finite("noise_variance", variance)
        if variance.shape != y.shape[:1]:
            raise OptionError(
                f"noise_variance: found shape {tuple(variance.shape)}, expected ({len(y)},), one for "
                "each slice of the sinogram"
            )
        if variance.device != y.device:
            raise OptionError(f"noise_variance: found on {variance.device}, expected on {y.device}")
        if bool((variance < 0).any()):
            raise OptionError(f"noise_variance: found {float(variance.min()):g}, expected 0 or more")

    @property
    def linear(self) -> LinearOperator:
        """A, for a method that needs its adjoint. Raises OptionError for a nonlinear one."""
        if not isinstance(self.operator, LinearOperator):
            raise OptionError(
                f"operator {type(self.operator).__name__}: not linear, which this method needs; choose "
                "method resample, dps, latent-dps or latent-daps"
            )
        return self.operator

    @property
    def spectrum(self) -> Spectrum:
        """A's singular values and vectors. Raises OptionError where they cannot be had."""
        if not isinstance(self.operator, HasSpectrum):
            raise OptionError(
                f"operator {type(self.operator).__name__}: no singular value decomposition, which this "
                "method needs; choose method dds"
            )
        return self.operator.spectrum()

    def residual(self, image: torch.Tensor) -> torch.Tensor:
        """Mean squared data residual of each slice, shape (B,)."""
        return mean_square(self.operator(image) - self.sinogram)

    def solution(self, image: torch.Tensor, iterations: int = 0, stopped: Stopped = "direct") -> Solution:
        """What a method found whose last step is no solver's: its residual is measured here."""
        with torch.no_grad():
            return Solution.of_all(image, self.residual(image), iterations, stopped)


def _check_finite(name: str, values: torch.Tensor) -> None:
    """Raise OptionError unless the argument is a tensor of finite numbers."""
    if not isinstance(values, torch.Tensor):
        raise OptionError(f"{name}: found {type(values).__name__}, expected a tensor")
    if not bool(values.isfinite().all()):
        raise OptionError(f"{name}: found NaN or infinity, expected finite numbers")


class Reconstructor(Protocol):
    """A method: settings in the constructor, the problem in the call."""

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """Images (B, 1, H, W) of relative attenuation, and why each stopped.

        Args:
            measurement: the problem.
            generators: one a slice, for its random numbers; a method that draws none takes an empty list.
        """
        ...
