"""What every check asks of a scan: its views, their noise, and what lies beside the object."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from resample_ct.physics.geometry import Geometry
from resample_ct.physics.sinogram_file import Sinogram
from resample_ct.scan_check.noise import estimate_sigma

# Every slice went through one scanner; these many tell of it as well as all.
_SLICES = 8
# An end of the detector this far above zero, as a share of the scan's attenuation, is behind the object.
_COVERED = 0.05


@dataclass(frozen=True)
class Signals:
    """Views of some slices of a scan.

    Attributes:
        views: (slice, angle, detector) float64, line integrals in pixels.
        geometry: the rays, as the file states them.
    """

    views: np.ndarray
    geometry: Geometry

    @classmethod
    def of(cls, scan: Sinogram) -> Signals:
        """Take up to eight slices over the whole scan."""
        chosen = np.unique(np.linspace(0, len(scan.data) - 1, _SLICES).round().astype(int))
        return cls(scan.data[chosen].astype(np.float64), scan.geometry)

    @cached_property
    def sigma(self) -> float:
        """Standard deviation of the noise."""
        return float(np.median([estimate_sigma(views) for views in self.views]))

    @cached_property
    def top(self) -> float:
        """The scan's attenuation: the 95th percentile of the line integrals, never 0."""
        return max(float(np.quantile(np.abs(self.views), 0.95)), 1e-12)

    @property
    def end_width(self) -> int:
        """Detector pixels at either end that are looked at for air."""
        return max(2, self.views.shape[2] // 64)

    @cached_property
    def ends(self) -> np.ndarray:
        """(2, slice, angle) mean over the first and the last detector pixels."""
        width = self.end_width
        return np.stack([self.views[:, :, :width].mean(2), self.views[:, :, -width:].mean(2)])

    @cached_property
    def air(self) -> float:
        """Level beside the object: that of the detector's end which is nearer to zero."""
        levels = np.median(self.ends, axis=(1, 2))
        return float(levels[np.argmin(np.abs(levels))])

    @cached_property
    def is_truncated(self) -> bool:
        """Whether the object reaches an end of the detector, in some views more than in others."""
        unsure = 5 * self.sigma / math.sqrt(self.end_width)
        covered = self.ends - self.air > _COVERED * self.top + unsure
        return bool(covered.mean() > 0.01)

    @cached_property
    def totals(self) -> np.ndarray:
        """(angle,) attenuation of each view over the detector, relative to the scan's mean."""
        sums = (self.views - self.air).sum(2)
        return (sums / np.maximum(sums.mean(1, keepdims=True), 1e-12)).mean(0)
