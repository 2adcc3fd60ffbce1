"""Which pixels of a slice lie outside the scanner's field of view.

Padding is what the header names, and a flat region at the border far below air, which scanners write
without naming it. Air that is measured below -1024 HU is noise, and is reconstructed.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from resample_ct.values.volume import AIR_HU

# No scanner measures less than this but by noise or streaks.
_LOWEST_HU = -1024.0
# A flat region of so many pixels, or of this share of the slice, is no chance.
_FEWEST_PIXELS, _SMALLEST_SHARE = 64, 5e-4


def flat_at_border(hu: np.ndarray) -> np.ndarray:
    """(row, column) bool: regions of one value each that reach the border.

    Regions of at least 64 pixels and 0.05 % of the slice; noise makes none.

    Args:
        hu: (row, column).
    """
    found = np.zeros(hu.shape, bool)
    across, down = hu[:, 1:] == hu[:, :-1], hu[1:] == hu[:-1]
    # In a region most pixels begin 2 x 2 of one value, in noise few do.
    begun = hu[:-1, :-1][across[:-1] & across[1:] & down[:, :-1]]
    values, counts = np.unique(begun, return_counts=True)
    for value in values[counts >= _least(hu) / 2]:
        found |= _reaching_border(hu == value, _least(hu))
    return found


def padding_of(hu: np.ndarray, named: np.ndarray | None = None) -> tuple[np.ndarray, int]:
    """Padding, and how many pixels of a named padding value are none.

    A value above -1000 HU is also that of some tissue: its pixels are padding where they reach the
    border, and measured where they lie inside the body.

    Args:
        hu: (row, column).
        named: (row, column) bool, where the slice has the values that its header calls padding.
    """
    padding = np.zeros(hu.shape, bool)
    disputed = 0
    if named is not None and named.any():
        padding = named & (hu <= AIR_HU)
        like_tissue = named & ~padding
        outside = _reaching_border(like_tissue, 1)
        if (like_tissue & ~outside).any():
            # What also occurs inside must be a region to be padding, for the body may reach the border.
            outside = _reaching_border(like_tissue, _least(hu))
        padding |= outside
        disputed = int((like_tissue & ~outside).sum())
    low = (hu < _LOWEST_HU) & ~padding
    if _edges(low).any():
        padding |= flat_at_border(np.where(low, hu, np.nan)) & low
    return padding, disputed


def _least(hu: np.ndarray) -> int:
    return max(_FEWEST_PIXELS, round(_SMALLEST_SHARE * hu.size))


def _edges(values: np.ndarray) -> np.ndarray:
    return np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])


def _reaching_border(mask: np.ndarray, least: int) -> np.ndarray:
    """The connected parts of a mask that reach the border and have at least so many pixels."""
    if not _edges(mask).any():
        return np.zeros(mask.shape, bool)
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels.ravel())
    kept = np.zeros(len(sizes), bool)
    kept[_edges(labels)] = True
    kept &= sizes >= least
    kept[0] = False
    return kept[labels]
