"""Study and new HU to a derived CT series: one file a slice, explicit VR little endian."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import DSfloat

from resample_ct.errors import StudyError
from resample_ct.io.derivation import Derivation, SeriesIdentity, derived_header
from resample_ct.io.dicom_checks import padding_range
from resample_ct.io.study import Study
from resample_ct.volume import Grid

_WINDOW_CENTER, _WINDOW_WIDTH = 40, 400


def _ds(value: float) -> DSfloat:
    """A decimal string of at most 16 characters, as DICOM demands."""
    return DSfloat(float(value), auto_format=True)


def _set_pixels(header: Dataset, hu: np.ndarray, path: Path) -> None:
    """Store HU with the source's slope and intercept, in its bits where they hold every value."""
    if hu.shape != (header.Rows, header.Columns):
        raise ValueError(f"slice of {hu.shape}, grid of {(header.Rows, header.Columns)}")
    slope = float(header.get("RescaleSlope") or 1.0)
    intercept = float(header.get("RescaleIntercept", -1024.0))
    stored = np.rint((hu.astype(np.float64) - intercept) / slope)
    bits = min(int(header.get("BitsStored", 16)), 16)
    signed = bool(header.get("PixelRepresentation", 1))
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    if stored.min() < low or stored.max() > high:
        bits, signed, low, high = 16, True, -(2**15), 2**15 - 1
    if not np.isfinite(stored).all() or stored.min() < low or stored.max() > high:
        raise StudyError(
            f"{path}: found HU from {hu.min():g} to {hu.max():g}, expected values that 16 bits hold "
            f"with RescaleSlope {slope:g} and RescaleIntercept {intercept:g}; nothing was written"
        )
    pixels = stored.astype("<i2" if signed else "<u2")
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, bits, bits - 1
    header.PixelRepresentation = int(signed)
    header.RescaleSlope, header.RescaleIntercept = _ds(slope), _ds(intercept)
    header.RescaleType = "HU"
    if header.get("WindowCenter") is None or header.get("WindowWidth") is None:
        header.WindowCenter, header.WindowWidth = _WINDOW_CENTER, _WINDOW_WIDTH
        header.pop("WindowCenterWidthExplanation", None)
    _set_padding(header, pixels)
    header.PixelData = pixels.tobytes()
    header["PixelData"].VR = "OW"


def _set_padding(header: Dataset, pixels: np.ndarray) -> None:
    """Name the padding values in the pixels' own VR, and only where they occur."""
    bounds = padding_range(header, pixels.dtype)
    limited = header.get("PixelPaddingRangeLimit") is not None
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        header.pop(keyword, None)
    if bounds is None or not ((pixels >= bounds[0]) & (pixels <= bounds[1])).any():
        return
    vr = "SS" if header.PixelRepresentation else "US"
    header.add_new("PixelPaddingValue", vr, bounds[0])
    if limited:
        header.add_new("PixelPaddingRangeLimit", vr, bounds[1])


def _set_geometry(header: Dataset, grid: Grid, index: int) -> None:
    row_mm, column_mm = grid.spacing_mm
    header.Rows, header.Columns = grid.rows, grid.columns
    header.PixelSpacing = [_ds(row_mm), _ds(column_mm)]
    header.ImagePositionPatient = [_ds(v) for v in grid.positions[index]]
    header.ImageOrientationPatient = [_ds(v) for v in (*grid.row_direction, *grid.column_direction)]
    header.ReconstructionDiameter = _ds(max(grid.rows * row_mm, grid.columns * column_mm))
    step = abs(float(grid.slice_step @ grid.normal))
    if not header.get("SliceThickness"):
        header.SliceThickness = _ds(step)
    if header.get("SpacingBetweenSlices"):
        header.SpacingBetweenSlices = _ds(round(step, 6))


def _save(header: Dataset, path: Path) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = header.SOPClassUID
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta = meta
    # The source's may hold a header of another format.
    header.preamble = b"\0" * 128
    header.save_as(path, enforce_file_format=True, implicit_vr=False, little_endian=True)


def write_series(
    study: Study, slices: Iterable[np.ndarray], grid: Grid, folder: Path, derivation: Derivation
) -> str:
    """Write a derived CT series.

    Args:
        study: the source, whose slices the new ones take the place of, one for one.
        slices: (row, column) HU of each slice, in the study's order; read one at a time.
        grid: where they lie.
        folder: new folder, which appears only when the series is whole.
        derivation: what was done; goes into every header.

    Returns:
        The new SeriesInstanceUID.

    Raises:
        StudyError: the folder exists, or values that cannot be stored; nothing is left of a series
            that is not whole.
    """
    if folder.exists():
        raise StudyError(f"{folder}: exists, expected a new folder; name another one")
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    identity = SeriesIdentity.new(study.headers[0] if study.headers else None)
    try:
        for index, hu in zip(range(len(grid)), slices, strict=True):
            source = study.headers[index] if study.headers else None
            path = partial / f"{index + 1:04d}.dcm"
            # What the source says is passed on, also where it breaks the rules.
            with disable_value_validation():
                header = derived_header(source, identity, derivation, index + 1)
                _set_geometry(header, grid, index)
                _set_pixels(header, study.with_padding(hu, index), path)
                _save(header, path)
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return identity.series_uid
