"""Find the CT series below some folders by their headers alone; no pixel is read here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import UID, CTImageStorage

from fine_tune import aapm
from fine_tune.body_parts import body_part_of_header, body_part_of_path
from fine_tune.left_out import Unusable
from resample_ct.errors import StudyError
from resample_ct.io.derivation import MANUFACTURER
from resample_ct.io.dicom_checks import ENHANCED_CT, whole_number
from resample_ct.io.nifti import is_nifti
from resample_ct.io.read import read_study
from resample_ct.io.sources import files_below
from resample_ct.io.study import Study

# Below this there is no anatomy to learn from: thumbnails, test images.
SMALLEST_SIDE = 64
_TAGS = [
    Tag(keyword)
    for keyword in (
        *("SOPClassUID", "ImageType", "SeriesDescription", "StudyDescription", "Manufacturer"),
        *("PatientID", "BodyPartExamined", "SliceThickness", "ConvolutionKernel", "NumberOfFrames"),
        *("SeriesInstanceUID", "ImageOrientationPatient", "Rows", "Columns"),
    )
] + [aapm.DETECTOR_COLUMNS]


@dataclass(frozen=True)
class Series:
    """One CT series, not yet read.

    Attributes:
        patient: PatientID; for NIfTI the first folder below the root, or the file's own name.
        body_part: "chest", "abdomen", "head", what BodyPartExamined says else, or "unknown".
        key: SeriesInstanceUID, or the NIfTI file's path below its root.
        kernel: ConvolutionKernel, empty where it is unknown.
        thickness_mm: SliceThickness, 0 where it is unknown.
        slices: how many there are.
        files: where they are.
    """

    patient: str
    body_part: str
    key: str
    kernel: str
    thickness_mm: float
    slices: int
    files: tuple[Path, ...]

    @property
    def name(self) -> str:
        """What messages call it: its folder or file, without the series' UID."""
        first = self.files[0]
        return str(first if is_nifti(first) or len(self.files) == 1 else first.parent)

    def read(self) -> Study:
        """Read it whole, which checks it. Raises StudyError as `read_study` does."""
        first = self.files[0]
        study = read_study(first) if is_nifti(first) else read_study(list(self.files), self.key)
        if len(study) != self.slices:
            raise StudyError(
                f"{self.name}: found {len(study)} slices when reading, expected {self.slices} as the "
                "headers say; copy the series again"
            )
        return study


@dataclass(frozen=True)
class Found:
    """What lies below some folders.

    Attributes:
        series: axial CT, by patient and key.
        notes: what is no such series and was left out, counted by kind.
        unusable: what should have been one: damaged files, slices under 64 x 64.
    """

    series: tuple[Series, ...]
    notes: tuple[str, ...]
    unusable: tuple[Unusable, ...]


class _LeftOut:
    """Counts what is not meant to be trained on."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[set[str], int]] = {}

    def add(self, kind: str, series: str, files: int = 1) -> None:
        names, count = self._found.get(kind, (set(), 0))
        self._found[kind] = ({*names, series}, count + files)

    def notes(self) -> tuple[str, ...]:
        return tuple(
            f"left out {kind}: {len(names)} series, {count} files"
            for kind, (names, count) in sorted(self._found.items())
        )


def _header(path: Path) -> Dataset | None:
    """The few tags that are asked for, or None for a file that is no DICOM."""
    try:
        with path.open("rb") as stream:
            marked = stream.read(132)[128:] == b"DICM"
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error}), expected a file; check its rights") from None
    # macOS puts "._" files of its own next to real ones.
    expected = marked or (path.suffix.lower() == ".dcm" and not path.name.startswith("._"))
    try:
        with disable_value_validation():
            header = pydicom.dcmread(path, stop_before_pixels=True, force=not marked, specific_tags=_TAGS)
        if "SOPClassUID" in header:
            return header
        reason = "its header holds no SOPClassUID"
    except Exception as error:  # pydicom raises whatever a damaged file leads it to
        reason = str(error)
    if expected:
        raise StudyError(
            f"{path}: damaged DICOM ({reason}), expected a whole file; copy it again, or take it out of "
            "--data"
        )
    return None


def _reason_to_leave_out(header: Dataset, folder: Path) -> str | None:
    kind = aapm.series_kind(header, folder)
    if kind not in (None, aapm.FULL_DOSE):
        return kind
    sop_class = UID(str(header.SOPClassUID))
    if sop_class not in (CTImageStorage, *ENHANCED_CT):
        return "private object" if sop_class.is_private else sop_class.name
    if "LOCALIZER" in str(header.get("ImageType")).upper():
        return "localizer"
    if header.get("Manufacturer") == MANUFACTURER:
        return f"image made by {MANUFACTURER}"
    if "phantom" in str(header.get("PatientID")).lower():
        return "phantom"
    cosines = header.get("ImageOrientationPatient")
    if cosines and len(cosines) == 6:
        normal = np.cross(np.array(cosines[:3], float), np.array(cosines[3:], float))
        if abs(normal[2]) < 0.7:
            return "coronal or sagittal image"
    return None


def _refuse_small(path: Path, rows: int, columns: int) -> None:
    if min(rows, columns) < SMALLEST_SIDE:
        raise StudyError(
            f"{path}: found slices of {rows} x {columns} pixels, expected at least {SMALLEST_SIDE} x "
            f"{SMALLEST_SIDE}; take the series out of --data"
        )


def _check_size(path: Path, header: Dataset) -> None:
    if "Rows" not in header or "Columns" not in header:
        raise StudyError(
            f"{path}: Rows (0028,0010): found nothing, expected the image's size; copy the file again"
        )
    _refuse_small(path, int(header.Rows), int(header.Columns))


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return 0.0


def _dicom_series(uid: str, instances: Sequence[tuple[Path, Dataset]]) -> Series:
    for path, header in instances:
        _check_size(path, header)
    path, header = instances[0]
    files = tuple(p for p, _ in instances)
    # Only a reader knows which frames of a multi-frame file are slices.
    multi = any((whole_number(h, "NumberOfFrames") or 1) > 1 for _, h in instances)
    patient = aapm.patient_name(header, path.parent)
    return Series(
        patient=patient,
        body_part=body_part_of_header(header, patient, path.parent),
        key=uid,
        kernel=str(header.get("ConvolutionKernel") or ""),
        thickness_mm=_number(header.get("SliceThickness")),
        slices=len(read_study(list(files), uid)) if multi else len(files),
        files=files,
    )


def _nifti_series(path: Path, root: Path) -> Series:
    below = path.relative_to(root)
    stem = re.sub(r"\.nii(\.gz)?$", "", path.name, flags=re.I)
    patient = below.parts[0] if len(below.parts) > 1 else stem
    try:
        image = nib.Nifti1Image.from_filename(path)
        axes = nib.orientations.io_orientation(image.affine)[:, 0]
        # Columns, rows, slices: as the reader turns the axes.
        columns, rows, slices = (image.shape[int(np.flatnonzero(axes == axis)[0])] for axis in range(3))
    except Exception as error:  # nibabel raises whatever a damaged file leads it to
        raise StudyError(
            f"{path}: cannot be read ({error}), expected a NIfTI volume; copy it again, or take it out "
            "of --data"
        ) from None
    _refuse_small(path, rows, columns)
    return Series(patient, body_part_of_path(below), below.as_posix(), "", 0.0, slices, (path,))


def _scan_folder(
    folder: Path,
    files: Sequence[Path],
    dicom: dict[str, list[tuple[Path, Dataset]]],
    left_out: _LeftOut,
    unusable: list[Unusable],
) -> None:
    kind = aapm.folder_kind(folder)
    for path in files:
        try:
            header = _header(path)
        except StudyError as error:
            unusable.append(Unusable(str(path), str(error)))
            continue
        if header is None:
            left_out.add("what is neither DICOM nor NIfTI", str(folder))
            continue
        uid = str(header.get("SeriesInstanceUID", ""))
        reason = _reason_to_leave_out(header, folder)
        if reason is None:
            dicom.setdefault(uid, []).append((path, header))
            continue
        if reason == kind:
            # The archive delivers one series a folder: its first header speaks for all.
            left_out.add(reason, uid, len(files))
            return
        left_out.add(reason, uid)


def find_series(roots: Sequence[Path]) -> Found:
    """Every axial CT series below the roots, and what was left out.

    DICOM is known by its content, NIfTI by .nii and .nii.gz. Left out: other modalities, localizers,
    coronal and sagittal images, phantoms, images that this software made, and the low-dose images and
    projections of the AAPM collection; and, as unusable, what is damaged or has slices under 64 x 64.

    Raises:
        StudyError: a root that is no folder, no CT at all, two volumes of one name.
    """
    dicom: dict[str, list[tuple[Path, Dataset]]] = {}
    series: list[Series] = []
    volumes: dict[str, Path] = {}
    left_out = _LeftOut()
    unusable: list[Unusable] = []
    seen: set[Path] = set()
    for root in roots:
        if not root.is_dir():
            raise StudyError(f"--data {root}: no such folder, expected a folder of CT studies")
        folders: dict[Path, list[Path]] = {}
        for path in files_below(root):
            if path.resolve() in seen:
                continue
            seen.add(path.resolve())
            if not is_nifti(path):
                folders.setdefault(path.parent, []).append(path)
                continue
            key = path.relative_to(root).as_posix()
            if key in volumes:
                raise StudyError(
                    f"{path}: named as {volumes[key]} below another --data, expected different names; "
                    "rename one of the two"
                )
            volumes[key] = path
            with _leaving_out(str(path), unusable):
                series.append(_nifti_series(path, root))
        for folder, files in folders.items():
            _scan_folder(folder, files, dicom, left_out, unusable)
    for uid, instances in dicom.items():
        with _leaving_out(str(instances[0][0].parent), unusable):
            series.append(_dicom_series(uid, instances))
    if not series:
        seen_notes = "; ".join([*left_out.notes(), *(one.reason for one in unusable[:1])]) or "no file"
        raise StudyError(
            f"--data {', '.join(map(str, roots))}: found no CT series ({seen_notes}), expected DICOM CT "
            "images or NIfTI volumes; name the folder that holds the patients' folders"
        )
    return Found(
        tuple(sorted(series, key=lambda s: (s.patient, s.key))), left_out.notes(), tuple(unusable)
    )


@contextmanager
def _leaving_out(name: str, unusable: list[Unusable]) -> Iterator[None]:
    """Note what cannot be used in the block, and go on."""
    try:
        yield
    except StudyError as error:
        unusable.append(Unusable(name, str(error)))
