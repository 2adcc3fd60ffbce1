"""Geometries as values: where every ray runs, in units of an image pixel.

x runs right, y up, and the origin, which the scanner turns about, is the image's centre. Every geometry
states each of its rays as a line {x cos(theta) + y sin(theta) = s}, and the projector knows nothing else
of it. Angles and signs are ASTRA's.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np

from resample_ct.errors import OptionError


def detectors_for(image_size: int) -> int:
    """Detector pixels that see the whole square from every side: its diagonal, rounded up to even.

    >>> detectors_for(256)
    364
    """
    count = math.ceil(math.sqrt(2.0) * image_size)
    return count + count % 2


@dataclass(frozen=True)
class Geometry(ABC):
    """A square image and the rays that cross it, view by view.

    Attributes:
        image_size: pixels of the image's side.
        angles: radians, one a view, in any order.
        n_detectors: detector pixels.
        detector_spacing: distance between detector pixels along the detector, in image pixels.
        detector_offset: how far the detector is shifted along itself from where it would be centred, in
            detector pixels: 0.25 for a quarter-pixel shift. Detector pixel k lies at
            (k - (n_detectors - 1) / 2 + detector_offset) * detector_spacing.
    """

    image_size: int
    angles: tuple[float, ...]
    n_detectors: int
    detector_spacing: float = 1.0
    detector_offset: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no ray could be drawn from; numpy's numbers become plain ones."""
        object.__setattr__(self, "angles", tuple(map(float, self.angles)))
        object.__setattr__(self, "detector_spacing", float(self.detector_spacing))
        object.__setattr__(self, "detector_offset", float(self.detector_offset))
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
        if not abs(self.detector_offset) <= self.n_detectors:
            raise OptionError(
                f"geometry: found a detector offset of {self.detector_offset} detector pixels, expected "
                f"at most the detector's own {self.n_detectors} either way"
            )

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

    def finer(self, parts: int) -> Geometry:
        """The same rays in pixels of a part of the size, and as many of them in each detector pixel."""
        return replace(
            self,
            image_size=self.image_size * parts,
            n_detectors=self.n_detectors * parts,
            detector_offset=self.detector_offset * parts,
        )

    @property
    @abstractmethod
    def told(self) -> str:
        """The kind of rays in words, after a number of views."""

    @property
    def turns_whole(self) -> bool:
        """Whether the views go all around the image, so that lines are measured from either end."""
        around = view_arcs(self.angles, 2 * math.pi).sum()
        return self.n_angles > 1 and math.isclose(around, 2 * math.pi)

    @property
    def detector_places(self) -> np.ndarray:
        """(detector,) image pixels along the detector from the central ray to each detector pixel."""
        index = np.arange(self.n_detectors) - (self.n_detectors - 1) / 2
        return (index + self.detector_offset) * self.detector_spacing

    @property
    @abstractmethod
    def fan_angles(self) -> np.ndarray:
        """(detector,) radians between each detector pixel's ray and the central one."""

    @property
    @abstractmethod
    def fan_step(self) -> float:
        """Radians between neighbouring rays where that is the same all over the detector, else 0."""

    @property
    def longest_reach(self) -> float:
        """Image pixels along the detector to the end of the half by which lines are all measured."""
        places = self.detector_places
        half = (max if self.turns_whole else min)(-places[0], places[-1])
        return max(0.0, float(half) + self.detector_spacing / 2)

    @abstractmethod
    def lines(self) -> tuple[np.ndarray, np.ndarray]:
        """Theta in radians and s in image pixels of every ray, each (angle, detector)."""

    @abstractmethod
    def shadow(self, angle: float, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where points cast their shadows in the view at an angle.

        Args:
            angle: radians.
            x: image pixels to the right of the origin.
            y: image pixels above it.

        Returns:
            The place along the detector in image pixels, and the square of the magnification there
            relative to that at the axis of rotation: what a filtered view is weighted with.
        """

    @property
    @abstractmethod
    def axis_spacing(self) -> float:
        """Distance in image pixels between neighbouring rays where they pass the axis of rotation."""

    @property
    @abstractmethod
    def farthest(self) -> float:
        """Distance in image pixels from the origin that no ray can pass beyond."""

    @abstractmethod
    def reach(self, radius: float) -> float:
        """Image pixels along the detector to the ray that touches a circle about the origin."""

    @property
    @abstractmethod
    def seen_radius(self) -> float:
        """Radius in image pixels of the circle about the origin whose lines are all measured.

        Every view sees it; in a scan of a whole turn the detector's longer half is enough.
        """

    @property
    @abstractmethod
    def missing_arc(self) -> float:
        """Radians of arc that the views lack of what a complete scan of the image needs; 0 for none."""


def view_arcs(angles: tuple[float, ...], period: float) -> np.ndarray:
    """(angle,) radians of arc that each view stands for: half of the way to either neighbour.

    The widest gap counts no more than the second widest, so that a scan over part of `period`, after
    which views repeat, is not taken for a sparse one over all of it. They add up to the covered arc.

    >>> angles = tuple(k * math.pi / 100 for k in range(60))
    >>> round(float(view_arcs(angles, math.pi).sum() / math.pi), 3)
    0.6
    """
    turned = np.mod(angles, period)
    order = np.argsort(turned)
    gaps = np.diff(turned[order], append=turned[order][0] + period)
    if len(gaps) > 1:
        gaps[gaps.argmax()] = np.partition(gaps, -2)[-2]
    arcs = np.empty_like(turned)
    arcs[order] = 0.5 * (gaps + np.roll(gaps, 1))
    return arcs


@dataclass(frozen=True)
class ParallelBeam(Geometry):
    """Parallel rays through a square image; see `Geometry` for its fields.

    The ray of detector coordinate s at angle a is {x cos(a) + y sin(a) = s}, ASTRA's convention.

    >>> ParallelBeam.uniform(256, 25).n_detectors
    364
    """

    @classmethod
    def uniform(cls, image_size: int, n_angles: int, arc: float = math.pi) -> ParallelBeam:
        """Views at k arc / n_angles, and a detector as wide as the image's diagonal (paper 4)."""
        angles = tuple(k * arc / n_angles for k in range(n_angles))
        return cls(image_size, angles, detectors_for(image_size))

    @property
    def told(self) -> str:
        """See `Geometry`."""
        return "parallel-beam views"

    @property
    def fan_angles(self) -> np.ndarray:
        """See `Geometry`; all are 0."""
        return np.zeros(self.n_detectors)

    @property
    def fan_step(self) -> float:
        """See `Geometry`."""
        return 0.0

    def lines(self) -> tuple[np.ndarray, np.ndarray]:
        """See `Geometry`."""
        theta, s = np.meshgrid(self.angles, self.detector_places, indexing="ij")
        return theta, s

    def shadow(self, angle: float, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Geometry`; nothing is magnified."""
        return x * math.cos(angle) + y * math.sin(angle), np.ones(1, x.dtype)

    @property
    def axis_spacing(self) -> float:
        """See `Geometry`."""
        return self.detector_spacing

    @property
    def farthest(self) -> float:
        """See `Geometry`; there is none."""
        return math.inf

    def reach(self, radius: float) -> float:
        """See `Geometry`."""
        return radius

    @property
    def seen_radius(self) -> float:
        """See `Geometry`."""
        return self.longest_reach

    @property
    def missing_arc(self) -> float:
        """See `Geometry`; complete is half a turn."""
        return max(0.0, math.pi - float(view_arcs(self.angles, math.pi).sum()))
