"""`resample-ct compare`: parse and call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from resample_ct.command import Command, option
from resample_ct.commands.job_options import (
    INPUT,
    SIMULATION,
    angles_option,
    bundle_options,
    computing_options,
    deidentify_option,
    job_of,
    method_option,
    noise_option,
    out_folder_option,
    resample_options,
    resume_option,
    scan_options,
    slices_option,
)


@click.command(cls=Command)
@click.argument("studies", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@slices_option
@option(INPUT, "--series", multiple=True, help="SeriesInstanceUID of each STUDY, in their order.")
@method_option("fbp", "tv", "fbp-unet", "resample")
@resample_options
@angles_option(multiple=True, default=(25,))
@noise_option("noises", multiple=True, default=("gaussian:0.01",))
@scan_options
@option(SIMULATION, "--lesions", is_flag=True, help="Count lesions kept and invented; twice the time.")
@bundle_options
@computing_options
@out_folder_option
@deidentify_option
@resume_option
def compare(
    studies: tuple[Path, ...],
    out: Path,
    series: tuple[str, ...],
    noises: tuple[str, ...],
    angles: tuple[int, ...],
    lesions: bool,
    resume: bool,
    **options: Any,
) -> None:
    """Compare methods on STUDIES, at every noise and number of views, and write a report."""
    from resample_ct.physics.noise_text import read_noise
    from resample_ct.run.work_folder import refuse_out

    refuse_out(out)
    for noise in noises:
        read_noise(noise)
    common = job_of(source=studies[0], out=out, **options)
    # What takes seconds to import, once the command is known to make sense.
    from resample_ct.device import check_device
    from resample_ct.extras import needs_extra
    from resample_ct.progress import progress_bar

    with needs_extra("report"):
        from resample_ct.comparison.conditions import Comparison
        from resample_ct.comparison.run import compare as run

    check_device(common.device)
    comparison = Comparison(common, studies, series, noises, angles, lesions)
    with progress_bar() as progress:
        notes = run(comparison, resume, progress)
    for note in notes:
        click.echo(f"note: {note}", err=True)
    click.echo(f"{out}: report.html, results.json, results.csv. Research only.")
