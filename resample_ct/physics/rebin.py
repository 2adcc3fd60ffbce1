"""Helical fan data to one parallel sinogram a slice: single-slice rebinning.

After Noo, Defrise, Clackdoyle and Kudo (Phys. Med. Biol. 44, 1999, 561): of the rays that run above
each other in one vertical plane, the one is taken that crosses the slice where it is nearest to the
axis, and its integral is shortened to the slice's plane by the cosine of its tilt. What is exact for
an object that does not change along the axis is an approximation for others, the better the less
the rays are tilted.

Each ray's in-plane angle and distance from the axis follow from where its focal spot really was. Views
whose focal spot flew to the same place form a set of their own; each set, and each of the two
directions that a line is measured from, gives a sinogram, and these are averaged, less tilted rays
counting more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from resample_ct.errors import SinogramError
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.values.helical_scan import HelicalScan

# Where the patient's x (to the image's right), y (up) and z (to the head) lie along the gantry's axes.
PATIENT_AXES = {"HFS": (1, 1, -1), "FFS": (-1, 1, 1), "HFP": (-1, -1, -1), "FFP": (1, -1, 1)}
_FULL_TURN = 2 * np.pi
# Views are kept for the slices that follow; a rotation's worth of a large detector is 200 MB.
_VIEWS_KEPT = 4096


@dataclass(frozen=True)
class _FocalSet:
    """The views whose focal spot is at one place of the rotating gantry.

    Attributes:
        views: their numbers, in the order of rising phi.
        phi, z_mm: of these views.
        angle: (column,) of the ray's normal at phi = 0.
        distance: (column,) signed distance of the ray from the axis, in mm.
        reach: (column,) from the focal spot to the point nearest to the axis, in the plane.
        length: (column,) from the focal spot to the detector, in the plane.
        d_z: of the focal spot.
    """

    views: np.ndarray
    phi: np.ndarray
    z_mm: np.ndarray
    angle: np.ndarray
    distance: np.ndarray
    reach: np.ndarray
    length: np.ndarray
    d_z: float


def _focal_sets(scan: HelicalScan) -> list[_FocalSet]:
    detector = scan.detector
    places, member = np.unique(np.round(scan.shifts, 6), axis=0, return_inverse=True)
    fan = detector.fan_angles
    centre = np.array([0.0, detector.radius_mm])
    element = centre[:, None] + detector.distance_mm * np.stack([np.sin(fan), -np.cos(fan)])
    sets = []
    for index, (d_phi, d_rho, d_z) in enumerate(places):
        radius = detector.radius_mm + d_rho
        spot = radius * np.array([-np.sin(d_phi), np.cos(d_phi)])
        ray = element - spot[:, None]
        length = np.hypot(*ray)
        normal = np.stack([-ray[1], ray[0]]) / length
        views = np.flatnonzero(member.ravel() == index)
        views = views[np.argsort(scan.phi[views], kind="stable")]
        sets.append(
            _FocalSet(
                views=views,
                phi=scan.phi[views],
                z_mm=scan.z_mm[views],
                angle=np.arctan2(normal[1], normal[0]),
                distance=spot @ normal,
                reach=-(spot @ ray) / length,
                length=length,
                d_z=float(d_z),
            )
        )
    return sets


class Rebinner:
    """Makes parallel sinograms of a helical scan, a slice at a time."""

    def __init__(self, scan: HelicalScan, geometry: ParallelBeam, pixel_mm: float) -> None:
        """Sinograms of `geometry` for square pixels of `pixel_mm`."""
        self._scan = scan
        self._geometry = geometry
        self._sets = _focal_sets(scan)
        self._view = lru_cache(maxsize=_VIEWS_KEPT)(scan.load)
        x, y, self._z_sign = PATIENT_AXES[scan.patient_position]
        angles = np.array(geometry.angles)
        # The normal of a patient's ray, in the gantry's frame.
        self._angles = np.arctan2(y * np.sin(angles), x * np.cos(angles))
        step = geometry.detector_spacing * pixel_mm
        at_axis = scan.detector.width_mm * scan.detector.radius_mm / scan.detector.distance_mm
        # A parallel detector pixel averages what the scanner's finer elements saw across it.
        self._parts = max(1, round(step / at_axis))
        fine = np.arange(geometry.n_detectors * self._parts)
        self._s = (fine - (len(fine) - 1) / 2) * step / self._parts
        self._feed = abs(scan.z_mm[-1] - scan.z_mm[0]) / abs(scan.phi[-1] - scan.phi[0])

    @property
    def radius_mm(self) -> float:
        """Radius of the circle around the axis that every view sees whole."""
        return float(min(np.abs(s.distance[[0, -1]]).min() for s in self._sets))

    @property
    def covered_mm(self) -> tuple[float, float]:
        """Lowest and highest patient z of the slices that a half turn and the fan are measured for."""
        ends = self._z_sign * np.array([self._scan.z_mm.min(), self._scan.z_mm.max()])
        low, high = sorted(ends.tolist())
        detector = self._scan.detector
        rows = min(detector.central[1], detector.rows - 1 - detector.central[1])
        # Rays at the fan's edge leave the detector first.
        half = min(
            rows * detector.height_mm * float((s.reach / s.length).min()) - abs(s.d_z) for s in self._sets
        )
        turn = (
            np.pi
            + np.ptp(detector.fan_angles)
            + 2 * np.abs(np.diff(self._scan.phi)).max() * len(self._sets)
        )
        margin = max(0.0, float(turn * self._feed) - half)
        return low + margin, high - margin

    @property
    def _detector_at_axis(self) -> float:
        detector = self._scan.detector
        return detector.rows * detector.height_mm * detector.radius_mm / detector.distance_mm

    def __call__(self, z_mm: float) -> np.ndarray:
        """The slice's line integrals of attenuation, (angle, detector).

        Args:
            z_mm: the slice's place along the patient's axis.

        Raises:
            SinogramError: some ray through the field was never measured for this slice.
        """
        total = np.zeros((len(self._angles), len(self._s)))
        weight = np.zeros_like(total)
        for focal_set in self._sets:
            for turn, sign in ((0.0, 1.0), (np.pi, -1.0)):
                found, share = self._resample(focal_set, self._z_sign * z_mm, self._angles + turn)
                order = np.argsort(sign * focal_set.distance)
                place = (sign * focal_set.distance)[order]
                for row in range(len(total)):
                    for held, values in ((total, found), (weight, share)):
                        held[row] += np.interp(self._s, place, values[row, order], left=0.0, right=0.0)
        seen = np.abs(self._s) <= self.radius_mm
        if (weight[:, seen] <= 0).any():
            low, high = self.covered_mm
            raise SinogramError(
                f"{self._scan.name}: slice at z = {z_mm:g} mm: found rays that no view measured, "
                f"expected a slice between {low:.1f} and {high:.1f} mm; choose others"
            )
        mean = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
        return mean.reshape(len(self._angles), -1, self._parts).mean(2).astype(np.float32)

    def _resample(
        self, views: _FocalSet, z_mm: float, angles: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weighted sums and weights of the rays at `angles`, (angle, column), of one focal set."""
        detector = self._scan.detector
        rising = slice(None, None, 1 if views.z_mm[-1] > views.z_mm[0] else -1)
        near = np.interp(z_mm, views.z_mm[rising], views.phi[rising])
        wanted = angles[:, None] - views.angle
        wanted = wanted + _FULL_TURN * np.round((near - wanted) / _FULL_TURN)
        turns = int(np.ceil(0.5 * self._detector_at_axis / (self._feed * _FULL_TURN))) + 1
        total, weight = np.zeros(wanted.shape), np.zeros(wanted.shape)
        for turn in range(-turns, turns + 1):
            phi = wanted + turn * _FULL_TURN
            place = np.interp(phi, views.phi, np.arange(len(views.phi)), left=-1.0, right=-1.0)
            first = np.clip(place.astype(int), 0, len(views.phi) - 2)
            share = place - first
            z_centre = views.z_mm[first] * (1 - share) + views.z_mm[first + 1] * share
            z_spot = z_centre + views.d_z
            rise = (z_mm - z_spot) * views.length / views.reach
            row = detector.central[1] - (z_spot + rise - z_centre) / detector.height_mm
            inside = (place >= 0) & (row >= 0) & (row <= detector.rows - 1)
            if not inside.any():
                continue
            angle_index, column = np.nonzero(inside)
            value = self._gather(views, first[inside], share[inside], row[inside], column)
            cosine = views.length[column] / np.hypot(views.length[column], rise[inside])
            tilt = np.abs(row[inside] - (detector.rows - 1) / 2) / (detector.rows / 2)
            total[angle_index, column] += (1 - tilt) * value * cosine
            weight[angle_index, column] += 1 - tilt
        return total, weight

    def _gather(
        self,
        views: _FocalSet,
        first: np.ndarray,
        share: np.ndarray,
        row: np.ndarray,
        column: np.ndarray,
    ) -> np.ndarray:
        """Linear interpolation between two views and two rows."""
        low = np.clip(row.astype(int), 0, self._scan.detector.rows - 2)
        part = row - low
        value = np.zeros(len(first))
        for step, factor in ((0, 1 - share), (1, share)):
            index = first + step
            for number in np.unique(index):
                here = np.flatnonzero(index == number)
                seen = self._view(int(views.views[number]))
                below = seen[low[here], column[here]]
                above = seen[low[here] + 1, column[here]]
                value[here] += factor[here] * (below + part[here] * (above - below))
        return value
