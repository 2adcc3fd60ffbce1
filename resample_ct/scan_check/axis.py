"""Where the axis of rotation falls on the detector, from the sinogram's own consistency.

Two conditions hold for every object. In parallel beam the centre of mass of a view is that of the
object, projected: over the angles it is a sinusoid about the axis (Helgason 1980 and Ludwig 1966,
first moment). In any scan of a whole turn each line is measured from both sides, so the mean of all
views is symmetric about the axis; that holds for fans and for detectors narrower than the object.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize_scalar

from resample_ct.physics.geometry import ParallelBeam
from resample_ct.scan_check.finding import Finding
from resample_ct.scan_check.signals import Signals

# In detector pixels. A quarter of this costs nothing that can be measured.
AXIS_LIMIT = 0.1
# How far from the detector's middle the axis is looked for, as a share of the detector.
_REACH = 0.25
_FEWEST_VIEWS = 5
# Of the scan's attenuation, what is as good as none.
_NOTHING = 5e-4
# Of a turn's views, the widest gap over the mean one up to which a sum over them is one over the turn.
_EVEN = 1.5


@dataclass(frozen=True)
class Axis:
    """The axis of rotation as a scan shows it.

    Attributes:
        pixel: of the detector, counted from 0.
        uncertainty: standard deviation of `pixel`.
        wobble: root mean square distance in detector pixels of the views' centres of mass from their
            sinusoid; None where that was not looked at.
        wobble_noise: what the noise alone makes of it.
    """

    pixel: float
    uncertainty: float
    wobble: float | None = None
    wobble_noise: float = 0.0


def find_axis(signals: Signals) -> Axis | None:
    """The axis, None where the scan does not show it: a truncated one, or a fan of less than a turn."""
    if isinstance(signals.geometry, ParallelBeam) and not signals.is_truncated:
        return _from_centres_of_mass(signals)
    return _from_symmetry(signals) if _is_even_turn(signals.geometry.angles) else None


def _from_centres_of_mass(signals: Signals) -> Axis | None:
    angles = np.array(signals.geometry.angles)
    views = signals.views - signals.air
    if len(np.unique(np.round(np.mod(angles, math.pi), 6))) < _FEWEST_VIEWS:
        return None
    model = np.stack([np.ones_like(angles), np.cos(angles), np.sin(angles)], axis=1)
    place = np.arange(views.shape[2]) * np.ones_like(views[:1])
    held = np.ones_like(place)
    # The second time without the air beside the object, which adds nothing but noise.
    for last in (False, True):
        total = (held * views).sum(2)
        if (total <= 0).any():
            return None
        centres = (held * place * views).sum(2) / total
        lever = held * (place - centres[:, :, None])
        noise = np.maximum(signals.sigma * np.sqrt((lever**2).sum(2)) / total, 1e-9).mean(1)
        centre = noise**-2 @ centres / (noise**-2).sum()
        coefficients = np.linalg.lstsq(model, centre, rcond=None)[0]
        if not last:
            away = np.abs(place[0] - (model @ coefficients)[:, None])
            held = (away <= _reach(views, away, signals))[None].astype(float)
    left = centre - model @ coefficients
    wobble = float(np.sqrt((left**2).sum() / (len(angles) - 3)))
    spread = math.sqrt(float(np.linalg.inv(model.T @ model)[0, 0]))
    return Axis(float(coefficients[0]), wobble * spread, wobble, float((noise**-2).sum() ** -0.5))


def _reach(views: np.ndarray, away: np.ndarray, signals: Signals) -> float:
    """How far the object reaches from its centre of mass in any view, with a margin.

    Args:
        views: (slice, angle, detector).
        away: (angle, detector) distance from the view's centre of mass.
        signals: that the views are of.
    """
    ring = away.astype(int).ravel()
    count = np.bincount(ring) * len(views)
    mean = np.bincount(ring, views.sum(0).ravel()) / np.maximum(count, 1)
    unsure = 3 * signals.sigma / np.sqrt(np.maximum(count, 1))
    covered = np.flatnonzero(mean > unsure + _NOTHING * signals.top)
    return 1.1 * float(covered.max(initial=0)) + 4.0


def _is_even_turn(angles: tuple[float, ...]) -> bool:
    places = np.unique(np.round(np.mod(angles, 2 * math.pi), 6))
    gaps = np.diff(np.append(places, places[0] + 2 * math.pi))
    return len(gaps) >= _FEWEST_VIEWS and bool(gaps.max() < _EVEN * gaps.mean())


def _from_symmetry(signals: Signals) -> Axis:
    angles = np.mod(signals.geometry.angles, 2 * math.pi)
    # A view that was taken twice counts once.
    _, first = np.unique(np.round(angles, 6) % round(2 * math.pi, 6), return_index=True)
    profile = signals.views[:, first].mean((0, 1))
    count = len(profile)
    spline = CubicSpline(np.arange(count), profile)

    def asymmetry(centre: float) -> float:
        reach = min(centre, count - 1 - centre)
        away = np.arange(0.5, reach)
        return float(((spline(centre + away) - spline(centre - away)) ** 2).mean())

    middle = (count - 1) / 2
    coarse = middle + np.arange(-round(_REACH * count), round(_REACH * count) + 1)
    start = coarse[int(np.argmin([asymmetry(place) for place in coarse]))]
    found = minimize_scalar(
        asymmetry, bounds=(start - 1, start + 1), method="bounded", options={"xatol": 1e-4}
    )
    slope = spline(np.arange(count), 1)
    noise = signals.sigma / math.sqrt(len(first) * len(signals.views))
    # Both halves carry noise, and a shift of the axis moves each of them by one.
    return Axis(float(found.x), noise / max(float(np.linalg.norm(slope)), 1e-12))


def axis_finding(signals: Signals) -> Finding:
    """How far the axis is from where the file says."""
    stated = (signals.geometry.n_detectors - 1) / 2 - signals.geometry.detector_offset
    axis = find_axis(signals)
    if axis is None:
        why = "truncated views" if signals.is_truncated else "less than a turn, or too few views"
        return Finding("rotation axis", f"not judged: {why}", None, AXIS_LIMIT, "")
    distance = axis.pixel - stated
    return Finding(
        "rotation axis",
        f"found at detector pixel {axis.pixel:.2f}, {abs(distance):.2f} from where the file has it "
        f"({stated:.2f})",
        distance,
        AXIS_LIMIT + 4 * axis.uncertainty,
        "give --centre auto, or state center_of_rotation in the file",
    )


def wobble_finding(signals: Signals) -> Finding:
    """Whether the views are where their angles say: a moved object, lost views, wrong angles."""
    limit = 0.2
    axis = find_axis(signals)
    if axis is None or axis.wobble is None:
        return Finding("angles", "not judged: no parallel beam, or truncated views", None, limit, "")
    return Finding(
        "angles",
        f"views' centres of mass leave the sinusoid of their angles by {axis.wobble:.2f} detector pixels",
        axis.wobble,
        limit + 1.5 * axis.wobble_noise,
        "check the angles, their unit and order, for lost views and for a moving object",
    )
