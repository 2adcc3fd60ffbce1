"""NIfTI out, a slice at a time.

NIfTI is RAS+ and (column, row, slice); everything else here is LPS and (slice, row, column).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.openers import ImageOpener

from resample_ct.errors import StudyError
from resample_ct.values.volume import Grid

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


class _EvenlySpaced:
    """Linear interpolation along the stack to its smallest gap: NIfTI has one step for all slices."""

    def __init__(self, slices: Iterable[np.ndarray], grid: Grid) -> None:
        self._slices = slices
        place = np.concatenate([[0.0], np.cumsum(grid.gaps_mm)])
        count = int(np.floor(place[-1] / grid.gaps_mm.min() + 1e-3)) + 1
        wanted = np.arange(count) * grid.gaps_mm.min()
        wanted[-1] = min(wanted[-1], place[-1])
        self._lower = np.clip(np.searchsorted(place, wanted, side="right") - 1, 0, len(place) - 2)
        self._share = ((wanted - place[self._lower]) / np.diff(place)[self._lower]).astype(np.float32)
        positions = [np.interp(wanted, place, grid.positions[:, axis]) for axis in range(3)]
        self.grid = replace(grid, positions=np.stack(positions, axis=1))

    def __iter__(self) -> Iterator[np.ndarray]:
        source = iter(self._slices)
        below, above, held = next(source), next(source), 1
        for lower, share in zip(self._lower, self._share, strict=True):
            while held <= lower:
                below, above, held = above, next(source), held + 1
            yield (1 - share) * below + share * above


def write_nifti(slices: Iterable[np.ndarray], grid: Grid, path: Path, description: str = "") -> None:
    """Write HU with the right affine, in float32 (int16 where every value is whole).

    An unevenly spaced stack is interpolated to even spacing, as dcm2niix does; the DICOM series
    keeps the slices as they are. A tilted stack keeps its shear in the sform.

    Args:
        slices: (row, column) HU of each slice of the grid, gone through twice, one at a time: an array
            of them, or whatever makes them anew each time.
        grid: where they lie.
        path: new file ending in .nii or .nii.gz, which appears only when it is whole.
        description: at most 79 characters for the header.

    Raises:
        StudyError: the file exists.
    """
    if path.exists():
        raise StudyError(f"{path}: exists, expected a new file; name another one")
    if not grid.is_even:
        slices = _EvenlySpaced(slices, grid)
        grid = slices.grid
    header = _header(grid, np.dtype(np.int16 if _are_whole(slices) else np.float32), description)
    stored = header.get_data_dtype()
    partial = path.with_name(f"partial-{path.name}")
    try:
        with ImageOpener(str(partial), "wb") as file:
            header.write_to(file)
            for _, hu in zip(range(len(grid)), slices, strict=True):
                file.write(np.ascontiguousarray(hu, stored).tobytes())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _are_whole(slices: Iterable[np.ndarray]) -> bool:
    return all(
        np.array_equal(hu, np.rint(hu)) and hu.min() >= -32768 and hu.max() <= 32767 for hu in slices
    )


def _header(grid: Grid, stored: np.dtype, description: str) -> nib.Nifti1Header:
    affine = _LPS_TO_RAS @ grid.affine
    # One value that is seen as all: the header is an image's, but no image is made.
    blank = np.broadcast_to(np.zeros((), stored), (grid.columns, grid.rows, len(grid)))
    image = nib.Nifti1Image(blank, affine, dtype=stored)
    step = grid.slice_step
    sheared = abs(step @ grid.normal) < 0.9999 * np.linalg.norm(step)
    # The qform has no shear, so a tilted stack must not carry one.
    image.set_qform(affine, code=0 if sheared else 1)
    image.set_sform(affine, code=1)
    header: nib.Nifti1Header = image.header
    header.set_xyzt_units("mm", "sec")
    header.set_slope_inter(1, 0)
    header["descrip"] = description.encode("ascii", "replace")[:79]
    return header
