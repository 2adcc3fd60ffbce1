"""What a series must show before it is trained on: HU, a body, finite numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from resample_ct.errors import StudyError
from resample_ct.io.plausible import no_hu
from resample_ct.io.study import Study

# Fat and the noise of any tissue lie below the first; a body lies above the second.
_HIGHEST_MINIMUM_HU = -100.0
_LOWEST_MAXIMUM_HU = -850.0


def check_values(study: Study, name: str, drawn: Sequence[int]) -> None:
    """Refuse a series whose values are no CT.

    The slices drawn are looked at, and the others only where those leave a doubt: the end of a stack
    may well show air and nothing else.

    Raises:
        StudyError: values that are not finite; the same everywhere; nothing above -850 HU; nothing
            below -100 HU, which is a volume that is not in HU.
    """
    low, high = math.inf, -math.inf
    others = [index for index in range(len(study)) if index not in set(drawn)]
    for place, index in enumerate([*drawn, *others]):
        if place >= len(drawn) and low < _HIGHEST_MINIMUM_HU and high > _LOWEST_MAXIMUM_HU:
            return
        pixels = study.pixels(index)
        seen = pixels.hu[~pixels.padding]
        if not np.isfinite(pixels.hu).all():
            raise StudyError(
                f"{name}: slice {index + 1}: found values that are not finite, expected HU; repair or "
                "leave out the series"
            )
        if seen.size:
            low, high = min(low, float(seen.min())), max(high, float(seen.max()))
    if low < _HIGHEST_MINIMUM_HU and high > _LOWEST_MAXIMUM_HU:
        return
    if low == high:
        raise StudyError(f"{name}: every voxel is {low:g}, expected a CT image; leave out the series")
    if high <= _LOWEST_MAXIMUM_HU:
        raise StudyError(
            f"{name}: every voxel is below {_LOWEST_MAXIMUM_HU:g} HU, expected a body; check the series' "
            "rescale intercept, or leave it out"
        )
    raise no_hu(name, low, high)
