"""A helical scan as the scanner measured it: where source and detector were, and what they saw.

The gantry's frame is that of the DICOM-CT-PD manual (Chen et al., Med. Phys. 42, 2015, 6964; tags in
Moen et al., Med. Phys. 48, 2021, 902, table IV): X right and Y up as one looks into the gantry, the
detector's focal centre at (-rho sin phi, rho cos phi, z), the focal spot shifted from it by
(d_rho, d_phi, d_z). Column c of the detector lies at the fan angle (c - centre) * width / d0, seen
from the focal centre; row r at the height z - (r - centre) * height.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FanDetector:
    """A cylindrical detector around its focal centre.

    Attributes:
        columns, rows: number of elements.
        width_mm, height_mm: of an element, at the detector.
        central: column and row, counted from 0, on the line from focal centre through isocentre.
        distance_mm: from focal centre to detector (d0).
        radius_mm: from focal centre to isocentre (rho).
    """

    columns: int
    rows: int
    width_mm: float
    height_mm: float
    central: tuple[float, float]
    distance_mm: float
    radius_mm: float

    @property
    def fan_angles(self) -> np.ndarray:
        """(column,) radians."""
        return (np.arange(self.columns) - self.central[0]) * self.width_mm / self.distance_mm


@dataclass(frozen=True)
class HelicalScan:
    """A helical scan.

    Attributes:
        detector: the same for every view.
        phi: (view,) radians, unwrapped, rising or falling.
        z_mm: (view,) of the focal centre, along the gantry's axis.
        shifts: (view, 3) of the focal spot: d_phi (radians), d_rho and d_z (mm).
        load: one view's line integrals of attenuation per mm, (row, column).
        water_per_mm: attenuation of water that they are calibrated to.
        patient_position: HFS, FFS, HFP or FFP.
        name: what messages call it, without patient data.
        photons: one view's photons without an object, (column,); None where the file does not say.
    """

    detector: FanDetector
    phi: np.ndarray
    z_mm: np.ndarray
    shifts: np.ndarray
    load: Callable[[int], np.ndarray]
    water_per_mm: float
    patient_position: str
    name: str
    photons: Callable[[int], np.ndarray] | None = None
