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
            "pixel (mm)": f"{sinogram.grid.spacing_mm[0]:g}",
        }
    if (source / "configs" / "metadata.json").is_file():
        prior = read_bundle(source)
        return {"kind": "prior", "name": prior.name, "sha256": prior.sha256}
    study = read_study(source, series)
    grid = study.grid
    gaps = grid.gaps_mm
    return {
        "kind": "study",
        "series": study.name,
        "series UID": study.uid or "-",
        "slices": str(len(study)),
        "matrix": f"{grid.rows} x {grid.columns}",
        "pixel (mm)": f"{grid.spacing_mm[0]:g} x {grid.spacing_mm[1]:g}",
        "slice gap (mm)": f"{gaps.min():g} to {gaps.max():g}" if len(gaps) else "-",
        "notes": "; ".join(study.notes) or "-",
    }
