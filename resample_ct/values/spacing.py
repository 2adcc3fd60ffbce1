"""Whether slices lie at one step, as far as their positions are written precisely enough to tell."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

# dicom.md and dicom-numpy both allow 1 % of the gap.
SPACING_TOLERANCE = 0.01


def written_to(positions: np.ndarray) -> np.ndarray:
    """(3,) mm of the last decimal that (N, 3) positions have along each axis, where that is rounding.

    Scanners write 0.1 or 0.01 mm; what has more decimals, or none, is taken as exact.

    >>> written_to(np.array([[0.0, 1.25, 0.0], [0.0, 1.25, 1.3], [0.0, 1.25, 2.5]])).tolist()
    [0.0, 0.01, 0.1]
    """
    found = np.zeros(3)
    for unit in (0.01, 0.1, 1.0):
        whole = np.abs(positions / unit - np.rint(positions / unit)).max(axis=0) < 1e-6
        found[whole] = unit if unit < 1 else 0.0
    return found


def is_even(positions: np.ndarray) -> bool:
    """Whether each of (N, 3) positions lies where the mean step from first to last puts it.

    Within 1 % of the step, and what the positions' rounding explains: half a unit of the last decimal,
    and as much again of the line through the first and the last.
    """
    if len(positions) < 3:
        return True
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    offset = np.abs(positions - positions[0] - np.arange(len(positions))[:, None] * step)
    excess = np.maximum(offset - written_to(positions), 0.0)
    return bool(np.linalg.norm(excess, axis=1).max() <= SPACING_TOLERANCE * np.linalg.norm(step))


def even_runs(positions: np.ndarray) -> list[range]:
    """Neighbouring slices that lie at one step each, as ranges in order; every slice is in one of them.

    A slice between two steps belongs to the longer run, or else to the one of the smaller step.
    """
    if is_even(positions):
        return [range(len(positions))]
    steps = np.diff(positions, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    change = np.maximum(np.abs(np.diff(steps, axis=0)) - 2 * written_to(positions), 0.0)
    changes = np.linalg.norm(change, axis=1) > SPACING_TOLERANCE * np.minimum(lengths[1:], lengths[:-1])
    bounds = [0, *(np.flatnonzero(changes) + 1).tolist(), len(steps)]
    # Of slices, so that each shares its first and its last with its neighbours.
    candidates = [range(first, last + 1) for first, last in pairwise(bounds)]
    free = np.ones(len(positions), bool)
    runs: list[range] = []
    for candidate in sorted(candidates, key=lambda run: (-len(run), lengths[run.start])):
        left = [place for place in candidate if free[place]]
        if len(left) > 1:
            free[left] = False
            runs += _even_parts(positions, range(left[0], left[-1] + 1))
    runs += [range(place, place + 1) for place in np.flatnonzero(free).tolist()]
    return sorted(runs, key=lambda run: run.start)


def _even_parts(positions: np.ndarray, run: range) -> list[range]:
    """The run, halved until steps that change little by little make no difference."""
    if is_even(positions[run.start : run.stop]):
        return [run]
    middle = (run.start + run.stop) // 2
    return [
        part
        for half in (range(run.start, middle), range(middle, run.stop))
        for part in _even_parts(positions, half)
    ]
