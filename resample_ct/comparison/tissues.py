"""Tissues by the HU of the truth, and the body, where errors matter."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

# Pixels between the ranges are mixtures of two tissues and belong to none.
TISSUES = {
    "air": (-np.inf, -950.0),
    "lung": (-950.0, -500.0),
    "fat": (-150.0, -30.0),
    "soft tissue": (0.0, 150.0),
    "bone": (200.0, np.inf),
}
BODY_HU = -500.0


def tissue(hu: np.ndarray, name: str) -> np.ndarray:
    """Mask of a tissue of `TISSUES` in HU of any shape: from the lower bound up to below the upper."""
    low, high = TISSUES[name]
    return (hu >= low) & (hu < high)


def body(hu: np.ndarray) -> np.ndarray:
    """Mask of the largest thing above -500 HU in a slice (row, column), its holes (lungs, bowel) filled.

    Empty where nothing is above it.
    """
    # Opened first: a table or a sheet that touches the skin is not the body.
    labels, count = ndimage.label(ndimage.binary_opening(hu > BODY_HU, iterations=2))
    if count == 0:
        return np.zeros(hu.shape, bool)
    largest = 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    return np.asarray(ndimage.binary_fill_holes(labels == largest))
