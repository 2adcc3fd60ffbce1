"""Stored pixel values to HU."""

from __future__ import annotations

import numpy as np
import pydicom
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from resample_ct.errors import StudyError
from resample_ct.io.dicom_checks import one_line, padding_range
from resample_ct.io.sources import SourceFile
from resample_ct.io.study import SlicePixels

# What a file without a file meta group is written in, by whether it is implicit and little endian.
_SYNTAX: dict[tuple[bool | None, bool | None], UID] = {
    (True, True): ImplicitVRLittleEndian,
    (False, True): ExplicitVRLittleEndian,
    (False, False): ExplicitVRBigEndian,
}


def _stored_values(file: SourceFile) -> np.ndarray:
    """The slice's or frame's pixels as the file has them; raises whatever its codec does."""
    if file.frame is not None:
        # Given the stream, pydicom reads no more of it than the frame.
        with file.stream() as stream:
            return pixel_array(stream, index=file.frame - 1)
    dataset = pydicom.dcmread(file.open(), force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = _SYNTAX[dataset.original_encoding]
    return dataset.pixel_array


def decode(file: SourceFile, header: Dataset) -> SlicePixels:
    """Stored values to HU by the slice's own slope and intercept; padding marked.

    Args:
        file: where the pixels are.
        header: the slice's, which says what they mean.

    Raises:
        StudyError: pixels that are cut off or cannot be decoded.
    """
    try:
        with disable_value_validation():
            stored = _stored_values(file)
    except BaseException as error:  # every codec raises its own kind
        # The RLE codec's own panic is no Exception.
        if not isinstance(error, Exception) and type(error).__module__ != "pyo3_runtime":
            raise
        raise StudyError(
            f"{file.name}: PixelData (7FE0,0010): cannot be decoded ({one_line(error)}), expected "
            "complete pixels; copy the file again"
        ) from None
    slope, intercept = float(header.RescaleSlope), float(header.RescaleIntercept)
    hu = (stored.astype(np.float64) * slope + intercept).astype(np.float32)
    bounds = padding_range(header, stored.dtype)
    named = None if bounds is None else (stored >= bounds[0]) & (stored <= bounds[1])
    return SlicePixels.of(hu, named)
