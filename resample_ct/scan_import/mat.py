"""MATLAB files: fan-beam scans of the Helsinki Tomography Challenge 2022; a sinogram with its angles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

from resample_ct.errors import SinogramError
from resample_ct.scan_import.raw_scan import RawScan

_EXPECTED = "a struct CtDataFull or CtDataLimited (HTC2022), or a sinogram and its angles in radians"


def read_mat(path: Path) -> RawScan:
    """Read a scan of either kind.

    HTC2022: `sinogram` (angle, detector), and in `parameters` the distances in mm, angles in degrees and
    the detector pixel after binning. Otherwise one matrix and one vector, whose name begins with
    "angles", of one of the matrix' two lengths.

    Raises:
        SinogramError: anything else.
    """
    try:
        content = loadmat(path, struct_as_record=False, squeeze_me=True)
    except (NotImplementedError, OSError, TypeError, ValueError) as error:
        raise SinogramError(
            f"{path}: cannot be read ({error}), expected a MATLAB file up to version 7; save it with -v7"
        ) from None
    values = {name: value for name, value in content.items() if not name.startswith("__")}
    for value in values.values():
        if hasattr(value, "sinogram") and hasattr(value, "parameters"):
            return _challenge(path, value)
    return _plain(path, values)


def _challenge(path: Path, scan: Any) -> RawScan:
    stated = scan.parameters
    try:
        angles = np.deg2rad(np.asarray(stated.angles, dtype=np.float64).ravel())
        source, detector = float(stated.distanceSourceOrigin), float(stated.distanceSourceDetector)
        pixel, unit = float(stated.pixelSizePost), str(stated.distanceUnit)
        data = np.asarray(scan.sinogram, dtype=np.float64)
    except (AttributeError, TypeError, ValueError) as error:
        raise SinogramError(f"{path}: parameters: {error}; expected those of HTC2022") from None
    if unit != "mm" or data.ndim != 2 or len(data) != len(angles):
        raise SinogramError(
            f"{path}: found distances in {unit}, a sinogram {data.shape} and {len(angles)} angles, "
            "expected mm and (angle, detector)"
        )
    return RawScan(path, data[None], angles, pixel, f"HTC2022, {path.stem}", source, detector)


def _plain(path: Path, values: dict[str, Any]) -> RawScan:
    arrays = {name: np.asarray(value) for name, value in values.items()}
    matrices = {n: a for n, a in arrays.items() if a.ndim == 2 and np.issubdtype(a.dtype, np.number)}
    vectors = {n: a for n, a in arrays.items() if a.ndim == 1 and n.lower().startswith("angles")}
    if len(matrices) != 1 or len(vectors) != 1:
        raise SinogramError(f"{path}: found {', '.join(sorted(arrays))}, expected {_EXPECTED}")
    (name, angles), (_, matrix) = next(iter(vectors.items())), next(iter(matrices.items()))
    angles = np.deg2rad(angles) if "deg" in name.lower() else angles.astype(np.float64)
    if len(angles) not in matrix.shape:
        raise SinogramError(
            f"{path}: found {len(angles)} angles for a matrix {matrix.shape}, expected one for each "
            "row or column"
        )
    data = matrix if len(matrix) == len(angles) else matrix.T
    return RawScan(path, data[None].astype(np.float64), angles, None, path.stem)
