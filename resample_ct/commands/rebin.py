"""`resample-ct rebin`: projections of a real scan in, a sinogram file out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from resample_ct.command import Command, option
from resample_ct.errors import OptionError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from resample_ct.values.volume import Grid

WATER_ABOVE_AIR_HU = 1000.0
# What a derived series takes from the scan; nothing that speaks of the projections' own pixels.
_TAKEN_OVER = (
    *("SpecificCharacterSet", "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge"),
    *("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber"),
    *("ReferringPhysicianName", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "ProtocolName"),
    *("Manufacturer", "ManufacturerModelName", "InstitutionName", "BodyPartExamined", "KVP"),
    *("PatientPosition", "PatientIdentityRemoved", "DeidentificationMethod"),
)


@click.command(cls=Command)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@option(
    "Sinograms",
    "--angles",
    default=25,
    type=click.IntRange(2),
    help="Views of each slice, evenly spaced over 180 degrees.",
)
@option(
    "Sinograms",
    "--fan",
    is_flag=True,
    help="So many of the scanner's own source positions a turn, in place of views resampled from all.",
)
@option("Sinograms", "--step-mm", default=3.0, type=click.FloatRange(0.01), help="From slice to slice.")
@option(
    "Sinograms",
    "--range-mm",
    help="LOW:HIGH, z of the slices in the patient.  [default: all measured]",
)
@option(
    "Sinograms", "--field-mm", type=click.FloatRange(1), help="Side of the image.  [default: the fan's]"
)
@option("Output", "--out", required=True, type=click.Path(path_type=Path), help="New HDF5 file.")
def rebin(
    folder: Path,
    out: Path,
    angles: int,
    fan: bool,
    step_mm: float,
    range_mm: str | None,
    field_mm: float | None,
) -> None:
    """Turn a helical scan (DICOM-CT-PD) in FOLDER into sinograms of `--angles` views a slice."""
    from resample_ct.run.work_folder import refuse_out

    refuse_out(out)
    import numpy as np

    from resample_ct.io.ct_pd import read_ct_pd
    from resample_ct.physics.geometry import Geometry, ParallelBeam
    from resample_ct.physics.rebin import Rebinner
    from resample_ct.physics.sinogram_file import Sinogram, write_sinogram
    from resample_ct.physics.source_positions import SourcePositions
    from resample_ct.progress import progress_bar
    from resample_ct.values.network_grid import IMAGE_SIZE
    from resample_ct.values.units import Window

    scan, header = read_ct_pd(folder)
    geometry: Geometry = ParallelBeam.uniform(IMAGE_SIZE, angles)
    radius = Rebinner(scan, ParallelBeam.uniform(IMAGE_SIZE, angles), 1.0).radius_mm
    pixel_mm = (field_mm or 2 * radius) / IMAGE_SIZE
    sigmas: list[float | None] = []
    slices = []
    if fan:
        measured = SourcePositions(scan, angles)
        geometry = measured.geometry(IMAGE_SIZE, pixel_mm)
        covered = measured.covered_mm
    else:
        rebinner = Rebinner(scan, ParallelBeam.uniform(IMAGE_SIZE, angles), pixel_mm)
        covered = rebinner.covered_mm
    places = _places(range_mm, step_mm, covered)
    with progress_bar() as progress:
        for index, place in enumerate(places):
            progress(index, len(places), "rebinning")
            values, sigma = measured(place) if fan else (rebinner(place), None)
            slices.append(values)
            sigmas.append(sigma)
    window = Window()
    # Line integrals per mm of water, to relative attenuation in pixels.
    unit = scan.water_per_mm * pixel_mm * window.width / WATER_ABOVE_AIR_HU
    known = [sigma for sigma in sigmas if sigma is not None]
    sinogram = Sinogram(
        data=np.stack(slices) / np.float32(unit),
        geometry=geometry,
        grid=_grid(places, pixel_mm, step_mm, IMAGE_SIZE),
        window=window,
        noise="measured",
        noise_sigma=np.array(known) / unit if len(known) == len(places) else None,
        source=scan.name,
        source_headers=(_taken_over(header),) * len(places),
    )
    write_sinogram(sinogram, out)
    kind = "source positions a turn" if fan else "rebinned views"
    click.echo(f"{out}: {len(places)} sinograms of {angles} {kind}")


def _places(text: str | None, step_mm: float, covered: tuple[float, float]) -> list[float]:
    """Patient z of each slice, rising."""
    low, high = covered
    if low > high:
        raise OptionError(
            "the scan is shorter than the half turn and fan that a slice needs; expected a longer one"
        )
    if text is not None:
        match = re.fullmatch(r"(-?\d+(?:\.\d+)?):(-?\d+(?:\.\d+)?)", text)
        if not match or not low <= float(match[1]) <= float(match[2]) <= high:
            raise OptionError(
                f"--range-mm {text}: expected LOW:HIGH within {low:.1f}:{high:.1f}, what was measured"
            )
        low, high = float(match[1]), float(match[2])
    return [low + index * step_mm for index in range(int((high - low) / step_mm + 1e-9) + 1)]


def _grid(places: list[float], pixel_mm: float, step_mm: float, size: int) -> Grid:
    """Axial slices around the gantry's axis, in the patient's frame."""
    import numpy as np

    from resample_ct.values.volume import Grid

    corner = -(size - 1) / 2 * pixel_mm
    return Grid(
        positions=np.array([[corner, corner, place] for place in places]),
        row_direction=np.array([1.0, 0.0, 0.0]),
        column_direction=np.array([0.0, 1.0, 0.0]),
        spacing_mm=(pixel_mm, pixel_mm),
        rows=size,
        columns=size,
        thickness_mm=step_mm,
    )


def _taken_over(header: Dataset) -> str:
    """Patient and study as DICOM JSON."""
    from pydicom.dataset import Dataset

    kept = Dataset()
    for keyword in _TAKEN_OVER:
        if keyword in header:
            kept[keyword] = header[keyword]
    return kept.to_json()
