"""A scan as another program's file states it, before it has an image grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from resample_ct.errors import SinogramError


@dataclass(frozen=True)
class RawScan:
    """Line integrals and what the file says of the rays.

    Attributes:
        path: of the file, for messages.
        attenuation: (slice, angle, detector), -ln(I / I0).
        angles: (angle,) radians.
        detector_pixel_mm: None where the file does not say.
        source_origin_mm, source_detector_mm: of a fan with a flat detector, None in parallel beam.
        source: what was scanned, in words.
    """

    path: Path
    attenuation: np.ndarray
    angles: np.ndarray
    detector_pixel_mm: float | None
    source: str
    source_origin_mm: float | None = None
    source_detector_mm: float | None = None

    def within(self, arc_degrees: float) -> RawScan:
        """The views of the scan's first `arc_degrees`. Raises SinogramError where these are too few."""
        away = np.abs(np.unwrap(self.angles) - self.angles[0])
        return self._views(np.flatnonzero(away < np.deg2rad(arc_degrees) - 1e-9))

    def thinned(self, views: int) -> RawScan:
        """So many views, evenly out of all. Raises SinogramError where there are fewer."""
        turned = np.round(np.mod(self.angles, 2 * np.pi), 6) % round(2 * np.pi, 6)
        # The last view of a turn is often the first once more.
        distinct = np.sort(np.unique(turned, return_index=True)[1])
        if views > len(distinct):
            raise SinogramError(
                f"{self.path}: --views {views}: found {len(distinct)} views at different angles, "
                "expected as many or more; ask for fewer"
            )
        return self._views(distinct[np.arange(views) * len(distinct) // views])

    def _views(self, chosen: np.ndarray) -> RawScan:
        if len(chosen) < 2:
            raise SinogramError(f"{self.path}: found {len(chosen)} views, expected two or more")
        return replace(self, attenuation=self.attenuation[:, chosen], angles=self.angles[chosen])
