"""What every reconstruction method takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from resample_ct.physics.operator import LinearOperator


@dataclass(frozen=True)
class Measurement:
    """What the scanner gave.

    Attributes:
        operator: A.
        sinogram: y, (B, 1, angle, detector).
        noise_variance: (B,) mean variance of each slice's noise; 0 for a clean one.
    """

    operator: LinearOperator
    sinogram: torch.Tensor
    noise_variance: torch.Tensor

    def residual(self, image: torch.Tensor) -> torch.Tensor:
        """Mean squared data residual of each slice, shape (B,)."""
        return (self.operator(image) - self.sinogram).square().mean(dim=(1, 2, 3))


class Reconstructor(Protocol):
    """A method: settings in the constructor, the problem in the call."""

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> torch.Tensor:
        """Image (B, 1, H, W) of relative attenuation; one generator a slice for its random numbers."""
        ...
