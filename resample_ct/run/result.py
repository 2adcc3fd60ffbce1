"""A reconstruction in memory, with what made it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from resample_ct.io.study import Study
from resample_ct.solvers.solution import Stopped


@dataclass(frozen=True, eq=False)
class Result:
    """What `resample_ct.reconstruct` gives. Derived, for research only.

    Attributes:
        hu: (N, row, column) float32, or (row, column) where the scan was of one image.
        spread_hu: the same, per-pixel uncertainty: the expected standard deviation of the error; None
            where the method gives none.
        residual: (N,) mean of (A x - y)^2 of each slice.
        iterations: of the method's last solver, of each slice.
        stopped: why that solver stopped, of each slice: "direct", "iterations", "converged" or "noise
            level", see `resample_ct.solvers.solution`.
        notes: what a user should know: of the scan, and where the result is not to be trusted.
        seconds: of all slices.
        made_by: method, measurement, networks with their hashes, seed and version, in words.
        title: of the method, for a series' description.
        views: number of views, or of the first measured dimension of another operator.
        indices: place of each slice in what was measured.
        study: the measured slices' study, None of arrays.
    """

    hu: np.ndarray
    spread_hu: np.ndarray | None
    residual: np.ndarray
    iterations: tuple[int, ...]
    stopped: tuple[Stopped, ...]
    notes: tuple[str, ...]
    seconds: float
    made_by: str
    title: str
    views: int
    indices: tuple[int, ...]
    study: Study | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        """Without the values."""
        return f"Result({' x '.join(map(str, self.hu.shape))}, {self.made_by})"
