"""Parallel-beam geometry as a value: where every ray runs, in units of a pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

from resample_ct.errors import OptionError


def detectors_for(image_size: int) -> int:
    """Detector pixels that see the whole square from every side: its diagonal, rounded up to even.

    >>> detectors_for(256)
    364
    """
    count = math.ceil(math.sqrt(2.0) * image_size)
    return count + count % 2


@dataclass(frozen=True)
class ParallelBeam:
    """Parallel rays through a square image; x runs right, y up, the origin is the image's centre.

    The ray of detector coordinate s at angle a is {x cos(a) + y sin(a) = s}, ASTRA's convention.

    Attributes:
        image_size: pixels of the image's side.
        angles: radians, one a view.
        n_detectors: detector pixels, centred on the origin's projection.
        detector_spacing: distance between detector pixels, in image pixels.

    >>> ParallelBeam.uniform(256, 25).n_detectors
    364
    """

    image_size: int
    angles: tuple[float, ...]
    n_detectors: int
    detector_spacing: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what no ray could be drawn from; numpy's numbers become plain ones."""
        object.__setattr__(self, "angles", tuple(map(float, self.angles)))
        if self.image_size < 1 or self.n_detectors < 1 or not self.angles:
            raise OptionError(
                f"geometry: found image_size {self.image_size}, {len(self.angles)} angles and "
                f"{self.n_detectors} detectors, expected at least one of each"
            )
        if not all(map(math.isfinite, self.angles)) or not 0 < self.detector_spacing < math.inf:
            raise OptionError(
                f"geometry: found a detector spacing of {self.detector_spacing} or a non-finite "
                "angle, expected finite angles in radians and a positive spacing in pixels"
            )

    @classmethod
    def uniform(cls, image_size: int, n_angles: int) -> ParallelBeam:
        """Views at k pi / n_angles, and a detector as wide as the image's diagonal (paper 4)."""
        angles = tuple(k * math.pi / n_angles for k in range(n_angles))
        return cls(image_size, angles, detectors_for(image_size))

    @property
    def n_angles(self) -> int:
        """Number of views."""
        return len(self.angles)

    @property
    def image_shape(self) -> tuple[int, int]:
        """(row, column)."""
        return self.image_size, self.image_size

    @property
    def sinogram_shape(self) -> tuple[int, int]:
        """(angle, detector)."""
        return self.n_angles, self.n_detectors
