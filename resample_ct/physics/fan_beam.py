"""Fan-beam geometry as a value: rays from a focal spot to a flat or a curved detector."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, replace

import numpy as np

from resample_ct.errors import OptionError
from resample_ct.physics.geometry import Geometry, detectors_for, view_arcs

_FULL_TURN = 2 * math.pi


@dataclass(frozen=True)
class FanBeam(Geometry):
    """Rays from a source that turns about the image to the detector opposite; see `Geometry`, too.

    At angle a the source is at source_origin * (sin(a), -cos(a)), and detector coordinates grow along
    (cos(a), sin(a)), as in ASTRA's `fanflat`. The ray to detector coordinate u has the fan angle
    gamma = arctan(u / source_detector) on a flat detector and u / source_detector on a curved one, which
    is an arc about the source; it is the line of theta = a - gamma and s = source_origin * sin(gamma).
    All lengths are in image pixels: divide millimetres by the pixel size.

    Attributes:
        source_origin: from the source to the axis of rotation; the source is outside of the image.
        source_detector: from the source to the detector, at least `source_origin`.
        curved: whether the detector is an arc about the source, as diagnostic scanners have it.

    >>> FanBeam(256, (0.0, 0.1), 364, source_origin=400.0, source_detector=400.0).sinogram_shape
    (2, 364)
    """

    _: KW_ONLY
    source_origin: float
    source_detector: float
    curved: bool = False

    def __post_init__(self) -> None:
        """Refuse what no ray could be drawn from; numpy's numbers become plain ones."""
        super().__post_init__()
        for name in ("source_origin", "source_detector"):
            object.__setattr__(self, name, float(getattr(self, name)))
        object.__setattr__(self, "curved", bool(self.curved))
        outside = math.sqrt(0.5) * self.image_size
        if not outside < self.source_origin < math.inf:
            raise OptionError(
                f"geometry: found the source {self.source_origin:g} pixels from the axis, expected more "
                f"than {outside:.1f}, half the image's diagonal: the source is outside of the image"
            )
        if not self.source_origin <= self.source_detector < math.inf:
            raise OptionError(
                f"geometry: found {self.source_detector:g} pixels from source to detector, expected at "
                f"least the {self.source_origin:g} from source to axis"
            )
        if np.abs(self.fan_angles).max() >= math.pi / 2:
            raise OptionError(
                f"geometry: found rays {np.rad2deg(np.abs(self.fan_angles).max()):.0f} degrees from the "
                "central one, expected less than 90; lengths are in image pixels"
            )

    @classmethod
    def uniform(
        cls,
        image_size: int,
        n_angles: int,
        *,
        source_origin: float,
        source_detector: float,
        arc: float = _FULL_TURN,
        curved: bool = False,
    ) -> FanBeam:
        """Views at k arc / n_angles, and a detector that sees the image's diagonal.

        Its pixels are as wide as the image's, seen at the axis of rotation.
        """
        angles = tuple(k * arc / n_angles for k in range(n_angles))
        central = cls(
            image_size,
            angles,
            1,
            source_origin=source_origin,
            source_detector=source_detector,
            curved=curved,
        )
        spacing = source_detector / source_origin
        half = central.reach(math.sqrt(0.5) * image_size) / spacing
        count = 2 * math.ceil(max(half, detectors_for(image_size) / 2))
        return replace(central, n_detectors=count, detector_spacing=spacing)

    def finer(self, parts: int) -> FanBeam:
        """See `Geometry`."""
        return replace(
            self,
            image_size=self.image_size * parts,
            n_detectors=self.n_detectors * parts,
            detector_offset=self.detector_offset * parts,
            source_origin=self.source_origin * parts,
            source_detector=self.source_detector * parts,
        )

    @property
    def told(self) -> str:
        """See `Geometry`."""
        return f"fan-beam views ({'curved' if self.curved else 'flat'} detector)"

    @property
    def fan_angles(self) -> np.ndarray:
        """See `Geometry`."""
        places = self.detector_places / self.source_detector
        return places if self.curved else np.arctan(places)

    @property
    def fan_step(self) -> float:
        """See `Geometry`; that of a curved detector."""
        return self.detector_spacing / self.source_detector if self.curved else 0.0

    def lines(self) -> tuple[np.ndarray, np.ndarray]:
        """See `Geometry`."""
        theta = np.array(self.angles)[:, None] - self.fan_angles
        return theta, np.broadcast_to(self.source_origin * np.sin(self.fan_angles), theta.shape)

    def shadow(self, angle: float, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Geometry`."""
        across = x * math.cos(angle) + y * math.sin(angle)
        along = y * math.cos(angle) - x * math.sin(angle) + self.source_origin
        if self.curved:
            place = self.source_detector * np.arctan2(across, along)
            return place, self.source_origin**2 / (across * across + along * along)
        shrink = 1 / along
        return self.source_detector * across * shrink, (self.source_origin * shrink) ** 2

    @property
    def axis_spacing(self) -> float:
        """See `Geometry`."""
        return self.detector_spacing * self.source_origin / self.source_detector

    @property
    def farthest(self) -> float:
        """See `Geometry`; the source."""
        return self.source_origin

    def reach(self, radius: float) -> float:
        """See `Geometry`; the circle is nearer than the source."""
        gamma = math.asin(radius / self.source_origin)
        return self.source_detector * (gamma if self.curved else math.tan(gamma))

    @property
    def seen_radius(self) -> float:
        """See `Geometry`."""
        reach = self.longest_reach / self.source_detector
        gamma = min(reach, math.pi / 2) if self.curved else math.atan(reach)
        return self.source_origin * math.sin(gamma)

    @property
    def missing_arc(self) -> float:
        """See `Geometry`; complete is half a turn and the fan that sees the inscribed circle."""
        fan = 2 * math.asin(min(self.image_size / 2, self.seen_radius) / self.source_origin)
        return max(0.0, math.pi + fan - float(view_arcs(self.angles, _FULL_TURN).sum()))
