"""What a study, a sinogram file or a bundle is, in a few lines, without patient data."""

from __future__ import annotations

from pathlib import Path

from resample_ct.io.study import read_study
from resample_ct.physics.sinogram_file import read_sinogram
from resample_ct.prior.bundle import read_bundle


def describe(source: Path, series: str | None = None) -> dict[str, str]:
    """Name-value pairs for `resample-ct info`; raises ResampleCTError as the readers do."""
    if source.suffix in (".h5", ".hdf5"):
        sinogram = read_sinogram(source)
        return {
            "kind": "sinogram",
            "slices": str(len(sinogram.data)),
            "geometry": repr(sinogram.geometry),
            "noise": sinogram.noise,
            "pixel (mm)": f"{sinogram.pixel_mm:g}",
        }
    if (source / "configs" / "metadata.json").is_file():
        prior = read_bundle(source)
        return {"kind": "prior", "name": prior.name, "sha256": prior.sha256}
    study = read_study(source, series)
    n, rows, columns = study.volume.hu.shape
    row_mm, column_mm = study.volume.pixel_spacing_mm
    return {
        "kind": "study",
        "series": study.name,
        "series UID": study.uid or "-",
        "slices": str(n),
        "matrix": f"{rows} x {columns}",
        "pixel (mm)": f"{row_mm:g} x {column_mm:g}",
        "HU": f"{study.volume.hu.min():g} to {study.volume.hu.max():g}",
        "notes": "; ".join(study.notes) or "-",
    }
