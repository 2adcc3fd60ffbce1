"""The scanner that a study is measured with where its sinograms are simulated."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from resample_ct.errors import OptionError
from resample_ct.physics.fan_beam import FanBeam
from resample_ct.physics.geometry import Geometry, ParallelBeam

GeometryKind = Literal["parallel", "fan-flat", "fan-curved"]
Pixels = Literal["reduced", "native"]
# Of a diagnostic scanner with a curved detector (Siemens Somatom Definition).
SOURCE_ORIGIN_MM, SOURCE_DETECTOR_MM = 595.0, 1085.6


@dataclass(frozen=True)
class SimulatedScan:
    """A scanner and its noise.

    Attributes:
        n_angles: views, evenly spaced over `arc`.
        noise: see `resample_ct.physics.noise.parse_noise`.
        geometry: parallel rays, or a fan with a flat or a curved detector, 595 mm from source to axis and
            1085.6 mm from source to detector.
        arc: degrees that the views cover; None for 180 of parallel rays and 360 of a fan.
        detectors: detector pixels, as wide as the image's at the axis; None for a whole image's.
        pixels: what is projected: "reduced", the 256 x 256 slices that are reconstructed and compared
            with, as in the paper; "native", the study's own pixels with several rays in each detector
            pixel, so that no reconstruction knows exactly how it was measured.
        kvp: tube voltage of a polychromatic beam, corrected for water; None for a single energy.
    """

    n_angles: int = 25
    noise: str = "gaussian:0.01"
    geometry: GeometryKind = "parallel"
    arc: float | None = None
    detectors: int | None = None
    pixels: Pixels = "reduced"
    kvp: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated, naming the command's option."""
        for name, value, kinds in (
            ("--geometry", self.geometry, get_args(GeometryKind)),
            ("--pixels", self.pixels, get_args(Pixels)),
        ):
            if value not in kinds:
                raise OptionError(f"{name} {value}: unknown, expected one of {', '.join(kinds)}")
        if self.arc is not None and not 0 < self.arc <= 360:
            raise OptionError(f"--arc {self.arc:g}: expected degrees, above 0 and up to 360")
        if self.detectors is not None and self.detectors < 1:
            raise OptionError(f"--detectors {self.detectors}: expected at least one detector pixel")
        if self.kvp is not None:
            # Here, because it brings torch along, which a job does not need before it is run.
            from resample_ct.physics.beam_hardening import HardenedBeam

            HardenedBeam(self.kvp)

    @property
    def told(self) -> str:
        """How it was simulated, in words."""
        words = ["simulated"]
        if self.pixels == "native":
            words.append("from native pixels")
        if self.kvp is not None:
            words.append(f"polychromatic at {self.kvp:g} kV")
        return ", ".join(words)

    def rays(self, pixel_mm: float) -> Geometry:
        """The rays through 256 x 256 pixels of a size. Raises OptionError for a source within them."""
        from resample_ct.values.network_grid import IMAGE_SIZE

        whole: Geometry
        if self.geometry == "parallel":
            arc = math.radians(180.0 if self.arc is None else self.arc)
            whole = ParallelBeam.uniform(IMAGE_SIZE, self.n_angles, arc)
        else:
            whole = FanBeam.uniform(
                IMAGE_SIZE,
                self.n_angles,
                source_origin=SOURCE_ORIGIN_MM / pixel_mm,
                source_detector=SOURCE_DETECTOR_MM / pixel_mm,
                arc=math.radians(360.0 if self.arc is None else self.arc),
                curved=self.geometry == "fan-curved",
            )
        return whole if self.detectors is None else replace(whole, n_detectors=self.detectors)
