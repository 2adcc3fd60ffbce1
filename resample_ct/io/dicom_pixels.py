"""HU to stored values, and where on the patient they lie, in the header of one slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from resample_ct.errors import StudyError
from resample_ct.io.datasets import item
from resample_ct.io.dicom_checks import padding_range
from resample_ct.io.dicom_file import decimal
from resample_ct.values.volume import AIR_HU, Grid

_WINDOW_CENTER, _WINDOW_WIDTH = 40, 400


def set_pixels(header: Dataset, hu: np.ndarray, path: Path) -> None:
    """Store HU with the header's slope and intercept, in its bits where they hold every value.

    Args:
        header: holds Rows and Columns; gets pixels and all that describes them.
        hu: (row, column).
        path: that the error names.

    Raises:
        StudyError: values that 16 bits do not hold.
    """
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
    # In whole elements, here and below: one that the source has in a wrong VR would stay in it.
    header.update(
        item(
            SamplesPerPixel=1,
            PhotometricInterpretation="MONOCHROME2",
            BitsAllocated=16,
            BitsStored=bits,
            HighBit=bits - 1,
            PixelRepresentation=int(signed),
            RescaleSlope=decimal(slope),
            RescaleIntercept=decimal(intercept),
            RescaleType="HU",
        )
    )
    if header.get("WindowCenter") is None or header.get("WindowWidth") is None:
        header.WindowCenter, header.WindowWidth = _WINDOW_CENTER, _WINDOW_WIDTH
        header.pop("WindowCenterWidthExplanation", None)
    _set_padding(header, pixels)
    header.PixelData = pixels.tobytes()
    header["PixelData"].VR = "OW"


def _set_padding(header: Dataset, pixels: np.ndarray) -> None:
    """Name the padding values in the pixels' own VR, only where they occur and are no tissue's too."""
    bounds = padding_range(header, pixels.dtype)
    limited = header.get("PixelPaddingRangeLimit") is not None
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        header.pop(keyword, None)
    if bounds is None or not ((pixels >= bounds[0]) & (pixels <= bounds[1])).any():
        return
    if max(float(header.RescaleSlope) * bound for bound in bounds) + header.RescaleIntercept > AIR_HU:
        return
    vr = "SS" if header.PixelRepresentation else "US"
    header.add_new("PixelPaddingValue", vr, bounds[0])
    if limited:
        header.add_new("PixelPaddingRangeLimit", vr, bounds[1])


def set_geometry(header: Dataset, grid: Grid, index: int) -> None:
    """Where slice `index` of the grid lies."""
    row_mm, column_mm = grid.spacing_mm
    header.update(
        item(
            Rows=grid.rows,
            Columns=grid.columns,
            PixelSpacing=[decimal(row_mm), decimal(column_mm)],
            ImagePositionPatient=[decimal(v) for v in grid.positions[index]],
            ImageOrientationPatient=[decimal(v) for v in (*grid.row_direction, *grid.column_direction)],
            ReconstructionDiameter=decimal(max(grid.rows * row_mm, grid.columns * column_mm)),
        )
    )
    if not header.get("SliceThickness"):
        header.SliceThickness = decimal(round(grid.thickness_mm, 6))
    if len(grid) > 1 and header.get("SpacingBetweenSlices"):
        if grid.is_even:
            header.SpacingBetweenSlices = decimal(round(abs(float(grid.slice_step @ grid.normal)), 6))
        else:
            # One number for all slices, which there is none of.
            del header.SpacingBetweenSlices
