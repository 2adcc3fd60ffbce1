"""HU, attenuation relative to the window, and network range: the only place they are converted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from resample_ct.errors import OptionError

Array = TypeVar("Array", np.ndarray, torch.Tensor)


@dataclass(frozen=True)
class Window:
    """A HU window; v = (HU - lower) / (upper - lower), so that v = 0 is air (method section 4).

    >>> Window().width
    3000.0
    """

    lower: float = -1000.0
    upper: float = 2000.0

    def __post_init__(self) -> None:
        """Refuse a window of no width, or none in numbers."""
        if not -math.inf < self.lower < self.upper < math.inf:
            raise OptionError(
                f"HU window: found {self.lower} to {self.upper}, expected finite ascending numbers"
            )

    @property
    def width(self) -> float:
        """Width of the window in HU."""
        return self.upper - self.lower

    def from_hu(self, hu: Array) -> Array:
        """HU to relative attenuation in [0, 1]; values outside the window are clipped."""
        return ((hu - self.lower) / self.width).clip(0.0, 1.0)

    def to_hu(self, attenuation: Array) -> Array:
        """Relative attenuation to HU; exact inverse of `from_hu` inside the window."""
        return attenuation * self.width + self.lower


def to_network(attenuation: Array) -> Array:
    """[0, 1] to the networks' [-1, 1]."""
    return 2.0 * attenuation - 1.0


def from_network(value: Array) -> Array:
    """The networks' [-1, 1] to [0, 1], unclipped so that gradients flow."""
    return 0.5 * (value + 1.0)
