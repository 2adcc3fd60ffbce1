"""Which part of the body a series shows, as far as its header or its path tells."""

from __future__ import annotations

import re
from pathlib import Path

from pydicom.dataset import Dataset

from fine_tune import aapm

_BODY_PARTS = {
    "head": re.compile(r"head|brain|skull|neuro|sinus", re.I),
    "chest": re.compile(r"chest|thora|lung", re.I),
    "abdomen": re.compile(r"abd|liver|hepat|pelvi|kidney|pancrea", re.I),
}


def body_part_of_header(header: Dataset, patient: str, folder: Path) -> str:
    """One of "chest", "abdomen" and "head", what BodyPartExamined says else, or "unknown"."""
    known = aapm.body_part(patient)
    if known and aapm.series_kind(header, folder) == aapm.FULL_DOSE:
        return known
    examined = str(header.get("BodyPartExamined") or "").strip()
    for text in (examined, header.get("SeriesDescription"), header.get("StudyDescription")):
        for part, pattern in _BODY_PARTS.items():
            if text and pattern.search(str(text)):
                return part
    return examined.lower() or "unknown"


def body_part_of_path(below: Path) -> str:
    """What the name of a volume, or of a folder above it, tells; else "unknown"."""
    parts = (part for part, pattern in _BODY_PARTS.items() if pattern.search(below.as_posix()))
    return next(parts, "unknown")
