"""An operator's singular values and vectors, which spectral methods work in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

import torch


class Spectrum(ABC):
    """A = U S V^T, on each channel alike; coefficients are (B, channels, n), n the rank."""

    @property
    @abstractmethod
    def singular_values(self) -> torch.Tensor:
        """(n,), positive: directions without a singular value are the null space."""

    @abstractmethod
    def measured(self, y: torch.Tensor) -> torch.Tensor:
        """U^T y, coefficients of a measurement."""

    @abstractmethod
    def analyse(self, x: torch.Tensor) -> torch.Tensor:
        """V^T x, coefficients of an image."""

    @abstractmethod
    def synthesise(self, coefficients: torch.Tensor) -> torch.Tensor:
        """V c, the image of coefficients; orthogonal to the null space."""


@runtime_checkable
class HasSpectrum(Protocol):
    """An operator whose singular value decomposition can be had."""

    def spectrum(self) -> Spectrum:
        """The decomposition; may take a while the first time."""
        ...
