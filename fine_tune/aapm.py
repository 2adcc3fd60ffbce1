"""The AAPM low-dose CT collection as The Cancer Imaging Archive delivers it.

LDCT-and-Projection-data (doi 10.7937/9NPB-2637): `<patient>/<study>/<series>/*.dcm`, where a patient is
C###, L### or N###, a study 08-21-2018-10971 or, from newer retrievers, 12-23-2021-NA-NA-40641, and a
series `1.000000-Full Dose Images-63186`. Releases differ in the case of "Full dose images", and the
images may lie in another study folder than the projections. GE patients have no low-dose images.
Projections (DICOM-CT-PD) are 20,000 files and more a series, so nobody should read them one by one.
"""

from __future__ import annotations

import re
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.tag import Tag

BODY_PARTS = {"C": "chest", "L": "abdomen", "N": "head"}
FULL_DOSE = "full dose images"
# NumberofDetectorColumns of DICOM-CT-PD, which no image has.
DETECTOR_COLUMNS = Tag(0x7029, 0x1011)

_PATIENT = re.compile(r"[CLN]\d{3}")
_KIND = re.compile(r"(full|low) dose (images|projections)")
_FOLDER = re.compile(r"\d+\.\d+-(.+)-\w+")


def folder_kind(folder: Path) -> str | None:
    """Which of the collection's four kinds of series a folder is named after, None for any other."""
    named = _FOLDER.fullmatch(folder.name)
    return _kind(named[1]) if named else None


def series_kind(header: Dataset, folder: Path) -> str | None:
    """Full or low dose, images or projections; the header decides, the folder's name where it is mute.

    None for a series that is not of the collection.
    """
    kind = _kind(str(header.get("SeriesDescription") or "")) or folder_kind(folder)
    if DETECTOR_COLUMNS in header:
        return kind if kind and kind.endswith("projections") else "projections"
    return kind


def patient_name(header: Dataset, folder: Path) -> str:
    """PatientID, or the patient's folder where the collection's files have lost theirs."""
    name = str(header.get("PatientID") or "")
    above = folder.parent.parent.name
    return above if not name and folder_kind(folder) and _PATIENT.fullmatch(above) else name


def body_part(patient: str) -> str | None:
    """Body part by the patient's letter, None for a patient that is named otherwise."""
    return BODY_PARTS[patient[0]] if _PATIENT.fullmatch(patient) else None


def _kind(text: str) -> str | None:
    text = text.strip().lower()
    return text if _KIND.fullmatch(text) else None
