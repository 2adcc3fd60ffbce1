"""Views that were written twice, that are empty, or that are missing between others."""

from __future__ import annotations

import math

import numpy as np

from resample_ct.physics.geometry import ParallelBeam
from resample_ct.scan_check.finding import Finding
from resample_ct.scan_check.signals import Signals

# Of the median difference of neighbouring views, below which two are one.
_SAME = 0.05
# Of the scan's attenuation: an object that looks the same from everywhere has no repeated views.
_TURNING = 1e-4
_EMPTY = 0.1
# A gap of more steps than this is where the scan's arc ends.
_END_OF_ARC = 10


def views_finding(signals: Signals) -> Finding:
    """The number of repeated, empty and missing views."""
    faults = [
        *(f"view {later} repeats view {later - 1}" for later in _repeated(signals)),
        *(f"view {view} is empty" for view in _empty(signals)),
        *_missing(signals),
    ]
    return Finding(
        "views",
        "; ".join(faults) or "none repeated, empty or missing",
        float(len(faults)),
        0.0,
        "leave repeated and empty views out together with their angles; missing ones cost quality only",
    )


def _repeated(signals: Signals) -> list[int]:
    change = np.sqrt((np.diff(signals.views, axis=1) ** 2).mean((0, 2)))
    if len(change) < 2 or np.median(change) < _TURNING * signals.top:
        return []
    turned = np.abs(np.diff(signals.geometry.angles)) > 1e-6
    return [int(i) + 1 for i in np.flatnonzero(turned & (change < _SAME * np.median(change)))]


def _empty(signals: Signals) -> list[int]:
    sizes = np.abs(signals.views - signals.air).mean((0, 2))
    return [int(i) for i in np.flatnonzero(sizes < _EMPTY * np.median(sizes) - signals.sigma)]


def _missing(signals: Signals) -> list[str]:
    angles = np.array(signals.geometry.angles)
    half_turn = isinstance(signals.geometry, ParallelBeam) and np.ptp(angles) < math.pi + 0.1
    period = math.pi if half_turn else 2 * math.pi
    places = np.unique(np.round(np.mod(angles, period), 6) % round(period, 6))
    gaps = np.diff(np.append(places, places[0] + period))
    step = float(np.median(gaps))
    if len(gaps) < 5 or (np.abs(gaps - step) < 0.1 * step).mean() < 0.7:
        # Not an even set of views; what is missing from it nobody can say.
        return []
    return [
        f"{round(gap / step) - 1} missing after {math.degrees(place):.2f} degrees"
        for place, gap in zip(places, gaps, strict=True)
        if 1.5 * step < gap < _END_OF_ARC * step
    ]
