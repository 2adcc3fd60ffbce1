"""A helical scan as it was measured: some of its own source positions a turn, as a sparse fan a slice.

Where rebinning resamples every ray from all views, here each view is one that the scanner took, so that
what a truly sparse scan would have measured is what is reconstructed. Of each detector column the ray is
taken that crosses the slice where it is nearest to the axis, between two rows, and shortened to the
slice's plane by the cosine of its tilt, as in `resample_ct.physics.rebin`.
"""

from __future__ import annotations

import math

import numpy as np

from resample_ct.errors import SinogramError
from resample_ct.physics.fan_beam import FanBeam
from resample_ct.physics.rebin import PATIENT_AXES
from resample_ct.values.helical_scan import HelicalScan

_FULL_TURN = 2 * math.pi
# A focal spot that is moved in the plane leaves the detector's centre, which a fan beam's cannot.
_IN_PLACE = 1e-6
# Of a turn, how far from a whole number of views its count may be.
_WHOLE = 0.01


class SourcePositions:
    """Makes fan sinograms of a helical scan, a slice at a time, from every n-th source position."""

    def __init__(self, scan: HelicalScan, count: int) -> None:
        """Take `count` source positions of each turn.

        Raises:
            SinogramError: fewer views a turn, no whole number of them, or a focal spot that flies in
                the plane.
        """
        turn = abs(float(_FULL_TURN / np.diff(scan.phi).mean()))
        if abs(turn - round(turn)) > _WHOLE or count > round(turn):
            raise SinogramError(
                f"{scan.name}: found {turn:.2f} source positions a turn, expected a whole number of "
                f"at least {count}; rebin without --fan"
            )
        if np.abs(scan.shifts[:, :2]).max() > _IN_PLACE:
            raise SinogramError(
                f"{scan.name}: found a focal spot that flies in the plane of rotation, expected one that "
                "does not, which a fan beam needs; rebin without --fan"
            )
        self._scan = scan
        self._chosen = np.arange(count) * round(turn) // count
        self._turn = round(turn)
        x, y, self._z_sign = PATIENT_AXES[scan.patient_position]
        phi = scan.phi[self._chosen]
        self._angles = np.arctan2(-x * np.sin(phi), -y * np.cos(phi))
        # Columns run the other way where the patient sees the gantry as it is.
        self._flipped = x * y > 0

    @property
    def radius_mm(self) -> float:
        """Radius of the circle around the axis that every view sees whole."""
        fan = self._scan.detector.fan_angles
        return float(self._scan.detector.radius_mm * np.sin(min(-fan[0], fan[-1])))

    @property
    def covered_mm(self) -> tuple[float, float]:
        """Lowest and highest patient z of the slices that every source position has a turn for."""
        ends = self._z_sign * np.array([self._scan.z_mm.min(), self._scan.z_mm.max()])
        low, high = sorted(ends.tolist())
        feed = abs(self._scan.z_mm[-1] - self._scan.z_mm[0]) / len(self._scan.z_mm) * self._turn
        return low + feed / 2, high - feed / 2

    def geometry(self, size: int, pixel_mm: float) -> FanBeam:
        """The rays, for a square image of `size` pixels of `pixel_mm`."""
        detector = self._scan.detector
        off = (detector.columns - 1) / 2 - detector.central[0]
        return FanBeam(
            size,
            tuple(self._angles.tolist()),
            detector.columns,
            detector.width_mm / pixel_mm,
            -off if self._flipped else off,
            source_origin=detector.radius_mm / pixel_mm,
            source_detector=detector.distance_mm / pixel_mm,
            curved=True,
        )

    def __call__(self, z_mm: float) -> tuple[np.ndarray, float | None]:
        """One slice's line integrals of attenuation, and their noise.

        Args:
            z_mm: the slice's place along the patient's axis.

        Returns:
            (angle, detector), and the root mean square of their standard deviation from the photons that
            the file states; None where it states none.

        Raises:
            SinogramError: a slice whose rays the detector did not see.
        """
        rows, variances = [], []
        for first in self._chosen:
            turns = np.arange(first, len(self._scan.phi), self._turn)
            near = turns[np.argmin(np.abs(self._scan.z_mm[turns] - self._z_sign * z_mm))]
            values, variance = self._view(int(near), self._z_sign * z_mm)
            rows.append(values[::-1] if self._flipped else values)
            variances.append(variance)
        known = [variance for variance in variances if variance is not None]
        sigma = math.sqrt(float(np.mean(known))) if len(known) == len(variances) else None
        return np.array(rows, np.float32), sigma

    def _view(self, view: int, z_mm: float) -> tuple[np.ndarray, float | None]:
        detector, z_centre = self._scan.detector, self._scan.z_mm[view]
        z_spot = z_centre + self._scan.shifts[view, 2]
        reach = detector.radius_mm * np.cos(detector.fan_angles)
        rise = (z_mm - z_spot) * detector.distance_mm / reach
        row = detector.central[1] - (z_spot + rise - z_centre) / detector.height_mm
        if row.min() < -0.5 or row.max() > detector.rows - 0.5:
            low, high = self.covered_mm
            raise SinogramError(
                f"{self._scan.name}: slice at z = {self._z_sign * z_mm:g} mm: found rays beyond the "
                f"detector's rows, expected a slice between {low:.1f} and {high:.1f} mm and a pitch "
                "of at most 1; rebin without --fan"
            )
        row = np.clip(row, 0, detector.rows - 1)
        low_row = np.clip(row.astype(int), 0, detector.rows - 2)
        part = row - low_row
        seen = self._scan.load(view)
        columns = np.arange(detector.columns)
        below, above = seen[low_row, columns], seen[low_row + 1, columns]
        cosine = detector.distance_mm / np.hypot(detector.distance_mm, rise)
        values = ((1 - part) * below + part * above) * cosine
        if self._scan.photons is None:
            return values, None
        # Of each of the two rows: var(ln counts) = 1 / counts.
        counts = self._scan.photons(view)
        variance = ((1 - part) ** 2 * np.exp(below) + part**2 * np.exp(above)) / counts * cosine**2
        return values, float(variance.mean())
