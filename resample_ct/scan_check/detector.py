"""Dead, hot, stuck and noisy detector pixels, which become rings."""

from __future__ import annotations

import math

import numpy as np

from resample_ct.scan_check.finding import Finding
from resample_ct.scan_check.signals import Signals

# Share of the scan's attenuation by which a pixel's mean may leave what its neighbours predict.
_OFF = 0.02
# How much less, and how much more, a pixel may change from view to view than its neighbours do.
_STUCK, _NOISY = 0.1, 4.0
_NEIGHBOURS = 4
_FEWEST_DETECTORS, _FEWEST_VIEWS = 16, 8
_NAMED = 8


def bad_pixels(signals: Signals) -> dict[int, str]:
    """What is wrong with each bad pixel of the detector, by its number."""
    views = signals.views.reshape(-1, signals.views.shape[2])
    if views.shape[1] < _FEWEST_DETECTORS:
        return {}
    found: dict[int, str] = {}
    unsure = 6 * math.sqrt(13) * signals.sigma / math.sqrt(len(views))
    off = _beyond_neighbours(views.mean(0))
    for pixel in np.flatnonzero(np.abs(off) > _OFF * signals.top + unsure):
        # Fewer counts are more attenuation.
        kind = "dead" if off[pixel] > 0 else "hot"
        found[int(pixel)] = f"{kind}, {off[pixel] / signals.top:+.0%}"
    if signals.views.shape[1] >= _FEWEST_VIEWS:
        change = np.abs(np.diff(signals.views, axis=1)).mean((0, 1))
        left, right = _beside(change)
        for pixel in np.flatnonzero(change < _STUCK * np.minimum(left, right)):
            found.setdefault(int(pixel), "stuck")
        for pixel in np.flatnonzero(change > _NOISY * np.maximum(left, right) + 4 * signals.sigma):
            found.setdefault(int(pixel), "noisy")
    return found


def _beyond_neighbours(profile: np.ndarray) -> np.ndarray:
    """How far each value is outside of what lines through its left and its right neighbours say.

    At an edge of the object the two disagree, and what lies between them, or as far again as they
    disagree and bend, is no fault.
    """
    padded = np.pad(profile, 3, mode="edge")
    left = 3 * padded[1:-5] - 2 * padded[:-6]
    right = 3 * padded[5:-1] - 2 * padded[6:]
    bend = np.abs(padded[:-6] - 2 * padded[1:-5] + padded[2:-4])
    other_bend = np.abs(padded[6:] - 2 * padded[5:-1] + padded[4:-2])
    # A line that goes on for two pixels misses a parabola by three of its second differences.
    slack = np.abs(left - right) + 3 * np.maximum(bend, other_bend)
    above = profile - np.maximum(left, right) - slack
    below = profile - np.minimum(left, right) + slack
    return np.where(above > 0, above, np.where(below < 0, below, 0.0))


def _beside(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median of the neighbours on the left and of those on the right of each value."""
    padded = np.pad(values, _NEIGHBOURS, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _NEIGHBOURS)
    return np.median(windows[: len(values)], axis=1), np.median(windows[-len(values) :], axis=1)


def detector_finding(signals: Signals) -> Finding:
    """The number of bad detector pixels."""
    bad = bad_pixels(signals)
    named = ", ".join(f"{pixel} ({kind})" for pixel, kind in sorted(bad.items())[:_NAMED])
    more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    return Finding(
        "detector pixels",
        f"{len(bad)} of {signals.views.shape[2]} are bad{': ' if bad else ''}{named}{more}",
        float(len(bad)),
        0.0,
        "put the mean of their neighbours in their place before -ln, in every view",
    )
