"""Which methods run where none is asked for."""

from __future__ import annotations

from pathlib import Path

import h5py

ALL = ("fbp", "tv", "resample")
# What is measured of an object that no network has seen the like of.
CLASSICAL = ("fbp", "tv")


def default_methods(source: Path) -> tuple[str, ...]:
    """FBP and TV for a measured scan that names no patient, else ReSample, too.

    The networks know CT slices of patients. They would draw their like into a scan of anything else, with
    no gain over TV, and only the trust check would say so.

    Args:
        source: a study or a scan; a file that cannot be read is left to its reader.
    """
    if source.suffix.lower() in (".mat", ".npz"):
        return CLASSICAL
    if not source.is_file() or not h5py.is_hdf5(source):
        return ALL
    with h5py.File(source, "r") as file:
        noise = file.attrs.get("noise", "measured")
        of_patient = "source_headers" in file or noise not in ("measured", b"measured")
    return ALL if of_patient else CLASSICAL
