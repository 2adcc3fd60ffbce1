"""Where a series' slices lie along their normal: duplicates, missing slices, uneven spacing, tilt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from resample_ct.errors import StudyError
from resample_ct.io.dicom_checks import NamedHeader, whole_number
from resample_ct.values.spacing import SPACING_TOLERANCE, written_to
from resample_ct.values.volume import Grid

_TAG = "ImagePositionPatient (0020,0032)"


def check_spacing(grid: Grid, ordered: Sequence[NamedHeader]) -> list[str]:
    """Refuse duplicate and missing slices; note uneven spacing and tilt, which are kept as they are.

    Args:
        grid: of the series, ascending.
        ordered: its slices in that order.

    Raises:
        StudyError: two slices at one position, or a gap in which slices are missing.
    """
    if len(grid) == 1:
        return []
    gaps, rounding = grid.gaps_mm, float(np.abs(grid.normal) @ written_to(grid.positions))
    usual, error = _usual_gap(grid, rounding)
    for gap, (before, after) in zip(gaps, pairwise(ordered), strict=True):
        if gap <= SPACING_TOLERANCE * usual or gap < 1e-4:
            raise StudyError(
                f"{after[0].name}: {_TAG}: found the position of {before[0].name}, expected one slice a "
                "position; remove one of the two"
            )
    _refuse_missing(gaps, usual, (rounding, error), ordered)
    notes = []
    if np.abs(gaps - usual).max() > SPACING_TOLERANCE * usual + rounding:
        notes.append(f"uneven spacing of {gaps.min():.4g} to {gaps.max():.4g} mm kept slice by slice")
    elif not grid.is_even:
        notes.append("slices are shifted in their plane; the geometry is kept slice by slice")
    mean = grid.slice_step
    if np.linalg.norm(np.cross(mean, grid.normal)) > SPACING_TOLERANCE * np.linalg.norm(mean):
        notes.append("slices are sheared (gantry tilt); the geometry is kept as it is")
    return notes


def _usual_gap(grid: Grid, rounding: float) -> tuple[float, float]:
    """1.25 where 1.2 and 1.3 are written, and how far rounding may have taken it from the truth.

    Over neighbouring gaps the rounding of all positions but the first and the last cancels.
    """
    middle, gaps = grid.usual_step_mm, grid.gaps_mm
    alike = np.abs(gaps - middle) <= SPACING_TOLERANCE * middle + rounding
    bounds = np.flatnonzero(np.diff(np.concatenate([[False], alike, [False]])))
    first, last = max(bounds.reshape(-1, 2), key=lambda run: run[1] - run[0])
    return float(gaps[first:last].mean()), rounding / (last - first)


def _refuse_missing(
    gaps: np.ndarray, usual: float, errors: tuple[float, float], ordered: Sequence[NamedHeader]
) -> None:
    """Refuse a gap that is a multiple of the usual one, or over which the instance numbers skip.

    Where the numbers go on without a break over a multiple, the scan was planned so; where they count on
    regularly but for one gap, slices are missing there, whatever its size. `errors` are what rounding
    does to any gap and to the usual one.
    """
    rounding, error = errors
    numbers = [whole_number(header, "InstanceNumber") or 0 for _, header in ordered]
    counts = np.abs(np.diff(numbers))
    normal = np.abs(gaps - usual) <= SPACING_TOLERANCE * usual + rounding
    one = Counter(counts[normal].tolist()).most_common(1)[0][0]
    regular = one > 0 and (counts[normal] == one).all()
    for place in np.flatnonzero(~normal & (gaps > usual)).tolist():
        gap, count = float(gaps[place]), int(counts[place])
        times = max(2, round(gap / usual))
        allowed = SPACING_TOLERANCE * times * usual + rounding + times * error
        whole = abs(gap - times * usual) <= allowed
        skips = regular and count % one == 0 and count > one
        if (whole and (one == 0 or count != one)) or skips:
            (before, _), (after, _) = ordered[place : place + 2]
            missing = count // one - 1 if skips else times - 1
            slices = "slices" if missing > 1 else "slice"
            ends = f", InstanceNumber {numbers[place]} to {numbers[place + 1]}" if skips else ""
            raise StudyError(
                f"{after.name}: {_TAG}: found a gap of {gap:.4g} mm{ends} after {before.name}, "
                f"expected {usual:.4g} mm; add the {missing} missing {slices}, or reconstruct the two "
                "parts one by one"
            )
