"""DICOM CT series to Study: find, choose, check, sort, place.

Slices are sorted by position along the normal, never by file name or InstanceNumber. Tolerances
are dicom.md's: 1e-4 for direction cosines, 1 % of the spacing for positions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pydicom
from pydicom.config import disable_value_validation
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage

from resample_ct.errors import StudyError
from resample_ct.io.acquisitions import check_one_acquisition
from resample_ct.io.dicom_checks import (
    ENHANCED_CT,
    check_image,
    one_line,
    positive_number,
    required_numbers,
    tag_name,
    whole_number,
)
from resample_ct.io.dicom_decode import decode
from resample_ct.io.enhanced_read import split_frames
from resample_ct.io.one_object import check_frame_of_reference, check_same_geometry
from resample_ct.io.plausible import ValueRange
from resample_ct.io.sources import SourceFile, list_files
from resample_ct.io.stack import check_spacing
from resample_ct.io.study import SlicePixels, Study
from resample_ct.values.volume import Grid


@dataclass(frozen=True)
class Instance:
    """One slice: its header and where its pixels are."""

    file: SourceFile
    header: Dataset


def _header(file: SourceFile) -> Dataset | None:
    """The header without pixels, or None for a file that is no DICOM."""
    content = file.open()
    name = Path(file.name).name.lower()
    # macOS puts "._" files of its own next to real ones.
    if content.getbuffer().nbytes < 132 and name.endswith(".dcm") and not name.startswith("._"):
        raise _damaged(file, "it is shorter than a file's preamble")
    marked = bytes(content.getbuffer()[128:132]) == b"DICM"
    try:
        header = pydicom.dcmread(content, stop_before_pixels=True, force=not marked)
    except Exception as error:  # pydicom raises whatever a damaged file leads it to
        if not marked:
            return None
        raise _damaged(file, one_line(error)) from None
    # Else every header would keep its whole file in memory.
    header.buffer = None
    return header if marked or "SOPClassUID" in header else None


def _damaged(file: SourceFile, reason: str) -> StudyError:
    return StudyError(f"{file.name}: damaged DICOM ({reason}), expected a whole file; copy it again")


def _drop_unreadable(dataset: Dataset) -> list[str]:
    """Delete what breaks its own VR, which would raise in the middle of a job, and name it."""
    dropped = []
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
        except Exception:  # pydicom raises whatever a damaged element leads it to
            del dataset[tag]
            dropped.append(f"unreadable {keyword_for_tag(tag) or 'attribute'} {tag}")
            continue
        if element.VR == "SQ":
            dropped += [name for item in element.value for name in _drop_unreadable(item)]
    return dropped


def _sop_class(file: SourceFile, header: Dataset) -> UID:
    """Raises StudyError for a header that ends before it says what it is, or before a CT's Rows."""
    named = header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID")
    if not named:
        raise _damaged(file, "its header holds no SOPClassUID")
    kind = UID(str(named))
    if kind in (CTImageStorage, *ENHANCED_CT) and "Rows" not in header:
        raise _damaged(file, "its header holds no Rows")
    return kind


def _is_localizer(header: Dataset) -> bool:
    return "LOCALIZER" in str(header.get("ImageType")).upper()


def _sort_out(files: list[SourceFile]) -> tuple[list[Instance], list[str]]:
    """CT slices, and notes on what was left out."""
    instances: list[Instance] = []
    left_out: Counter[str] = Counter()
    for file in files:
        with disable_value_validation():
            header = _header(file)
            if header is None:
                left_out["file that is no DICOM"] += 1
                continue
            dropped = _drop_unreadable(header.file_meta) + _drop_unreadable(header)
        kind = _sop_class(file, header)
        if kind not in (CTImageStorage, *ENHANCED_CT):
            left_out["private object" if kind.is_private else kind.name] += 1
        elif _is_localizer(header):
            left_out["localizer"] += 1
        else:
            instances.append(Instance(file, header))
            left_out.update(dropped)
    return instances, [f"left out {n} x {kind}" for kind, n in sorted(left_out.items())]


def _slices(instances: list[Instance]) -> tuple[list[Instance], list[str]]:
    """One instance for each slice, where some hold many, and notes on frames that were left out."""
    slices: list[Instance] = []
    localizers = 0
    for instance in instances:
        if instance.header.get("SOPClassUID") not in ENHANCED_CT:
            slices.append(instance)
            continue
        frames = [Instance(*frame) for frame in split_frames(instance.file, instance.header)]
        slices += [frame for frame in frames if not _is_localizer(frame.header)]
        localizers += sum(_is_localizer(frame.header) for frame in frames)
    return slices, [f"left out {localizers} x localizer frame"] if localizers else []


def _frame_count(header: Dataset) -> int:
    return whole_number(header, "NumberOfFrames") or 1


def _choose_series(
    instances: list[Instance], series: str | None, source: str, left_out: list[str]
) -> list[Instance]:
    by_uid: dict[str, list[Instance]] = {}
    for instance in instances:
        uid = str(instance.header.get("SeriesInstanceUID", ""))
        by_uid.setdefault(uid, []).append(instance)
    listed = "; ".join(
        f"{uid} ({sum(_frame_count(i.header) for i in found)} slices, "
        f"{found[0].header.get('SeriesDescription', 'no description')})"
        for uid, found in by_uid.items()
    )
    if series is not None:
        if series not in by_uid:
            raise StudyError(
                f"--series {series}: not in {source}, found {listed or 'no CT series'}; name one of these"
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
    steps = (positive_number(first.header, k) for k in ("SpacingBetweenSlices", "SliceThickness"))
    grid = Grid(
        positions=positions[order],
        row_direction=row,
        column_direction=column,
        spacing_mm=(float(spacing[0]), float(spacing[1])),
        rows=int(first.header.Rows),
        columns=int(first.header.Columns),
        thickness_mm=next((step for step in steps if step), 1.0),
    )
    if len(grid) > 1:
        grid = replace(grid, thickness_mm=grid.usual_step_mm)
    ordered = [(instances[i].file, instances[i].header) for i in order]
    check_one_acquisition(ordered)
    return grid, order, check_spacing(grid, ordered) + check_frame_of_reference(ordered, grid)


def _check_values(ordered: Sequence[Instance]) -> list[str]:
    """Decode every slice once, so that a bad one is reported before hours of work; notes on values."""
    values = ValueRange()
    padded = disputed = 0
    for instance in ordered:
        pixels = decode(instance.file, instance.header)
        signed = instance.header.get("PixelRepresentation")
        remedy = (
            "check RescaleSlope and RescaleIntercept, and whether signed values are declared unsigned: "
            f"{tag_name('PixelRepresentation')} is {signed}"
        )
        values.add(f"{instance.file.name}: {tag_name('PixelData')}", pixels, remedy)
        padded += bool(pixels.padding.any())
        disputed += pixels.disputed
    notes = values.notes()
    if padded:
        notes.append(f"padding outside the field of view taken as air in {padded} slices")
    if disputed:
        value = ordered[0].header.get("PixelPaddingValue")
        notes.append(
            f"{tag_name('PixelPaddingValue')}: {value} is a value of the body as well; {disputed} pixels "
            "inside the image are taken as measured"
        )
    return notes


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
    instances, frame_notes = _slices(_choose_series(found, series, label, notes))
    if not instances:
        raise StudyError(f"{label}: the series holds localizers only, expected CT slices")
    notes += frame_notes
    for instance in instances:
        check_image(instance.file, instance.header)
        check_same_geometry((instances[0].file, instances[0].header), (instance.file, instance.header))
    kind = instances[0].header.get("RescaleType") or "HU"
    if kind != "HU":
        notes.append(f"RescaleType {kind} taken as HU")
    grid, order, spacing_notes = _grid(instances)
    ordered = [instances[i] for i in order]
    notes += spacing_notes + _check_values(ordered)

    def load(index: int) -> SlicePixels:
        return decode(ordered[index].file, ordered[index].header)

    description = ordered[0].header.get("SeriesDescription") or "CT series"
    return Study(
        name=str(description),
        grid=grid,
        headers=tuple(i.header for i in ordered),
        load=load,
        order=tuple(range(len(ordered))),
        notes=tuple(notes),
    )
