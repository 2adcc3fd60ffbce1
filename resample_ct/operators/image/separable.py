"""A linear operator that acts on rows and on columns alike, each by a small matrix."""

from __future__ import annotations

import numpy as np
import torch

from resample_ct.operators.base import LinearOperator
from resample_ct.operators.spectrum import Spectrum

# Directions below are lost in single precision, and in noise long before.
_SMALLEST = 1e-4


class SeparableOperator(LinearOperator):
    """A x = M x M^T on each channel of a square image; its adjoint, M^T y M, is exact.

    Args:
        matrix: M, (out, in).
        channels: of the image.
        device: of torch.
    """

    def __init__(self, matrix: np.ndarray, channels: int, device: str = "cpu") -> None:
        self.channels = channels
        self._matrix = torch.from_numpy(matrix).float().to(device)

    @property
    def domain_shape(self) -> tuple[int, int]:
        """(row, column)."""
        return self._matrix.shape[1], self._matrix.shape[1]

    @property
    def range_shape(self) -> tuple[int, int]:
        """(row, column) of the degraded image."""
        return self._matrix.shape[0], self._matrix.shape[0]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See `LinearOperator`."""
        return self._matrix @ x @ self._matrix.T

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """See `LinearOperator`."""
        return self._matrix.T @ y @ self._matrix

    def spectrum(self) -> Spectrum:
        """The singular value decomposition: all products of the matrix's own."""
        return _SeparableSpectrum(self._matrix)


class _SeparableSpectrum(Spectrum):
    def __init__(self, matrix: torch.Tensor) -> None:
        left, values, right = torch.linalg.svd(matrix.double(), full_matrices=False)
        self._left, self._right = left.to(matrix), right.T.to(matrix)
        products = torch.outer(values, values)
        self._kept = products > _SMALLEST * products.max()
        self._values = products[self._kept].to(matrix)

    @property
    def singular_values(self) -> torch.Tensor:
        return self._values

    def measured(self, y: torch.Tensor) -> torch.Tensor:
        return (self._left.T @ y @ self._left)[..., self._kept]

    def analyse(self, x: torch.Tensor) -> torch.Tensor:
        return (self._right.T @ x @ self._right)[..., self._kept]

    def synthesise(self, coefficients: torch.Tensor) -> torch.Tensor:
        full = coefficients.new_zeros(*coefficients.shape[:2], *self._kept.shape)
        full[..., self._kept] = coefficients
        return self._right @ full @ self._right.T
