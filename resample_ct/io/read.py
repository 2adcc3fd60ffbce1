"""A study from wherever it is: the one door in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from resample_ct.errors import StudyError
from resample_ct.io.dicom_read import read_dicom
from resample_ct.io.nifti import is_nifti, read_nifti
from resample_ct.io.study import Study


def read_study(source: str | Path | Sequence[Path], series: str | None = None) -> Study:
    """Read a CT study from a folder, file list or zip of DICOM, or from one NIfTI file.

    Args:
        source: where it is.
        series: SeriesInstanceUID to choose where several are found.

    Raises:
        StudyError: naming the file and tag, what was found, what was expected and what to do.
    """
    if isinstance(source, str):
        source = Path(source)
    if isinstance(source, Path) and is_nifti(source):
        if series is not None:
            raise StudyError(f"--series {series}: found a NIfTI, {source}, which has none; leave it out")
        return read_nifti(source)
    return read_dicom(source, series)
