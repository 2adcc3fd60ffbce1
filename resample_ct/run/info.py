"""What a study, a sinogram file, a bundle or a result is, in a few lines, without patient data."""

from __future__ import annotations

from pathlib import Path

from resample_ct.bundles.bundle import read_card, read_networks, weights_hash
from resample_ct.bundles.card import LatentPriorCard
from resample_ct.bundles.denoiser import DnCNNCard, UNetDenoiserCard
from resample_ct.bundles.fbp_unet import FBPUNetCard
from resample_ct.bundles.pixel_prior import PixelPriorCard
from resample_ct.bundles.refiner import RefinerCard
from resample_ct.io.read import read_study
from resample_ct.run.result_info import described_result
from resample_ct.scan_import.importing import is_scan, read_scan


def describe(source: Path, series: str | None = None) -> dict[str, str]:
    """Name-value pairs for `resample-ct info`; raises ResampleCTError as the readers do."""
    if is_scan(source):
        sinogram = read_scan(source)
        return {
            "kind": "sinogram",
            "slices": str(len(sinogram.data)),
            "geometry": type(sinogram.geometry).__name__,
            "views": str(sinogram.geometry.n_angles),
            "detector pixels": str(sinogram.geometry.n_detectors),
            "image": f"{sinogram.geometry.image_size} x {sinogram.geometry.image_size}",
            "noise": sinogram.noise,
            "pixel (mm)": f"{sinogram.grid.spacing_mm[0]:g}",
            "notes": "; ".join(sinogram.notes) or "-",
        }
    if (source / "configs" / "metadata.json").is_file():
        return _describe_bundle(source)
    result = described_result(source)
    if result is not None:
        return result
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


def _describe_bundle(folder: Path) -> dict[str, str]:
    card = read_card(
        folder, LatentPriorCard, FBPUNetCard, RefinerCard, PixelPriorCard, DnCNNCard, UNetDenoiserCard
    )
    # The card's hashes say nothing until the weights are found to have them.
    read_networks(folder, card)
    low, high = card.window_hu
    spacing = "not recorded"
    if card.spacing_mm is not None:
        spacing = f"{card.spacing_mm[0]:g} to {card.spacing_mm[1]:g}"
    return {
        "kind": card.kind,
        "name": card.name,
        "description": card.description,
        "HU window": f"{low:g} to {high:g}",
        "slices": f"{card.image_size} x {card.image_size}",
        "pixel trained on (mm)": spacing,
        "data": card.data_source,
        "licence": card.licence,
        "sha256": weights_hash(card),
    }
