"""Whether a series' values can be Hounsfield units."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from resample_ct.errors import StudyError
from resample_ct.io.padding import flat_at_border
from resample_ct.io.study import SlicePixels

# Extended CT scales end at 30,710 HU; metal is below.
_HIGHEST_HU = 32767.0
# Fat and the noise of any tissue lie below the first, lung and air below the second.
_FAT_HU, _AIR_HU = -100.0, -500.0
# Noise and streaks take air so low here and there, but not a twentieth of all pixels.
_TOO_LOW_HU, _TOO_LOW_SHARE = -1200.0, 0.05


def no_hu(name: str, low: float, high: float) -> StudyError:
    """The error for values of which none is as low as fat."""
    return StudyError(
        f"{name}: values lie between {low:g} and {high:g}, expected HU with fat or air below "
        f"{_FAT_HU:g}; convert the volume back to HU (was it normalised, or 1024 added?), or leave it out"
    )


@dataclass
class ValueRange:
    """What a series' measured values reach, gathered slice by slice.

    Attributes:
        low: smallest value outside padding; where that is as low as fat, of what is no flat background.
        high: largest value outside padding.
    """

    low: float = math.inf
    high: float = -math.inf
    _pixels: int = 0
    _too_low: int = 0

    def add(self, name: str, pixels: SlicePixels, remedy: str) -> None:
        """Take in a slice. Raises StudyError for values beyond every CT scale."""
        seen = pixels.hu[~pixels.padding]
        if not seen.size:
            return
        highest = float(seen.max())
        if highest > _HIGHEST_HU:
            raise StudyError(
                f"{name}: found {highest:g} HU, expected at most {_HIGHEST_HU:g}, where the widest CT "
                f"scales end; {remedy}"
            )
        self.high = max(self.high, highest)
        self._pixels += seen.size
        self._too_low += int((seen < _TOO_LOW_HU).sum())
        if self.low >= _FAT_HU and seen.min() < _FAT_HU:
            # A background that was set to one value says nothing of the values measured.
            measured = pixels.hu[~(pixels.padding | flat_at_border(pixels.hu))]
            seen = measured if measured.size else seen
        self.low = min(self.low, float(seen.min()))

    @property
    def is_no_hu(self) -> bool:
        """Whether nothing is as low as fat, as in normalised volumes and those with 1024 added."""
        return self.low >= _FAT_HU

    def notes(self) -> list[str]:
        """What is odd about the values, for the user."""
        notes = []
        if self.low >= _AIR_HU:
            notes.append(f"lowest value is {self.low:g}, no air: is it in HU?")
        share = self._too_low / max(self._pixels, 1)
        if share > _TOO_LOW_SHARE:
            notes.append(
                f"{share:.0%} of the values lie below {_TOO_LOW_HU:g}, where air is -1000: is it in HU?"
            )
        return notes


def above(pixels: SlicePixels, upper: float) -> int:
    """How many measured pixels of a slice lie above a window's end."""
    return int(np.count_nonzero((pixels.hu > upper) & ~pixels.padding))
