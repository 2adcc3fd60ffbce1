"""NIfTI in.

NIfTI is RAS+ and (column, row, slice); everything else here is LPS and (slice, row, column).
"""

from __future__ import annotations

import zlib
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from resample_ct.errors import StudyError
from resample_ct.io.plausible import ValueRange, no_hu
from resample_ct.io.study import SlicePixels, Study
from resample_ct.values.volume import Grid

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
# Of the smallest side of a voxel; the qform is stored in single precision.
_FORMS_APART = 0.1
_SUFFIXES = (".nii", ".nii.gz")
# What nibabel raises for a file that is cut off or no NIfTI.
_UNREADABLE = (OSError, EOFError, zlib.error, ImageFileError, HeaderDataError, ValueError, KeyError)


def is_nifti(path: Path) -> bool:
    """Whether the path is named as a NIfTI file."""
    return path.is_file() and path.name.lower().endswith(_SUFFIXES)


def _to_lps_axes(image: nib.Nifti1Image) -> nib.Nifti1Image:
    """Flip and reorder axes, without resampling, so that they run nearest to L, P and S."""
    current = nib.orientations.io_orientation(image.affine)
    wanted = nib.orientations.axcodes2ornt(("L", "P", "S"))
    return image.as_reoriented(nib.orientations.ornt_transform(current, wanted))


def _grid(path: Path, affine_ras: np.ndarray, shape: tuple[int, ...]) -> Grid:
    affine = _RAS_TO_LPS @ affine_ras
    columns, rows, slices = shape
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    row, column = affine[:3, 0] / lengths[0], affine[:3, 1] / lengths[1]
    if abs(row @ column) > 1e-3:
        raise StudyError(
            f"{path}: affine: found in-plane axes that are not at right angles, expected "
            "rectangular pixels; resample the volume first"
        )
    return Grid(
        positions=affine[:3, 3] + np.arange(slices)[:, None] * affine[:3, 2],
        row_direction=row,
        column_direction=column,
        spacing_mm=(float(lengths[1]), float(lengths[0])),
        rows=rows,
        columns=columns,
        thickness_mm=float(lengths[2]),
    )


def _open(path: Path) -> nib.Nifti1Image:
    """One 3-D volume of plain numbers in mm. Raises StudyError for anything else."""
    image = nib.load(path)
    if not isinstance(image, nib.Nifti1Image):
        raise StudyError(f"{path}: not NIfTI, expected .nii or .nii.gz")
    shape = image.shape
    if len(shape) == 4 and shape[3] == 1:
        image = image.slicer[..., 0]
    if len(image.shape) != 3 or 0 in shape or image.get_data_dtype().kind not in "iuf":
        raise StudyError(
            f"{path}: dim: found {shape} of {image.get_data_dtype()}, expected one 3-D volume "
            "of HU; extract one volume first"
        )
    units = image.header.get_xyzt_units()[0]
    if units not in ("mm", "unknown"):
        raise StudyError(f"{path}: xyzt_units: found {units}, expected mm; convert the header")
    axes = image.affine[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not np.isfinite(image.affine).all() or abs(np.linalg.det(axes)) <= 1e-6 * lengths.prod():
        raise StudyError(
            f"{path}: affine: found {image.affine.tolist()}, expected three finite, independent "
            "voxel axes; repair the header"
        )
    return image


def read_nifti(path: Path) -> Study:
    """Read a NIfTI CT volume in HU.

    Axes are flipped and reordered, never resampled, to run along L, P, S as in an axial DICOM
    series; the affine follows, so every voxel keeps its place.

    Raises:
        StudyError: truncated file, not 3-D, not plain numbers, non-finite voxels, units not mm, no HU.
    """
    try:
        image = _open(path)
        notes = _notes_on_place(image)
        image = _to_lps_axes(image)
        hu = np.asarray(image.dataobj, dtype=np.float32)
    except _UNREADABLE as error:
        raise StudyError(
            f"{path}: cannot be read ({error}), expected a whole NIfTI file; copy it again"
        ) from None
    if not np.isfinite(hu).all():
        where = image.affine @ [*np.argwhere(~np.isfinite(hu))[0], 1]
        raise StudyError(
            f"{path}: found a non-finite value at {where[:3].round(2).tolist()} mm (RAS), expected "
            "HU; repair the volume"
        )
    grid = _grid(path, image.affine, hu.shape)

    def load(index: int) -> SlicePixels:
        # A slice at a time, so that a copy in slice order is never made of the whole.
        return SlicePixels.of(np.ascontiguousarray(hu[:, :, index].T))

    values = ValueRange()
    for index in range(len(grid)):
        values.add(str(path), load(index), "convert the volume to HU")
    if values.is_no_hu:
        raise no_hu(str(path), values.low, values.high)
    return Study(
        name=path.name,
        grid=grid,
        headers=(),
        load=load,
        order=tuple(range(len(grid))),
        notes=(*values.notes(), *notes),
    )


def _notes_on_place(image: nib.Nifti1Image) -> list[str]:
    """Where the header says nothing of the volume's place in the patient, or says two things."""
    header = image.header
    if header["sform_code"] == 0 and header["qform_code"] == 0:
        return ["sform and qform codes are 0: where the volume lies in the patient is a guess"]
    if header["sform_code"] == 0 or header["qform_code"] == 0:
        return []
    corners = np.array(list(product(*[(0, size - 1) for size in image.shape[:3]], [1]))).T
    moved = (image.get_sform() - image.get_qform()) @ corners
    apart = float(np.linalg.norm(moved[:3], axis=0).max())
    if apart <= _FORMS_APART * float(min(image.header.get_zooms()[:3])):
        return []
    return [f"sform and qform differ by up to {apart:.3g} mm; the sform is used"]
