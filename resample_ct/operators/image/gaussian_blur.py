"""Gaussian blur of 61 x 61 pixels with a standard deviation of 3, the paper's Gaussian deblurring."""

from __future__ import annotations

import numpy as np

from resample_ct.operators.image.separable import SeparableOperator


def blur_matrix(size: int, width: int, sigma: float) -> np.ndarray:
    """(size, size): each row a normalised Gaussian of `width` pixels, reflected at the image's edge.

    Reflected as the paper's code base pads, without repeating the edge pixel.
    """
    offsets = np.arange(width) - width // 2
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    matrix = np.zeros((size, size))
    period = max(2 * (size - 1), 1)
    for row in range(size):
        pixels = np.mod(row + offsets, period)
        np.add.at(matrix[row], np.minimum(pixels, period - pixels) if size > 1 else 0 * pixels, kernel)
    return matrix


def gaussian_blur(
    size: int, channels: int, width: int = 61, sigma: float = 3.0, device: str = "cpu"
) -> SeparableOperator:
    """Blurs images (B, channels, size, size)."""
    return SeparableOperator(blur_matrix(size, width, sigma), channels, device)
