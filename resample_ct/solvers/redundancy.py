"""What each ray counts in filtered back-projection: its view's arc, shared with the rays that repeat it.

A line may be measured twice, from either end, and must count once in all. A fan's ray at angle a and
fan angle gamma is repeated by that at a + pi - 2 gamma and -gamma. Each takes its share m / (m + m') as
in Noo, Defrise, Clackdoyle and Kudo (Phys. Med. Biol. 47, 2002, 2525), where the measure m falls
smoothly to 0 at the ends of the scan, as Parker's weights do (Med. Phys. 9, 1982, 254), and at the ends
of the detector, as Wang's do for one that is not centred (Med. Phys. 29, 2002, 1634). A line that is
measured once counts whole.
"""

from __future__ import annotations

import math

import numpy as np

from resample_ct.physics.geometry import Geometry, ParallelBeam, view_arcs

_FULL_TURN = 2 * math.pi
# Share of the scan's arc, and of the shorter half of the detector, over which m rises from 0 to 1.
_RAMP_OF_ARC = 0.25
_RAMP_OF_DETECTOR = 1.0
# Of a ray at the very end, which counts whole where nothing repeats it.
_LEAST = 1e-6


def ray_weights(geometry: Geometry) -> np.ndarray:
    """(angle, detector) radians of arc that each ray stands for; a line's add up to half a turn."""
    places = geometry.detector_places
    own, opposite = _along_detector(geometry, places), _along_detector(geometry, -places)
    if isinstance(geometry, ParallelBeam):
        # Opposite views fall between each other, or together: half a turn is what they share.
        arcs = view_arcs(geometry.angles, math.pi)[:, None]
        return arcs * (2 * own / (own + opposite) if geometry.turns_whole else np.ones_like(places))
    angles = np.array(geometry.angles)[:, None]
    own = own * _along_scan(geometry, angles)
    repeated = angles + math.pi - 2 * geometry.fan_angles
    opposite = opposite * _along_scan(geometry, repeated)
    arcs = view_arcs(geometry.angles, _FULL_TURN)[:, None]
    return arcs * own / (own + opposite)


def _along_detector(geometry: Geometry, places: np.ndarray) -> np.ndarray:
    """The measure at places along the detector; 0 beyond it."""
    half = geometry.detector_spacing / 2
    first, last = geometry.detector_places[0] - half, geometry.detector_places[-1] + half
    ramp = _RAMP_OF_DETECTOR * max(half, min(-first, last))
    return _rising(np.minimum(places - first, last - places), ramp)


def _along_scan(geometry: Geometry, angles: np.ndarray) -> np.ndarray:
    """The measure at any angles; 0 where no view is near, 1 everywhere in a scan of a whole turn."""
    if geometry.turns_whole:
        return np.ones_like(angles)
    arcs = view_arcs(geometry.angles, _FULL_TURN)
    turned = np.mod(geometry.angles, _FULL_TURN)
    order = np.argsort(turned)
    gaps = np.diff(turned[order], append=turned[order][0] + _FULL_TURN)
    first = order[(gaps.argmax() + 1) % len(order)]
    place = np.mod(angles - turned[first] + arcs[first] / 2, _FULL_TURN)
    return _rising(np.minimum(place, arcs.sum() - place), _RAMP_OF_ARC * arcs.sum())


def _rising(distance: np.ndarray, ramp: float) -> np.ndarray:
    """sin^2 from 0 to 1 over a ramp from an end; 0 beyond the end."""
    inside = np.maximum(np.sin(np.pi / 2 * np.clip(distance / ramp, 0, 1)) ** 2, _LEAST)
    return np.where(distance > 0, inside, 0.0)
