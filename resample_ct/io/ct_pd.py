"""DICOM-CT-PD: projections of helical scans, as in the raw half of AAPM's LDCT collection.

The private tags are those of Moen et al., Med. Phys. 48 (2021) 902, table IV (PMC7985836). Files exist
whose private tags carry no VR, and files whose pixel matrix is (column, row) instead of (row, column);
both are read.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue

from resample_ct.errors import StudyError
from resample_ct.values.helical_scan import FanDetector, HelicalScan

ROWS, COLUMNS = (0x7029, 0x1010), (0x7029, 0x1011)
WIDTH, HEIGHT, SHAPE = (0x7029, 0x1002), (0x7029, 0x1006), (0x7029, 0x100B)
PHI, Z, RHO = (0x7031, 0x1001), (0x7031, 0x1002), (0x7031, 0x1003)
DISTANCE, CENTRAL = (0x7031, 0x1031), (0x7031, 0x1033)
D_PHI, D_Z, D_RHO = (0x7033, 0x100B), (0x7033, 0x100C), (0x7033, 0x100D)
PHOTONS = (0x7033, 0x1065)
DATA_KIND = (0x7037, 0x1009)
WATER = (0x7041, 0x1001)
_NAMES = {
    ROWS: "NumberofDetectorRows",
    COLUMNS: "NumberofDetectorColumns",
    WIDTH: "DetectorElementTransverseSpacing",
    HEIGHT: "DetectorElementAxialSpacing",
    SHAPE: "DetectorShape",
    PHI: "DetectorFocalCenterAngularPosition",
    Z: "DetectorFocalCenterAxialPosition",
    RHO: "DetectorFocalCenterRadialDistance",
    DISTANCE: "ConstantRadialDistance",
    CENTRAL: "DetectorCentralElement",
    D_PHI: "SourceAngularPositionShift",
    D_Z: "SourceAxialPositionShift",
    D_RHO: "SourceRadialDistanceShift",
    PHOTONS: "PhotonStatistics",
    DATA_KIND: "TypeofProjectionData",
    WATER: "WaterAttenuationCoefficient",
}
_POSITIONS = ("HFS", "FFS", "HFP", "FFP")

Tag = tuple[int, int]


def _refuse(path: Path, tag: Tag, found: object, expected: str) -> StudyError:
    return StudyError(
        f"{path}: {_NAMES[tag]} ({tag[0]:04X},{tag[1]:04X}): found {found}, expected {expected}; "
        "only helical scans on a cylindrical detector, in DICOM-CT-PD, are read"
    )


def _values(path: Path, header: Dataset, tag: Tag, kind: str) -> list[float]:
    """Numbers of a private tag; `kind` is their format where the file gives bytes without a VR."""
    value = header[tag].value if tag in header else None
    try:
        if isinstance(value, bytes):
            size = struct.calcsize(kind)
            return [float(v) for v in struct.unpack(f"<{len(value) // size}{kind}", value)]
        several = list(value) if isinstance(value, Sequence | MultiValue) else [value]
        return [float(str(v)) for v in several]
    except (struct.error, TypeError, ValueError):
        raise _refuse(path, tag, value, "a number") from None


def _number(path: Path, header: Dataset, tag: Tag, kind: str = "f") -> float:
    values = _values(path, header, tag, kind)
    if len(values) != 1 or not np.isfinite(values[0]):
        raise _refuse(path, tag, values, "one finite number")
    return values[0]


def _word(path: Path, header: Dataset, tag: Tag) -> str:
    value = header[tag].value if tag in header else ""
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")
    return text.strip("\0 ")


def _water(path: Path, header: Dataset) -> float:
    try:
        water = float(_word(path, header, WATER))
    except ValueError:
        water = float("nan")
    # Per mm: 0.0192 at 70 keV, and from 0.015 to 0.03 for every spectrum in use.
    if not 0.01 < water < 0.05:
        raise _refuse(path, WATER, _word(path, header, WATER) or "nothing", "water's attenuation per mm")
    return water


def _detector(path: Path, header: Dataset) -> FanDetector:
    if _word(path, header, SHAPE).upper() != "CYLINDRICAL":
        raise _refuse(path, SHAPE, _word(path, header, SHAPE) or "nothing", "CYLINDRICAL")
    if _word(path, header, DATA_KIND).upper() != "HELICAL":
        raise _refuse(path, DATA_KIND, _word(path, header, DATA_KIND) or "nothing", "HELICAL")
    central = _values(path, header, CENTRAL, "f")
    if len(central) != 2:
        raise _refuse(path, CENTRAL, central, "a column and a row")
    detector = FanDetector(
        columns=int(_number(path, header, COLUMNS, "H")),
        rows=int(_number(path, header, ROWS, "H")),
        width_mm=_number(path, header, WIDTH),
        height_mm=_number(path, header, HEIGHT),
        # The file counts from 1.
        central=(central[0] - 1, central[1] - 1),
        distance_mm=_number(path, header, DISTANCE),
        radius_mm=_number(path, header, RHO),
    )
    if detector.columns < 2 or detector.rows < 2:
        raise _refuse(path, ROWS, f"{detector.rows} x {detector.columns} elements", "2 x 2 or more")
    for tag, value in (
        (WIDTH, detector.width_mm),
        (HEIGHT, detector.height_mm),
        (RHO, detector.radius_mm),
        (DISTANCE, detector.distance_mm),
    ):
        if value <= 0:
            raise _refuse(path, tag, value, "a positive length in mm")
    return detector


def _header(path: Path) -> Dataset:
    try:
        return pydicom.dcmread(path, stop_before_pixels=True)
    except (InvalidDicomError, OSError, ValueError) as error:
        raise StudyError(f"{path}: cannot be read ({error}), expected a DICOM-CT-PD projection") from None


def read_ct_pd(folder: Path) -> tuple[HelicalScan, Dataset]:
    """Read a scan's geometry; its pixels are read view by view.

    Args:
        folder: of `*.dcm`, one file a view.

    Returns:
        The scan, and the first view's header, which names patient and study.

    Raises:
        StudyError: naming file and tag.
    """
    paths = sorted(folder.glob("*.dcm"))
    if len(paths) < 2:
        raise StudyError(f"{folder}: found {len(paths)} .dcm files, expected the views of a scan")
    headers = [_header(path) for path in paths]
    try:
        order = sorted(range(len(paths)), key=lambda i: int(headers[i].InstanceNumber))
    except (AttributeError, TypeError, ValueError):
        raise StudyError(f"{folder}: InstanceNumber (0020,0013): missing from a view") from None
    paths, headers = [paths[i] for i in order], [headers[i] for i in order]
    first = headers[0]
    detector = _detector(paths[0], first)
    position = str(first.get("PatientPosition", ""))
    if position not in _POSITIONS:
        raise StudyError(
            f"{paths[0]}: PatientPosition (0018,5100): found {position or 'nothing'}, expected one of "
            f"{', '.join(_POSITIONS)}; without it left and right are not known"
        )
    for path, header in zip(paths, headers, strict=True):
        if abs(_number(path, header, RHO) - detector.radius_mm) > 1e-3:
            raise _refuse(path, RHO, _number(path, header, RHO), f"{detector.radius_mm} in every view")
    phi, z = (_series(paths, headers, tag) for tag in (PHI, Z))
    phi = np.unwrap(phi)
    steps = np.diff(phi)
    if not ((steps > 0).all() or (steps < 0).all()):
        raise StudyError(
            f"{folder}: {_NAMES[PHI]} (7031,1001): found views that go back, expected one rotation "
            "after the other; is a view missing, or from another scan?"
        )
    if abs(z[-1] - z[0]) < 1e-3:
        raise StudyError(f"{folder}: {_NAMES[Z]} (7031,1002): found no feed, expected a helix")
    shifts = np.stack([_series(paths, headers, tag) for tag in (D_PHI, D_RHO, D_Z)], axis=1)

    def load(view: int) -> np.ndarray:
        return _pixels(paths[view], detector)

    def photons(view: int) -> np.ndarray:
        return _photons(paths[view], headers[view], detector)

    scan = HelicalScan(
        detector,
        phi,
        z,
        shifts,
        load,
        _water(paths[0], first),
        position,
        f"{folder.name}, helical scan",
        photons if all(PHOTONS in header for header in headers) else None,
    )
    return scan, first


def _photons(path: Path, header: Dataset, detector: FanDetector) -> np.ndarray:
    """One view's photons without an object, (column,)."""
    counts = np.array(_values(path, header, PHOTONS, "f"))
    if counts.shape != (detector.columns,) or not (counts > 0).all():
        raise _refuse(path, PHOTONS, f"{counts.size} values", f"{detector.columns} positive ones")
    return counts


def _series(paths: Sequence[Path], headers: Sequence[Dataset], tag: Tag) -> np.ndarray:
    return np.array([_number(path, header, tag) for path, header in zip(paths, headers, strict=True)])


def _pixels(path: Path, detector: FanDetector) -> np.ndarray:
    """One view's line integrals, (row, column) float32."""
    try:
        dataset = pydicom.dcmread(path)
        stored = dataset.pixel_array
        slope, intercept = float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
    except Exception as error:  # pydicom raises whatever a damaged file leads it to
        raise StudyError(f"{path}: PixelData (7FE0,0010): cannot be decoded ({error})") from None
    if stored.shape == (detector.columns, detector.rows):
        stored = stored.T
    if stored.shape != (detector.rows, detector.columns):
        raise StudyError(
            f"{path}: PixelData (7FE0,0010): found {stored.shape}, expected "
            f"{detector.rows} x {detector.columns} elements"
        )
    return (stored * slope + intercept).astype(np.float32)
