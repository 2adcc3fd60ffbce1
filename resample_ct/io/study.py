"""A CT study: where its slices lie, what its headers say, and its voxels on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from pydicom.dataset import Dataset

from resample_ct.errors import StudyError
from resample_ct.io.padding import padding_of
from resample_ct.values.volume import AIR_HU, Grid, Volume, reduce_in_plane


@dataclass(frozen=True)
class SlicePixels:
    """One slice as the source has it.

    Attributes:
        hu: (row, column) float32, exactly the source's rescaled values.
        padding: (row, column) bool, True outside the scanner's field of view.
        disputed: pixels of a value that the header calls padding, which were measured all the same.
    """

    hu: np.ndarray
    padding: np.ndarray
    disputed: int = 0

    @staticmethod
    def of(hu: np.ndarray, named: np.ndarray | None = None) -> SlicePixels:
        """Mark padding, see `padding_of`; `named` is where the header says that there is some."""
        return SlicePixels(hu, *padding_of(hu, named))


@dataclass(frozen=True)
class Study:
    """One series. Voxels are read anew at each call, so a long study needs no more memory.

    Attributes:
        name: what reports call it: file or series description, without patient data.
        grid: geometry of the slices, ascending along the normal.
        headers: the source instances without pixels, one a slice; empty for NIfTI.
        load: reads one slice by its place in `order`; None where only the geometry is known, as
            behind a measured sinogram.
        order: place of each slice in the source.
        notes: what was left out or found odd, for the user.
    """

    name: str
    grid: Grid
    headers: tuple[Dataset, ...]
    load: Callable[[int], SlicePixels] | None
    order: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.order)

    @property
    def uid(self) -> str:
        """SeriesInstanceUID, empty when the source is no DICOM."""
        return str(self.headers[0].get("SeriesInstanceUID", "")) if self.headers else ""

    def select(self, indices: Sequence[int]) -> Study:
        """The same study with the slices at `indices` only."""
        return replace(
            self,
            grid=self.grid.select(indices),
            headers=tuple(self.headers[i] for i in indices) if self.headers else (),
            order=tuple(self.order[i] for i in indices),
        )

    def pixels(self, index: int) -> SlicePixels:
        """One slice as the source has it. Raises StudyError when it cannot be decoded."""
        if self.load is None:
            raise StudyError(f"{self.name}: holds no pixels, expected a study with images")
        return self.load(self.order[index])

    def sha256(self) -> str:
        """SHA-256 of all slices' HU as float32, however the files are packed or named.

        Raises StudyError for a slice that cannot be decoded.
        """
        return sha256_of(self.pixels(index).hu for index in range(len(self)))

    def with_padding(self, hu: np.ndarray, index: int) -> np.ndarray:
        """Put the source's padding back into a slice: what no ray saw must not look measured.

        Args:
            hu: (row, column) on the study's own grid, or on a smaller square one over the same
                field.
            index: which slice.
        """
        if self.load is None:
            return hu
        pixels = self.pixels(index)
        if not pixels.padding.any():
            return hu
        if hu.shape == pixels.hu.shape:
            return np.where(pixels.padding, pixels.hu, hu)
        share = np.where(pixels.padding, AIR_HU + 1.0, AIR_HU)[None]
        grid = self.grid.select([index])
        covered = reduce_in_plane(Volume(share, grid), hu.shape[0]).hu[0] - AIR_HU
        return np.where(covered > 0.999, pixels.hu[pixels.padding].min(), hu).astype(hu.dtype)

    @cached_property
    def volume(self) -> Volume:
        """All slices in HU, padding replaced by air; held while this object lives."""
        shape = (len(self), self.grid.rows, self.grid.columns)
        hu = np.empty(shape, np.float32)
        for index in range(len(self)):
            pixels = self.pixels(index)
            hu[index] = np.where(pixels.padding, np.float32(AIR_HU), pixels.hu)
        return Volume(hu=hu, grid=self.grid)


def sha256_of(arrays: Iterable[np.ndarray]) -> str:
    """SHA-256 of the arrays' values in single precision, one array after another."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array, "<f4").data)
    return found.hexdigest()
