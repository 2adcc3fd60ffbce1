"""NIfTI out, a slice at a time.

NIfTI is RAS+ and (column, row, slice); everything else here is LPS and (slice, row, column).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.openers import ImageOpener

from resample_ct.errors import StudyError
from resample_ct.values.volume import Grid

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
# How far the qform, which has no shear, may take any voxel from its place and still be written.
_QFORM_ERROR_MM = 0.01


def nifti_paths(path: Path, grid: Grid, numbers: Sequence[int]) -> dict[Path, range]:
    """The files that a stack becomes, and the places of each one's slices.

    NIfTI has one step for all slices. An evenly spaced stack is one file, `path`; any other is a file
    for each of its evenly spaced runs, named after the run's first and last slice.

    Args:
        path: ends in .nii or .nii.gz.
        grid: where the slices lie.
        numbers: what each slice is called.

    >>> from resample_ct.values.volume import Grid
    >>> z = np.array([0.0, 8.0, 232.0])
    >>> grid = Grid(np.outer(z, [0, 0, 1]), np.eye(3)[0], np.eye(3)[1], (1.0, 1.0), 2, 2, 8.0)
    >>> [str(name) for name in nifti_paths(Path("fbp.nii.gz"), grid, [0, 1, 29])]
    ['fbp-slices-0-1.nii.gz', 'fbp-slices-29.nii.gz']
    """
    runs = grid.even_runs
    if len(runs) == 1:
        return {path: runs[0]}
    suffix = ".nii.gz" if path.name.endswith(".nii.gz") else path.suffix
    stem = path.name.removesuffix(suffix)
    named = {}
    for run in runs:
        ends = sorted({numbers[run[0]], numbers[run[-1]]})
        named[path.with_name(f"{stem}-slices-{'-'.join(map(str, ends))}{suffix}")] = run
    return named


def notes_on_parts(grid: Grid) -> list[str]:
    """What a user should know of a stack that is several NIfTI files."""
    count = len(grid.even_runs)
    if count == 1:
        return []
    return [
        f"NIfTI has one step for all slices: {count} evenly spaced runs are a file each, named after "
        "their slices; no slice is interpolated"
    ]


def write_nifti(
    slices: Iterable[np.ndarray],
    grid: Grid,
    path: Path,
    description: str = "",
    numbers: Sequence[int] | None = None,
) -> tuple[Path, ...]:
    """Write HU with the right affine, in float32 (int16 where every value is whole).

    No slice is ever made up or moved: see `nifti_paths` for stacks that are not evenly spaced. A tilted
    stack keeps its shear in the sform.

    Args:
        slices: (row, column) HU of each slice of the grid, gone through twice, one at a time: an array
            of them, or whatever makes them anew each time.
        grid: where they lie.
        path: new file ending in .nii or .nii.gz, which appears only when it is whole.
        description: at most 79 characters for the header.
        numbers: what each slice is called in a file's name; its place in `slices` if None.

    Returns:
        The files.

    Raises:
        StudyError: a file exists.
    """
    files = nifti_paths(path, grid, range(len(grid)) if numbers is None else numbers)
    for file in files:
        if file.exists():
            raise StudyError(f"{file}: exists, expected a new file; name another one")
    stored = np.dtype(np.int16 if _are_whole(slices) else np.float32)
    partial = path.with_name(f"partial-{path.name}")
    written: list[Path] = []
    remaining = iter(slices)
    try:
        for file, run in files.items():
            # A lone slice is as thick as the stack that it is of has its steps.
            part = replace(grid.select(run), thickness_mm=grid.thickness_mm)
            header = _header(part, stored, description)
            with ImageOpener(str(partial), "wb") as stream:
                header.write_to(stream)
                for hu in _exactly(remaining, len(run), last=run.stop == len(grid)):
                    stream.write(np.ascontiguousarray(hu, stored).tobytes())
            os.replace(partial, file)
            written.append(file)
    except BaseException:
        for file in (partial, *written):
            file.unlink(missing_ok=True)
        raise
    return tuple(written)


def _exactly(slices: Iterator[np.ndarray], count: int, last: bool) -> Iterator[np.ndarray]:
    """The next `count` slices; ValueError where there are fewer, or more behind the last."""
    yield from (hu for _, hu in zip(range(count), islice(slices, count), strict=True))
    if last and next(slices, None) is not None:
        raise ValueError("more slices than the grid has")


def _are_whole(slices: Iterable[np.ndarray]) -> bool:
    return all(
        np.array_equal(hu, np.rint(hu)) and hu.min() >= -32768 and hu.max() <= 32767 for hu in slices
    )


def _header(grid: Grid, stored: np.dtype, description: str) -> nib.Nifti1Header:
    affine = _LPS_TO_RAS @ grid.affine
    # One value that is seen as all: the header is an image's, but no image is made.
    shape = (grid.columns, grid.rows, len(grid))
    image = nib.Nifti1Image(np.broadcast_to(np.zeros((), stored), shape), affine, dtype=stored)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    error = np.abs((image.get_qform() - affine) @ np.diag([*shape, 1.0])).sum(axis=1).max()
    if error > _QFORM_ERROR_MM:
        image.set_qform(affine, code=0)
    header: nib.Nifti1Header = image.header
    header.set_xyzt_units("mm", "sec")
    header.set_slope_inter(1, 0)
    header["descrip"] = description.encode("ascii", "replace")[:79]
    return header
