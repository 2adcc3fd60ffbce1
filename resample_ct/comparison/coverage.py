"""Whether an uncertainty map is right: how often the truth lies within so many spreads of the result."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

SPREADS = (1, 2, 3)
# Where there is anything, in relative attenuation: air around the patient is right by the lower clip.
_ANYTHING = 0.02


def inhabited(image: Any, truth: Any) -> Any:
    """Mask of the pixels in and around the body; arrays or tensors of relative attenuation."""
    return (truth > _ANYTHING) | (image > _ANYTHING)


class Coverage:
    """Counts over the pixels in and around the body of one method's slices."""

    def __init__(self) -> None:
        self._pixels = 0
        self._within = np.zeros(len(SPREADS), np.int64)
        self._error = self._spread = 0.0

    def add(self, image: np.ndarray, truth: np.ndarray, spread: np.ndarray) -> None:
        """One slice: all (row, column) relative attenuation."""
        there = inhabited(image, truth)
        error, spread = np.abs(image - truth)[there], spread[there]
        self._pixels += error.size
        self._within += [int((error <= k * spread).sum()) for k in SPREADS]
        self._error += float(np.square(error, dtype=np.float64).sum())
        self._spread += float(np.square(spread, dtype=np.float64).sum())

    def record(self, width_hu: float) -> dict[str, Any] | None:
        """Shares, and root mean squares in HU of a window so wide; None where nothing was counted."""
        if self._pixels == 0:
            return None
        shares = self._within / self._pixels
        return {
            "pixels": self._pixels,
            "rms_error_hu": width_hu * math.sqrt(self._error / self._pixels),
            "rms_spread_hu": width_hu * math.sqrt(self._spread / self._pixels),
            "within": {str(k): float(share) for k, share in zip(SPREADS, shares, strict=True)},
        }
