"""Whether the views agree on how much the object attenuates.

In parallel beam every view holds all of the object, so its total is one number. In a fan the total
changes with the angle, smoothly and with the turn: what a few harmonics leave, and what is not the
same after a turn, is drift.
"""

from __future__ import annotations

import math

import numpy as np

from resample_ct.physics.geometry import ParallelBeam
from resample_ct.scan_check.finding import Finding
from resample_ct.scan_check.signals import Signals

# Beam hardening alone makes 1.6 % between the long and the short way through a tooth.
DRIFT_LIMIT = 0.025
_HARMONICS = 4


def drift_finding(signals: Signals) -> Finding:
    """The range of the views' total attenuation, as a share of their mean."""
    if signals.is_truncated:
        return Finding(
            "drift", "not judged: the object reaches the detector's end", None, DRIFT_LIMIT, ""
        )
    totals = signals.totals
    if not isinstance(signals.geometry, ParallelBeam):
        totals = _without_turn(totals, np.array(signals.geometry.angles))
    mean = max(float((signals.views - signals.air).sum(2).mean()), 1e-12)
    noise = signals.sigma * math.sqrt(signals.views.shape[2] / len(signals.views)) / mean
    size = float(np.ptp(totals))
    highest, lowest = int(totals.argmax()), int(totals.argmin())
    return Finding(
        "drift",
        f"the total attenuation varies by {size:.1%} between views {lowest} and {highest}",
        size,
        # The range of a thousand views' noise is seven standard deviations.
        DRIFT_LIMIT + 8 * noise,
        "normalise each view by the open beam measured beside the object, or leave those views out",
    )


def _without_turn(totals: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """What the harmonics of the angle do not explain, with the trend in the order of the views."""
    harmonics = min(_HARMONICS, (len(angles) - 2) // 4)
    orders = np.arange(1, harmonics + 1)
    trend = np.linspace(-0.5, 0.5, len(angles))[:, None]
    phase = angles[:, None] * orders
    periodic = np.concatenate([np.ones_like(trend), np.cos(phase), np.sin(phase)], axis=1)
    if np.ptp(angles) < 1.5 * math.pi:
        # On a part of a turn a trend and a harmonic are the same.
        fitted = np.linalg.lstsq(periodic, totals, rcond=None)[0]
        return totals - periodic @ fitted
    fitted = np.linalg.lstsq(np.concatenate([periodic, trend], axis=1), totals, rcond=None)[0]
    return totals - periodic @ fitted[:-1]
