"""A reconstruction in memory, with what made it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from resample_ct.io.study import Study
from resample_ct.run.batch import BatchResult
from resample_ct.run.pipeline import doubts
from resample_ct.run.provenance import made_by
from resample_ct.run.ready import Ready
from resample_ct.run.scan import Scan
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


def result_of(
    scan: Scan, ready: Ready, seed: int, notes: Sequence[str], parts: Sequence[BatchResult]
) -> Result:
    """A scan's finished batches as one result."""
    window = scan.window
    image = torch.cat([part.image for part in parts])[:, 0].numpy()
    spread: np.ndarray | None = None
    if all(part.spread is not None for part in parts):
        spread = torch.cat([part.spread for part in parts if part.spread is not None])[:, 0].numpy()
    trust = [found for part in parts for found in part.trust]
    judged = [
        {"method": ready.title, "slice": index, "doubt": found.get("doubt")}
        for index, found in zip(scan.indices, trust, strict=True)
    ]
    where = 0 if scan.single else slice(None)
    return Result(
        hu=window.to_hu(image)[where],
        spread_hu=None if spread is None else (window.width * spread)[where],
        residual=np.array([value for part in parts for value in part.residual]),
        iterations=tuple(count for part in parts for count in part.iterations),
        stopped=tuple(stop for part in parts for stop in part.stopped),
        notes=(*notes, *doubts(judged)),
        seconds=math.fsum(part.seconds * len(part.residual) for part in parts),
        made_by=made_by(ready.title, scan.rays, scan.noise, ready.told, ready.models.named, seed),
        title=ready.title,
        views=scan.operator.range_shape[0],
        indices=scan.indices,
        study=scan.study,
    )
