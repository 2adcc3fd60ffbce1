"""What a CT slice must hold before it is read, and how its headers' values are taken."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage

from resample_ct.errors import StudyError
from resample_ct.io.sources import SourceFile

# The defined terms (PS3.3 C.11.1.1.2) that are no HU: dual-energy and density maps. Scanners also
# write "US" or terms of their own where they mean HU, so only these are refused.
_OTHER_QUANTITIES = ("OD", "MGML", "Z_EFF", "ED", "EDW", "PCT")
ENHANCED_CT = (EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)

NamedHeader = tuple[SourceFile, Dataset]


def tag_name(keyword: str) -> str:
    """Keyword and number, as `Rows (0028,0010)`."""
    number = Tag(tag_for_keyword(keyword) or 0)
    return f"{keyword} ({number.group:04X},{number.element:04X})"


def one_line(error: BaseException) -> str:
    """What a library says, which may be a list, in one line."""
    return " ".join(str(error).split())


def refuse(file: SourceFile, keyword: str, found: Any, expected: str, remedy: str) -> StudyError:
    """The error that names file, tag, what was found, what was expected and what to do."""
    return StudyError(f"{file.name}: {tag_name(keyword)}: found {found}, expected {expected}; {remedy}")


def required_numbers(file: SourceFile, header: Dataset, keyword: str, count: int) -> np.ndarray:
    """A tag's `count` finite numbers. Raises StudyError where it holds anything else."""
    value = header.get(keyword)
    values = [] if value is None else [value] if count == 1 else list(np.atleast_1d(value))
    try:
        numbers = np.array([float(v) for v in values])
    except (TypeError, ValueError):
        numbers = np.array([])
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise refuse(
            file,
            keyword,
            "nothing" if value is None else str(value),
            f"{count} finite number{'s' if count > 1 else ''}",
            "export the series again with its image attributes",
        )
    return numbers


def positive_number(header: Dataset, keyword: str) -> float | None:
    """The size of a tag's one finite number, None where it holds 0 or anything else."""
    try:
        number = abs(float(header.get(keyword)))
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) and number > 0 else None


def whole_number(header: Dataset, keyword: str) -> int | None:
    """A tag's integer, None where it holds anything else."""
    try:
        return int(header.get(keyword))
    except (TypeError, ValueError, OverflowError):
        return None


def padding_range(header: Dataset, kind: np.dtype) -> tuple[int, int] | None:
    """Lowest and highest stored value that mean padding, None where none is named.

    The tags' VR may be unsigned where the pixels are signed, so both are taken as the pixels' bits.
    """
    value = whole_number(header, "PixelPaddingValue")
    if value is None:
        return None
    limit = whole_number(header, "PixelPaddingRangeLimit")
    both = np.array([value, value if limit is None else limit]) & 0xFFFF
    low, high = sorted(both.astype(np.uint16).astype(kind).tolist())
    return low, high


def check_image(file: SourceFile, header: Dataset) -> None:
    """Refuse colour, inverted, unscaled or non-HU images and impossible geometry.

    Frames of CT Image Storage, which has no place for their positions, are refused too.
    """
    frames = whole_number(header, "NumberOfFrames") or 1
    if frames > 1:
        raise refuse(
            file,
            "NumberOfFrames",
            f"a multi-frame CT of {frames}",
            "one slice a file, or Enhanced CT",
            "convert it to single-frame CT images first",
        )
    samples = header.get("SamplesPerPixel", 1)
    photometric = header.get("PhotometricInterpretation")
    if samples != 1 or photometric != "MONOCHROME2":
        keyword = "SamplesPerPixel" if samples != 1 else "PhotometricInterpretation"
        raise refuse(
            file,
            keyword,
            samples if samples != 1 else photometric,
            "one sample of MONOCHROME2",
            "leave colour and inverted images out",
        )
    slope = required_numbers(file, header, "RescaleSlope", 1)[0]
    if slope == 0:
        raise refuse(file, "RescaleSlope", slope, "a number other than 0", "export it again")
    required_numbers(file, header, "RescaleIntercept", 1)
    for keyword in ("Rows", "Columns"):
        required_numbers(file, header, keyword, 1)
    kind = header.get("RescaleType")
    if kind in _OTHER_QUANTITIES:
        raise refuse(file, "RescaleType", kind, "HU", "choose a series in Hounsfield units")
    spacing = required_numbers(file, header, "PixelSpacing", 2)
    if (spacing <= 0).any():
        raise refuse(file, "PixelSpacing", spacing.tolist(), "positive mm", "export it again")
    required_numbers(file, header, "ImagePositionPatient", 3)
    cosines = required_numbers(file, header, "ImageOrientationPatient", 6)
    row, column = cosines[:3], cosines[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(row @ column)) > 1e-3:
        raise refuse(
            file,
            "ImageOrientationPatient",
            cosines.tolist(),
            "two unit vectors at right angles",
            "export the series again",
        )
