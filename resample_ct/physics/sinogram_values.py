"""Numbers that are no line integrals, or no radians: refused where a file gives them for such.

Photon counts, transmission I / I0, logarithms without the open beam's, and logarithms of the wrong
sign have the same shape as line integrals and would be reconstructed without a word. What tells
them apart is the air beside the object: a plateau at the detector's ends, which must be at zero, with
the object above it.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from resample_ct.errors import SinogramError

# Views of one full scan end where they began; a little more is an overscan.
_ONE_TURN = 2 * math.pi + 0.1
# -ln(I / I0) = 20 is one photon of 500 million: no detector measures that in a tenth of its rays.
_OPAQUE = 20.0
# Fewer detector pixels have no middle and no plateau to compare.
_FEWEST_DETECTORS = 16
_DEGREES, _RADIANS = ("degrees", "degree", "deg"), ("radians", "radian", "rad")


def to_radians(path: Path, angles: np.ndarray, units: object) -> np.ndarray:
    """Angles of the unit that the file states, in radians.

    Args:
        path: what messages call the file.
        angles: (angle,) as stored.
        units: what the file says of them; None where it says nothing, which means radians.

    Raises:
        SinogramError: an unknown unit; angles of no stated unit over more than a turn, which are
            degrees far more often than several turns.
    """
    if units in _DEGREES:
        return np.deg2rad(angles)
    if units in _RADIANS:
        return angles
    if units is not None:
        raise SinogramError(
            f"{path}: angles' attribute units: found {units}, expected radians or degrees; correct it"
        )
    if np.ptp(angles) > _ONE_TURN or np.abs(angles).max() > 2 * _ONE_TURN:
        raise SinogramError(
            f"{path}: dataset angles: found {angles.min():g} to {angles.max():g}, expected radians of at "
            "most one turn, and these look like degrees; convert them with numpy.deg2rad, or state "
            'their unit: file["angles"].attrs["units"] = "degrees" (or "radians", for several turns)'
        )
    return angles


def notes_on_angles(angles: np.ndarray) -> list[str]:
    """What is odd in a set of view angles (radians): the same angle twice, or no order."""
    notes = []
    turned = np.mod(angles + 1e-9, 2 * math.pi)
    order = np.argsort(turned, kind="stable")
    same = np.flatnonzero(np.diff(turned[order]) < 1e-6)
    if len(same):
        pairs = ", ".join(f"{i} and {j}" for i, j in zip(order[same], order[same + 1], strict=True))
        notes.append(f"dataset angles: views at one angle: {pairs}; they share its weight")
    steps = np.diff(angles)
    back = int(min((steps < 0).sum(), (steps > 0).sum()))
    # One step back is a turn that passes 0.
    if back > 1:
        notes.append(
            f"dataset angles: not in order, {back} steps go back; each view is taken at the angle stated"
        )
    return notes


def refuse_other_than_line_integrals(path: Path, attenuation: np.ndarray) -> None:
    """Refuse counts, transmission, and logarithms that are not of I / I0.

    Args:
        path: what the message calls the file.
        attenuation: (slice, angle, detector), what is given as -ln(I / I0).

    Raises:
        SinogramError: saying what they look like and how line integrals are made of them.
    """
    found = _what_it_is(_sample(attenuation))
    if found is not None:
        raise SinogramError(f"{path}: dataset sinogram: {found}")


def _sample(values: np.ndarray) -> np.ndarray:
    """(view, detector) of at most a few hundred views over the whole scan."""
    views = values.reshape(-1, values.shape[-1])
    return views[:: max(1, len(views) // 256)]


def _what_it_is(views: np.ndarray) -> str | None:
    high = float(np.quantile(views, 0.9))
    if high > _OPAQUE:
        return (
            f"found values of {high:.4g} as -ln(I / I0), expected below {_OPAQUE:g}, and these look like "
            "counts; divide them by the open beam's and take -ln"
        )
    count = views.shape[1]
    if count < _FEWEST_DETECTORS:
        return None
    width = max(4, count // 32)
    middle = float(np.median(views[:, count // 2 - count // 8 : count // 2 + count // 8]))
    # The object may lean over one end of the detector; air is at the other.
    ends = (views[:, :width], views[:, ::-1][:, :width])
    air = min(ends, key=lambda end: float(np.abs(end - np.median(end)).mean()))
    level, noise = float(np.median(air)), _noise(air)
    outer, inner = air[:, : width // 2], air[:, width // 2 :]
    allowed = 0.02 * abs(level) + 5 * noise / math.sqrt(outer.size)
    if abs(np.median(outer) - np.median(inner)) > allowed or abs(level) < 2 * noise:
        level = 0.0
    depth = middle - level
    top = float(np.quantile(views, 0.99))
    if level > 0 and -depth > max(0.01 * level, noise) and top < 1.05 * level + 4 * noise:
        return (
            f"found {level:.4g} beside the object and {middle:.4g} behind it, expected 0 beside it: "
            "these look like transmission or counts; divide by the open beam's counts and take -ln"
        )
    if depth > noise and -level > 0.3 * depth:
        return (
            f"found {level:.4g} beside the object, expected 0: these look like -ln of counts; divide "
            "by the open beam's counts before the logarithm"
        )
    if depth < -5 * noise and middle < 0 and abs(level) < 0.3 * abs(depth):
        return (
            f"found {middle:.4g} behind the object, expected positive values: these look like "
            "ln(I / I0); change their sign"
        )
    return None


def _noise(views: np.ndarray) -> float:
    """Standard deviation of the noise, from differences of neighbouring views."""
    if len(views) < 2:
        return 0.0
    return float(np.median(np.abs(np.diff(views, axis=0))) / 0.6745 / math.sqrt(2))
