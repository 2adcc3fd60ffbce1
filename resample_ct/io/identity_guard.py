"""Folders marked for research, into which nothing is written that names a patient."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from resample_ct.errors import StudyError
from resample_ct.io.dicom_checks import tag_name

MARKER = ".research-only"


def _marked(out: Path) -> Path | None:
    """The nearest marked folder that `out` is, or lies in."""
    place = out.resolve()
    return next((folder for folder in (place, *place.parents) if (folder / MARKER).exists()), None)


def refuse_identified(headers: Sequence[Dataset], out: Path) -> None:
    """Keep identified data out of a folder that holds a file named `.research-only`, or lies in one.

    A header is identified unless PatientIdentityRemoved is YES; a source without headers names no one.

    Args:
        headers: the source's.
        out: where the result is to go.

    Raises:
        StudyError: the folder is marked and a header is identified.
    """
    folder = _marked(out)
    if folder is None:
        return
    for header in headers:
        found = header.get("PatientIdentityRemoved")
        if found != "YES":
            raise StudyError(
                f"{folder}: marked for research by {MARKER}; {tag_name('PatientIdentityRemoved')}: "
                f"found {found or 'nothing'}, expected YES; give --deidentify, or write elsewhere"
            )
