"""A stack of HU slices and its place in the patient; area-preserving resampling of its slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from resample_ct.values.spacing import even_runs, is_even

AIR_HU = -1000.0


@dataclass(frozen=True)
class Grid:
    """Where a stack of parallel slices lies, in patient coordinates (LPS, mm).

    Attributes:
        positions: (N, 3) centre of each slice's first pixel; a study's ascend along the normal.
        row_direction: (3,) unit vector along a row, that is of increasing column; as the source
            writes it, so that it goes out as it came.
        column_direction: (3,) unit vector down a column, that is of increasing row.
        spacing_mm: distance between rows, and between columns, in DICOM's order.
        rows: pixels down.
        columns: pixels across.
        thickness_mm: the usual step of the stack that the slices are of, which a slice without
            neighbours is given.
    """

    positions: np.ndarray
    row_direction: np.ndarray
    column_direction: np.ndarray
    spacing_mm: tuple[float, float]
    rows: int
    columns: int
    thickness_mm: float

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.positions)

    @property
    def normal(self) -> np.ndarray:
        """(3,) unit normal of the slices, right-handed."""
        normal = np.cross(self.row_direction, self.column_direction)
        return normal / np.linalg.norm(normal)

    @property
    def gaps_mm(self) -> np.ndarray:
        """(N - 1,) distances between neighbouring slices along the normal."""
        return np.diff(self.positions @ self.normal)

    @property
    def slice_step(self) -> np.ndarray:
        """(3,) mean step from a slice to the next; not along the normal when the gantry is tilted."""
        if len(self) == 1:
            return self.normal * self.thickness_mm
        return (self.positions[-1] - self.positions[0]) / (len(self) - 1)

    @property
    def is_even(self) -> bool:
        """Whether every slice lies where the mean step puts it, see `spacing.is_even`."""
        return is_even(self.positions)

    @property
    def even_runs(self) -> list[range]:
        """The places of neighbouring slices that lie at one step each, see `spacing.even_runs`."""
        return even_runs(self.positions)

    @property
    def usual_step_mm(self) -> float:
        """The most common distance of neighbouring slices along the normal, in size."""
        if len(self) == 1:
            return self.thickness_mm
        # The lower of two middle gaps: three slices of four have gaps of one and two steps.
        return float(np.percentile(np.abs(self.gaps_mm), 50, method="lower"))

    @property
    def affine(self) -> np.ndarray:
        """(4, 4) map of (column, row, slice, 1) to LPS mm; exact for even stacks only."""
        row_mm, column_mm = self.spacing_mm
        affine = np.eye(4)
        affine[:3, 0] = self.row_direction * column_mm
        affine[:3, 1] = self.column_direction * row_mm
        affine[:3, 2] = self.slice_step
        affine[:3, 3] = self.positions[0]
        return affine

    def select(self, indices: Sequence[int]) -> Grid:
        """The same grid with the slices at `indices` only."""
        return replace(self, positions=self.positions[list(indices)], thickness_mm=self.usual_step_mm)

    def resized(self, size: int) -> Grid:
        """A square grid of size x size pixels with the same centre, over the longer side."""
        row_mm, column_mm = self.spacing_mm
        pixel = max(self.rows * row_mm, self.columns * column_mm) / size
        across = (self.columns - 1) * column_mm - (size - 1) * pixel
        down = (self.rows - 1) * row_mm - (size - 1) * pixel
        shift = 0.5 * (across * self.row_direction + down * self.column_direction)
        return replace(
            self,
            positions=self.positions + shift,
            spacing_mm=(pixel, pixel),
            rows=size,
            columns=size,
        )


@dataclass(frozen=True)
class Volume:
    """HU voxels (slice, row, column), float32, on their grid."""

    hu: np.ndarray
    grid: Grid


def _area_weights(count: int, spacing: float, size: int, pixel: float) -> np.ndarray:
    """(size, count) share of each target pixel that each source pixel covers, centres aligned."""
    source = (np.arange(count + 1) - count / 2) * spacing
    target = (np.arange(size + 1) - size / 2) * pixel
    low = np.maximum(target[:-1, None], source[None, :-1])
    high = np.minimum(target[1:, None], source[None, 1:])
    return np.maximum(high - low, 0.0) / pixel


def reduce_in_plane(volume: Volume, size: int) -> Volume:
    """Resample every slice to size x size by the area that the pixels share; beyond the edge is air.

    The mean of a region, and with it the line integrals through it, survive; see Grid.resized for
    the geometry.
    """
    grid = volume.grid.resized(size)
    pixel = grid.spacing_mm[0]
    row_mm, column_mm = volume.grid.spacing_mm
    down = _area_weights(volume.grid.rows, row_mm, size, pixel)
    across = _area_weights(volume.grid.columns, column_mm, size, pixel)
    reduced = np.empty((len(grid), size, size), np.float32)
    for index, image in enumerate(volume.hu):
        reduced[index] = down @ (image.astype(np.float64) - AIR_HU) @ across.T + AIR_HU
    return Volume(hu=reduced, grid=grid)
