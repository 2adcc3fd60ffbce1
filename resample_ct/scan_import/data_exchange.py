"""Data Exchange: HDF5 of synchrotron beamlines (De Carlo et al., J. Synchrotron Rad. 21, 2014, 1224).

`/exchange/data` (angle, slice, detector) counts, `data_white` and `data_dark` frames without object and
without beam, `theta` in degrees.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from resample_ct.errors import SinogramError
from resample_ct.physics.sinogram_values import to_radians
from resample_ct.scan_import.raw_scan import RawScan


def is_data_exchange(path: Path) -> bool:
    """Whether a file is HDF5 with the group that Data Exchange keeps its measurement in."""
    if not h5py.is_hdf5(path):
        return False
    with h5py.File(path, "r") as file:
        return "exchange/data" in file


def read_data_exchange(path: Path) -> RawScan:
    """Read a scan and divide it by its flats, less the darks.

    Raises:
        SinogramError: a missing dataset, shapes that disagree, or pixels without any light.
    """
    with h5py.File(path, "r") as file:
        group = file["exchange"]
        for name in ("data", "data_white", "data_dark", "theta"):
            if name not in group:
                raise SinogramError(
                    f"{path}: dataset exchange/{name}: missing, expected Data Exchange's data, "
                    "data_white, data_dark and theta; add it"
                )
        counts, white, dark = (
            np.asarray(group[name], dtype=np.float64) for name in ("data", "data_white", "data_dark")
        )
        theta = np.asarray(group["theta"], dtype=np.float64).ravel()
        units = group["theta"].attrs.get("units", "degrees")
    if counts.ndim != 3 or white.shape[1:] != counts.shape[1:] or dark.shape[1:] != counts.shape[1:]:
        raise SinogramError(
            f"{path}: exchange: found data {counts.shape}, data_white {white.shape}, data_dark "
            f"{dark.shape}, expected (angle, slice, detector) with flats and darks of the same frame"
        )
    if len(theta) != len(counts):
        raise SinogramError(
            f"{path}: dataset exchange/theta: found {len(theta)} angles for {len(counts)} views; "
            "correct it"
        )
    beam = white.mean(0) - dark.mean(0)
    light = counts - dark.mean(0)
    if (beam <= 0).any() or (light <= 0).any():
        raise SinogramError(
            f"{path}: exchange: found {int((beam <= 0).sum())} detector pixels without open beam and "
            f"{int((light <= 0).sum())} readings at or below the dark ones, expected none; replace them "
            "by their neighbours' mean"
        )
    attenuation = -np.log(light / beam).transpose(1, 0, 2)
    units = units.decode() if isinstance(units, bytes) else str(units)
    return RawScan(path, attenuation, to_radians(path, theta, units), None, f"Data Exchange, {path.name}")
