"""Study and new HU to a derived CT series: one file a slice, or one object where the source was one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydicom.config import disable_value_validation

from resample_ct.io.derivation import Derivation, SeriesIdentity, derived_header
from resample_ct.io.dicom_file import new_folder, save_dataset
from resample_ct.io.dicom_pixels import set_geometry, set_pixels
from resample_ct.io.enhanced_write import enhanced_dataset, is_enhanced
from resample_ct.io.study import Study
from resample_ct.values.volume import Grid


def write_series(
    study: Study,
    slices: Iterable[np.ndarray],
    grid: Grid,
    folder: Path,
    derivation: Derivation,
    compression: str | None = None,
) -> str:
    """Write a derived CT series: CT Image Storage, or Enhanced CT where the source was that.

    Args:
        study: the source, whose slices the new ones take the place of, one for one.
        slices: (row, column) HU of each slice, in the study's order; read one at a time,
            but for Enhanced CT.
        grid: where they lie.
        folder: new folder, which appears only when the series is whole.
        derivation: what was done; goes into every header.
        compression: without loss, of `dicom_file.COMPRESSIONS`; None leaves the pixels plain.

    Returns:
        The new SeriesInstanceUID.

    Raises:
        StudyError: the folder exists, or values that cannot be stored; nothing is left of a series
            that is not whole.
    """
    identity = SeriesIdentity.new(study.headers[0] if study.headers else None, derivation.place)
    with new_folder(folder) as partial:
        if is_enhanced(study):
            whole = [hu for _, hu in zip(range(len(grid)), slices, strict=True)]
            made = enhanced_dataset(study, whole, grid, folder, identity, derivation)
            with disable_value_validation():
                save_dataset(made, partial / "0001.dcm", compression)
            return identity.series_uid
        for index, hu in zip(range(len(grid)), slices, strict=True):
            source = study.headers[index] if study.headers else None
            path = partial / f"{index + 1:04d}.dcm"
            # What the source says is passed on, also where it breaks the rules.
            with disable_value_validation():
                header = derived_header(source, identity, derivation, index + 1)
                set_geometry(header, grid, index)
                set_pixels(header, study.with_padding(hu, index), path)
                save_dataset(header, path, compression)
    return identity.series_uid
