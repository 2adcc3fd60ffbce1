"""NumPy files: an .npz with `sinogram` and `angles`, and what else it knows of the rays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from resample_ct.errors import SinogramError
from resample_ct.physics.sinogram_values import to_radians
from resample_ct.scan_import.raw_scan import RawScan

_NUMBERS = ("detector_pixel_mm", "source_origin_mm", "source_detector_mm")


def read_npz(path: Path) -> RawScan:
    """Read (slice, angle, detector) or (angle, detector) of -ln(I / I0), and angles in radians.

    `detector_pixel_mm`, and for fans `source_origin_mm` and `source_detector_mm`, may be there too.

    Raises:
        SinogramError: a missing array, shapes that disagree, or angles in degrees.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            held = {name: np.asarray(file[name], dtype=np.float64) for name in file.files}
    except (OSError, TypeError, ValueError) as error:
        raise SinogramError(f"{path}: cannot be read ({error}), expected an .npz of numbers") from None
    if not {"sinogram", "angles"} <= set(held):
        raise SinogramError(
            f"{path}: found {', '.join(sorted(held)) or 'nothing'}, expected sinogram and angles; "
            "numpy.savez(path, sinogram=..., angles=...)"
        )
    data, angles = np.atleast_2d(held["sinogram"]), held["angles"].ravel()
    data = data[None] if data.ndim == 2 else data
    if data.ndim != 3 or data.shape[1] != len(angles):
        raise SinogramError(
            f"{path}: found a sinogram {data.shape} and {len(angles)} angles, expected (angle, "
            "detector) or (slice, angle, detector)"
        )
    pixel, source, detector = (float(held[name]) if name in held else None for name in _NUMBERS)
    return RawScan(path, data, to_radians(path, angles, None), pixel, path.stem, source, detector)
