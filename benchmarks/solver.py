"""Where ReSample's seconds go.

    python benchmarks/solver.py [--presets fast,balanced,general] [--slices 9:17] [--volume]

Prints seconds a slice, split by what is at work, and an estimate of the published procedure from its
parts.
`--volume` adds 200 slices end to end, from DICOM to DICOM, by `fast`.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import pydicom
import torch
from pydicom.uid import generate_uid
from timing import Clock, machine

from resample_ct.bundles.bundle import read_bundle
from resample_ct.bundles.fbp_unet import read_fbp_unet
from resample_ct.bundles.refiner import read_refiner
from resample_ct.io.read import read_study
from resample_ct.metrics import psnr
from resample_ct.physics.sparse_projector import SparseProjector
from resample_ct.prior.latent import LatentPrior
from resample_ct.reconstruct import consistency
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.resample import ReSample
from resample_ct.reconstruct.resample_settings import PRESETS
from resample_ct.run import pipeline
from resample_ct.run.job import Job
from resample_ct.run.simulate import method_generators, simulate
from resample_ct.run.simulated_scan import SimulatedScan
from resample_ct.run.slices import parse_slices

SAMPLE = Path(__file__).parent.parent / "sample_data" / "Lung_Dx-A0002" / "3-B40f"
PARTS = ("UNet", "encoder", "decoder", "FBP-UNet", "refiner", "projector", "PICCS", "rest")
# Of the published procedure, counted in the preset: T, and most decoder steps a slice.
PAPER_STEPS, PAPER_DECODER_STEPS = 1000, 15_500


def timed(clock: Clock, name: str, function: Any) -> Any:
    """The function, its seconds counted."""

    def run(*arguments: Any, **options: Any) -> Any:
        with clock.on(name):
            return function(*arguments, **options)

    return run


@click.command()
@click.option("--presets", default="fast,balanced,general", show_default=True)
@click.option("--slices", default="9:17", show_default=True, help="Of the sample series, one batch.")
@click.option("--volume", is_flag=True, help="Also 200 slices end to end.")
def main(presets: str, slices: str, volume: bool) -> None:
    """Measure and print."""
    print(f"Machine: {machine()}.\n")
    prior, network, second = read_bundle(), read_fbp_unet(), read_refiner()
    study = read_study(SAMPLE)
    indices = parse_slices(slices, len(study))
    sinogram, truth = simulate(study, indices, SimulatedScan(), 0, prior.window)
    operator = SparseProjector(sinogram.geometry)
    y = torch.from_numpy(sinogram.data)[:, None]
    assert sinogram.noise_sigma is not None
    variance = torch.from_numpy(sinogram.noise_sigma**2).float()
    measurement = Measurement(operator, y, variance)
    print(f"| preset, {len(indices)} slices at once | s / slice | {' | '.join(PARTS)} | PSNR (dB) |")
    print("|---" * (len(PARTS) + 3) + "|")
    totals = {}
    # What only the first call costs is no preset's.
    few = Measurement(operator, y[:1], variance[:1])
    fast = ReSample.started(prior, network, second, settings=PRESETS["fast"])
    fast(few, method_generators(0, indices[:1]))
    for preset in presets.split(","):
        clock = Clock()
        starts = (network, second) if PRESETS[preset].start else ()
        method = ReSample.started(prior, *starts, settings=PRESETS[preset])
        patches = [
            patch.object(owner, name, timed(clock, part, getattr(owner, name)))
            for owner, name, part in (
                (LatentPrior, "predict_noise", "UNet"),
                (LatentPrior, "encode", "encoder"),
                (LatentPrior, "decode", "decoder"),
                (network.network, "forward", "FBP-UNet"),
                (second.network, "forward", "refiner"),
                (SparseProjector, "forward", "projector"),
                (SparseProjector, "adjoint", "projector"),
                (consistency, "piccs", "PICCS"),
            )
        ]
        for one in patches:
            one.start()
        with clock.on("rest"):
            image = method(measurement, method_generators(0, indices)).x
        for one in patches:
            one.stop()
        share = {part: clock.seconds.get(part, 0.0) / len(indices) for part in PARTS}
        totals[preset] = sum(share.values())
        cells = " | ".join(f"{100 * share[part] / totals[preset]:.0f} %" for part in PARTS)
        value = float(psnr(image.clamp(0, 1), truth).mean())
        print(f"| {preset} | {totals[preset]:.2f} | {cells} | {value:.2f} |", flush=True)
    _paper(prior, measurement, totals)
    if volume:
        _volume()


def _paper(prior: LatentPrior, measurement: Measurement, totals: dict[str, float]) -> None:
    """The published procedure's seconds from its parts, since it would take hours to run."""
    one = Measurement(measurement.operator, measurement.sinogram[:1], measurement.noise_variance[:1])
    z = prior.encode(torch.zeros(1, 1, *one.operator.domain_shape)).requires_grad_(True)
    clock = Clock()
    for number in range(5):
        if number == 1:
            clock = Clock()  # the first does not count
        with torch.no_grad(), clock.on("UNet"):
            prior.predict_noise(z, 500)
        with clock.on("decoder forward"):
            image = prior.decode(z)
        with clock.on("projector forward"):
            residual = one.residual(image)
        with clock.on("both backward"):
            torch.autograd.grad(residual.sum(), z)
    each = {name: seconds / 4 for name, seconds in clock.seconds.items()}
    step = sum(seconds for name, seconds in each.items() if name != "UNet")
    total = PAPER_STEPS * each["UNet"] + PAPER_DECODER_STEPS * step
    parts = ", ".join(f"{name} {1e3 * seconds:.0f} ms" for name, seconds in each.items())
    print(f"\nOne slice through the published procedure's parts: {parts}.")
    ratios = ", ".join(f"{total / seconds:.0f} times `{name}`" for name, seconds in totals.items())
    print(
        f"`paper` at its most, T = {PAPER_STEPS} and {PAPER_DECODER_STEPS} latent steps (estimated from "
        f"these): {total:.0f} s a slice, {ratios}."
    )


def _volume() -> None:
    """200 slices of 512 x 512, copies of a real one, from DICOM to DICOM."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = pydicom.dcmread(SAMPLE / "1-12.dcm")
        source = Path(folder) / "study"
        source.mkdir()
        for index in range(200):
            dataset.ImagePositionPatient[2] = 2.0 * index
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            dataset.InstanceNumber = index + 1
            dataset.save_as(source / f"{index:03d}.dcm")
        began = time.perf_counter()
        job = Job(source, Path(folder) / "out", ("resample",), batch=8, preset="fast")
        pipeline.reconstruct(job, resume=False)
        minutes = (time.perf_counter() - began) / 60
        print(f"\n200 slices from DICOM to DICOM by `fast`: {minutes:.1f} minutes.")


if __name__ == "__main__":
    main()
