"""Bicubic downsampling, as in the paper's code base: what 4x super-resolution has to undo."""

from __future__ import annotations

import numpy as np

from resample_ct.errors import OptionError
from resample_ct.operators.image.separable import SeparableOperator


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys' kernel with a = -0.5 (IEEE Trans. Acoust. 1981), as MATLAB's imresize has it."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def bicubic_matrix(size: int, factor: int) -> np.ndarray:
    """(size / factor, size): each row the stretched kernel around an output pixel's centre.

    Stretched by the factor, so that what the coarse grid cannot hold is averaged away (antialiased), its
    weights normalised, the image mirrored beyond its edge: DPS's and ReSample's `Resizer`.
    Raises OptionError for a size that the factor does not divide.
    """
    if size % factor:
        raise OptionError(f"super-resolution: found a side of {size}, expected a multiple of {factor}")
    matrix = np.zeros((size // factor, size))
    reach = 2 * factor
    for row in range(size // factor):
        centre = (row + 0.5) * factor - 0.5
        pixels = np.arange(int(np.ceil(centre - reach)), int(np.floor(centre + reach)) + 1)
        weights = _cubic((pixels - centre) / factor)
        mirrored = np.mod(pixels, 2 * size)
        mirrored = np.minimum(mirrored, 2 * size - 1 - mirrored)
        np.add.at(matrix[row], mirrored, weights / weights.sum())
    return matrix


def downsampling(size: int, channels: int, factor: int = 4, device: str = "cpu") -> SeparableOperator:
    """Images (B, channels, size, size) to `factor` times fewer pixels a side."""
    return SeparableOperator(bicubic_matrix(size, factor), channels, device)
