"""DICOM CT series to Study: find, choose, check, sort, place.

Slices are sorted by position along the normal, never by file name or InstanceNumber. Tolerances
are dicom.md's: 1e-4 for direction cosines, 1 % of the spacing for positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from resample_ct.errors import StudyError
from resample_ct.io.dicom_checks import (
    check_image,
    check_same_geometry,
    check_spacing,
    required_numbers,
)
from resample_ct.io.sources import SourceFile, list_files
from resample_ct.io.study import SlicePixels, Study
from resample_ct.volume import Grid

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = ("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")


@dataclass(frozen=True)
class Instance:
    """One DICOM file: its header and where its pixels are."""

    file: SourceFile
    header: Dataset


def _header(file: SourceFile) -> Dataset | None:
    """The header without pixels, or None for a file that is no DICOM image."""
    content = file.open()
    marked = content.getbuffer()[128:132] == b"DICM"
    try:
        header = pydicom.dcmread(content, stop_before_pixels=True, force=not marked)
        if "SOPClassUID" not in header or "Rows" not in header:
            return None
        # Reading is lazy: this makes a damaged element show here and not in the middle of a job.
        for element in header.iterall():
            _ = element.value
        return header
    except InvalidDicomError:
        return None
    except Exception as error:  # pydicom raises whatever a damaged file leads it to
        if not marked:
            return None
        raise StudyError(
            f"{file.name}: damaged DICOM ({error}), expected a whole file; copy it again"
        ) from None


def _is_localizer(header: Dataset) -> bool:
    return any("LOCALIZER" in str(v).upper() for v in header.get("ImageType", []))


def _sort_out(files: list[SourceFile]) -> tuple[list[Instance], list[str]]:
    """CT slices, and notes on what was left out."""
    instances: list[Instance] = []
    other: dict[str, int] = {}
    for file in files:
        header = _header(file)
        if header is None:
            continue
        uid = header.SOPClassUID
        if uid in ENHANCED_CT or (uid == CT_IMAGE and int(header.get("NumberOfFrames") or 1) > 1):
            raise StudyError(
                f"{file.name}: NumberOfFrames (0028,0008): found a multi-frame CT of "
                f"{header.get('NumberOfFrames', '?')} frames, expected one slice a file; convert "
                "it to single-frame CT images first"
            )
        if uid != CT_IMAGE:
            kind = uid.name if uid.is_private is False else "private object"
            other[kind] = other.get(kind, 0) + 1
        elif _is_localizer(header):
            other["localizer"] = other.get("localizer", 0) + 1
        else:
            instances.append(Instance(file, header))
    return instances, [f"left out {n} x {kind}" for kind, n in sorted(other.items())]


def _choose_series(
    instances: list[Instance], series: str | None, source: str, left_out: list[str]
) -> list[Instance]:
    by_uid: dict[str, list[Instance]] = {}
    for instance in instances:
        uid = str(instance.header.get("SeriesInstanceUID", ""))
        by_uid.setdefault(uid, []).append(instance)
    listed = "; ".join(
        f"{uid} ({len(found)} slices, {found[0].header.get('SeriesDescription', 'no description')})"
        for uid, found in by_uid.items()
    )
    if series is not None:
        if series not in by_uid:
            raise StudyError(
                f"--series {series}: not in {source}, found {listed or 'no CT series'}; name one "
                "of these"
            )
        return by_uid[series]
    if not by_uid:
        seen = f" ({'; '.join(left_out)})" if left_out else ""
        raise StudyError(
            f"{source}: no CT slices found{seen}, expected a DICOM CT series (CT Image Storage) "
            "or a NIfTI file"
        )
    if len(by_uid) > 1:
        raise StudyError(
            f"{source}: SeriesInstanceUID (0020,000E): found {len(by_uid)} series, expected one; "
            f"choose with --series: {listed}"
        )
    return next(iter(by_uid.values()))


def _grid(instances: list[Instance]) -> tuple[Grid, list[int], list[str]]:
    """Geometry, the instances' order along the normal, and notes."""
    first = instances[0]
    orientation = required_numbers(first.file, first.header, "ImageOrientationPatient", 6)
    row, column = orientation[:3], orientation[3:]
    positions = np.array(
        [required_numbers(i.file, i.header, "ImagePositionPatient", 3) for i in instances]
    )
    order = np.argsort(positions @ np.cross(row, column), kind="stable").tolist()
    spacing = required_numbers(first.file, first.header, "PixelSpacing", 2)
    thickness = first.header.get("SpacingBetweenSlices") or first.header.get("SliceThickness")
    grid = Grid(
        positions=positions[order],
        row_direction=row,
        column_direction=column,
        spacing_mm=(float(spacing[0]), float(spacing[1])),
        rows=int(first.header.Rows),
        columns=int(first.header.Columns),
        thickness_mm=abs(float(thickness or 1.0)) or 1.0,
    )
    ordered = [instances[i] for i in order]
    return grid, order, check_spacing(grid, [(i.file, i.header) for i in ordered])


def _as_stored(value: int, kind: np.dtype) -> int:
    """A padding value in the pixels' own type: its VR may be unsigned where they are signed."""
    return int(np.array(value & 0xFFFF, np.uint16).astype(kind))


def decode(file: SourceFile) -> SlicePixels:
    """Stored values to HU by the instance's own slope and intercept; padding marked.

    Raises StudyError for pixels that are cut off or cannot be decoded.
    """
    try:
        dataset = pydicom.dcmread(file.open(), force=True)
        stored = dataset.pixel_array
    except Exception as error:  # every codec raises its own kind
        raise StudyError(
            f"{file.name}: PixelData (7FE0,0010): cannot be decoded ({error}), expected "
            "complete pixels; copy the file again"
        ) from None
    slope, intercept = float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
    hu = (stored.astype(np.float64) * slope + intercept).astype(np.float32)
    padding = None
    value = dataset.get("PixelPaddingValue")
    if value is not None:
        value = _as_stored(value, stored.dtype)
        limit = dataset.get("PixelPaddingRangeLimit")
        limit = value if limit is None else _as_stored(limit, stored.dtype)
        padding = (stored >= min(value, limit)) & (stored <= max(value, limit))
    return SlicePixels.of(hu, padding)


def read_dicom(source: Path | Sequence[Path], series: str | None = None) -> Study:
    """Read one CT series.

    Args:
        source: folder (searched below too), file, list of files, or zip.
        series: SeriesInstanceUID, needed where several are found.

    Raises:
        StudyError: no CT or several series, mixed geometry, missing or duplicate slices, colour or
            multi-frame images, pixels cut off; every message names file and tag.
    """
    label = str(source) if isinstance(source, Path) else f"{len(source)} files"
    found, notes = _sort_out(list_files(source))
    instances = _choose_series(found, series, label, notes)
    for instance in instances:
        check_image(instance.file, instance.header)
        check_same_geometry(
            (instances[0].file, instances[0].header), (instance.file, instance.header)
        )
    grid, order, spacing_notes = _grid(instances)
    ordered = [instances[i] for i in order]
    padded = 0
    for instance in ordered:
        # Decoded once here, so that a damaged slice is reported before hours of work.
        padded += bool(decode(instance.file).padding.any())
    if padded:
        notes.append(f"padding outside the field of view taken as air in {padded} slices")

    def load(index: int) -> SlicePixels:
        return decode(ordered[index].file)

    description = ordered[0].header.get("SeriesDescription") or "CT series"
    return Study(
        name=str(description),
        grid=grid,
        headers=tuple(i.header for i in ordered),
        load=load,
        order=tuple(range(len(ordered))),
        notes=tuple(notes + spacing_notes),
    )
