"""`resample-ct simulate`: parse and call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from resample_ct.command import Command, option
from resample_ct.commands.job_options import (
    OUTPUT,
    PATH,
    angles_option,
    deidentify_option,
    device_option,
    noise_option,
    scan_options,
    seed_option,
    series_option,
    slices_option,
)


@click.command(cls=Command)
@click.argument("study", type=click.Path(exists=True, path_type=Path))
@slices_option
@series_option
@angles_option(default=25)
@noise_option(default="gaussian:0.01")
@scan_options
@seed_option
@device_option
@option(OUTPUT, "--out", required=True, type=PATH, help="New HDF5 file.")
@deidentify_option
def simulate(
    study: Path,
    out: Path,
    angles: int,
    noise: str,
    slices: str | None,
    series: str | None,
    seed: int,
    device: str,
    deidentify: bool,
    **scanner: Any,
) -> None:
    """Simulate sinograms of STUDY and save them."""
    from resample_ct.physics.noise_text import read_noise
    from resample_ct.run.slices import check_slices, parse_slices
    from resample_ct.run.work_folder import refuse_out

    refuse_out(out)
    read_noise(noise)
    check_slices(slices)
    from resample_ct.device import check_device
    from resample_ct.io.deidentify import deidentify as without_identity
    from resample_ct.io.deidentify import secret_of_run
    from resample_ct.io.identity_guard import refuse_identified
    from resample_ct.io.read import read_study
    from resample_ct.physics.sinogram_file import write_sinogram
    from resample_ct.progress import progress_bar
    from resample_ct.run import simulate as measure
    from resample_ct.run.inputs import notes_on_window
    from resample_ct.run.simulated_scan import SimulatedScan
    from resample_ct.values.units import Window

    check_device(device)
    scan = SimulatedScan(angles, noise, **scanner)
    whole = read_study(study, series)
    if deidentify:
        whole = without_identity(whole, secret_of_run())
    refuse_identified(whole.headers, out)
    indices = parse_slices(slices, len(whole))
    with progress_bar() as progress:
        sinogram, _ = measure.simulate(whole, indices, scan, seed, Window(), device, progress)
        progress(len(indices), len(indices), "writing")
    write_sinogram(sinogram, out)
    chosen = whole.select(indices)
    for note in (*chosen.notes, *notes_on_window(chosen, Window())):
        click.echo(f"note: {note}", err=True)
    click.echo(f"{out}: {len(indices)} sinograms of {angles} {sinogram.geometry.told}, noise {noise}")
