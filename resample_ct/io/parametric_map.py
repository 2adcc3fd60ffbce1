"""How far the HU of a reconstruction are to be trusted, as a DICOM object.

A Parametric Map (PS3.3 A.75) of 32-bit floats in HU, written through highdicom; and, for viewers that
do not know it, the same values as a CT series in steps of 1/16 HU.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
from highdicom.content import (
    PixelMeasuresSequence,
    PlaneOrientationSequence,
    PlanePositionSequence,
    VOILUTTransformation,
)
from highdicom.pm import ParametricMap, RealWorldValueMapping
from highdicom.pm.enum import DerivedPixelContrastValues, ImageFlavorValues
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from resample_ct.errors import StudyError
from resample_ct.io.datasets import item
from resample_ct.io.derivation import (
    MANUFACTURER,
    MODEL,
    RESEARCH_ONLY,
    TO_REFER_TO,
    Derivation,
    SeriesIdentity,
    derived_header,
)
from resample_ct.io.dicom_file import decimal, new_file, new_folder, save_dataset
from resample_ct.io.dicom_pixels import set_geometry, set_pixels
from resample_ct.io.study import Study
from resample_ct.values.volume import Grid

# Noise and the priors' disagreement lie within tens of HU.
_WINDOW_CENTER, _WINDOW_WIDTH = 50, 100
_STEP_HU = 1 / 16
_LARGEST_HU = 65535 * _STEP_HU


def _checked(spread_hu: np.ndarray, grid: Grid) -> np.ndarray:
    """The spreads as 32-bit floats. Raises StudyError for what is no spread in HU."""
    shape = (len(grid), grid.rows, grid.columns)
    if spread_hu.shape != shape:
        raise ValueError(f"spreads of {spread_hu.shape}, grid of {shape}")
    if not np.isfinite(spread_hu).all() or spread_hu.min() < 0 or spread_hu.max() > _LARGEST_HU:
        raise StudyError(
            f"uncertainty map: found values from {spread_hu.min():g} to {spread_hu.max():g} HU, "
            f"expected 0 to {_LARGEST_HU:g}; nothing was written"
        )
    return np.ascontiguousarray(spread_hu, dtype=np.float32)


def _spread(derivation: Derivation) -> Derivation:
    description = f"Standard deviation of HU; {derivation.description}"
    return replace(derivation, method=f"{derivation.method} spread", description=description)


def _reconstruction(folder: Path) -> list[Dataset]:
    files = sorted(folder.glob("*.dcm"))
    headers: list[Dataset] = [pydicom.dcmread(path, stop_before_pixels=True) for path in files]
    if not headers:
        raise StudyError(f"{folder}: no DICOM files, expected the reconstructed series; write it first")
    return headers


def _refer_to_source(made: Dataset, study: Study) -> None:
    """Name the source's instances, each once, beside the reconstruction's that highdicom names."""
    by_series: dict[str, dict[str, Dataset]] = {}
    for header in study.headers:
        if all(header.get(keyword) for keyword in TO_REFER_TO):
            image = item(
                ReferencedSOPClassUID=header.SOPClassUID, ReferencedSOPInstanceUID=header.SOPInstanceUID
            )
            by_series.setdefault(str(header.SeriesInstanceUID), {})[str(header.SOPInstanceUID)] = image
    for series_uid, images in by_series.items():
        made.ReferencedSeriesSequence.append(
            item(SeriesInstanceUID=series_uid, ReferencedInstanceSequence=list(images.values()))
        )
        made.SourceImageSequence.extend(copy.deepcopy(list(images.values())))


@contextmanager
def _as_the_source_says() -> Iterator[None]:
    """No complaint about values of the source, such as a name of one part, that are passed on."""
    with disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _mapping() -> RealWorldValueMapping:
    return RealWorldValueMapping(
        lut_label="HU",
        lut_explanation="Standard deviation in Hounsfield units",
        unit=codes.UCUM.HounsfieldUnit,
        value_range=(0.0, _LARGEST_HU),
        slope=1.0,
        intercept=0.0,
        quantity_definition=codes.DCM.StandardDeviation,
    )


def _complete(made: Dataset, reconstruction: Dataset, derivation: Derivation) -> None:
    """What highdicom leaves out, or takes this software for: the scanner."""
    made.ImageComments = RESEARCH_ONLY
    made.DerivationDescription = derivation.description.encode("ascii", "replace").decode()[:1024]
    library = made.ContributingEquipmentSequence[-1]
    made.ContributingEquipmentSequence = [*reconstruction.ContributingEquipmentSequence, library]
    if reconstruction.get("BodyPartExamined"):
        made.BodyPartExamined = reconstruction.BodyPartExamined
    else:
        # Type 2C of a series that may show one of a pair (PS3.3 C.7.3.1).
        made.Laterality = ""


def write_parametric_map(
    study: Study,
    reconstruction: Path,
    grid: Grid,
    spread_hu: np.ndarray,
    path: Path,
    derivation: Derivation,
) -> str:
    """Write the standard deviation of a reconstruction's HU as a Parametric Map.

    Args:
        study: the source that was reconstructed.
        reconstruction: folder of the derived series that the map belongs to.
        grid: where the slices lie; the reconstruction's.
        spread_hu: (slice, row, column) standard deviations in HU, 0 to 4095.
        path: new file, which appears only when it is whole.
        derivation: what made the reconstruction and the map.

    Returns:
        The new SeriesInstanceUID.

    Raises:
        StudyError: the file exists, there is no reconstruction, or values that are no spreads.
    """
    pixels = _checked(spread_hu, grid)
    derivation = _spread(derivation)
    with new_file(path) as partial, _as_the_source_says():
        headers = _reconstruction(reconstruction)
        # Numbered on from the source, as the reconstruction is; all else is the reconstruction's.
        source = study.headers[0] if study.headers else None
        number = SeriesIdentity.new(source, derivation.place + 1).series_number
        identity = replace(SeriesIdentity.new(headers[0], derivation.place), series_number=number)
        row_mm, column_mm = grid.spacing_mm
        thickness = headers[0].get("SliceThickness") or grid.thickness_mm
        made = ParametricMap(
            source_images=headers,
            pixel_array=pixels,
            series_instance_uid=identity.series_uid,
            series_number=identity.series_number,
            sop_instance_uid=str(generate_uid()),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MODEL,
            software_versions=derivation.software_version,
            device_serial_number=derivation.software_version,
            contains_recognizable_visual_features=False,
            real_world_value_mappings=[_mapping()],
            voi_lut_transformations=[VOILUTTransformation(_WINDOW_CENTER, _WINDOW_WIDTH)],
            content_description=f"{derivation.method} in HU, research only"[:64],
            content_label="UNCERTAINTY",
            pixel_measures=PixelMeasuresSequence(
                pixel_spacing=[decimal(row_mm), decimal(column_mm)], slice_thickness=float(thickness)
            ),
            plane_orientation=PlaneOrientationSequence(
                "PATIENT", [decimal(v) for v in (*grid.row_direction, *grid.column_direction)]
            ),
            plane_positions=[
                PlanePositionSequence("PATIENT", [decimal(v) for v in place]) for place in grid.positions
            ],
            content_qualification="RESEARCH",
            image_flavor=ImageFlavorValues.VOLUME,
            derived_pixel_contrast=DerivedPixelContrastValues.STD_DEVIATION,
            series_description=f"{derivation.method} {derivation.views} views (research)"[:64],
        )
        _complete(made, headers[0], derivation)
        _refer_to_source(made, study)
        made.save_as(partial)
    return identity.series_uid


def write_spread_series(
    study: Study, grid: Grid, spread_hu: np.ndarray, folder: Path, derivation: Derivation
) -> str:
    """Write the same values as a derived CT series, for viewers that know no Parametric Map.

    Args:
        study: the source that was reconstructed.
        grid: where the slices lie.
        spread_hu: (slice, row, column) standard deviations in HU, 0 to 4095; stored to 1/16 HU.
        folder: new folder, which appears only when the series is whole.
        derivation: what made the reconstruction and the map.

    Returns:
        The new SeriesInstanceUID.

    Raises:
        StudyError: the folder exists, or values that are no spreads.
    """
    pixels = _checked(spread_hu, grid)
    derivation = _spread(derivation)
    identity = SeriesIdentity.new(study.headers[0] if study.headers else None, derivation.place + 2)
    with new_folder(folder) as partial, disable_value_validation():
        for index, values in enumerate(pixels):
            source = study.headers[index] if study.headers else None
            header = derived_header(source, identity, derivation, index + 1)
            header.RescaleSlope, header.RescaleIntercept = _STEP_HU, 0
            header.BitsStored, header.PixelRepresentation = 16, 0
            header.WindowCenter, header.WindowWidth = _WINDOW_CENTER, _WINDOW_WIDTH
            for keyword in ("WindowCenterWidthExplanation", "VOILUTFunction", "PixelPaddingValue"):
                header.pop(keyword, None)
            set_geometry(header, grid, index)
            path = partial / f"{index + 1:04d}.dcm"
            set_pixels(header, values, path)
            save_dataset(header, path)
    return identity.series_uid
