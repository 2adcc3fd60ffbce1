"""`resample-ct compare`: parse and call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from resample_ct.commands.job_options import bundle_options, computing_options, job_of, resample_options


@click.command()
@click.argument("studies", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New output folder.")
@click.option(
    "--method",
    "methods",
    multiple=True,
    default=("fbp", "tv", "fbp-unet", "resample"),
    show_default=True,
    help="Of docs/methods.md; repeat for several.",
)
@click.option("--series", multiple=True, help="SeriesInstanceUID of each STUDY, in their order.")
@click.option("--noise", "noises", multiple=True, default=("gaussian:0.01",), show_default=True)
@click.option("--angles", multiple=True, default=(25,), show_default=True, type=click.IntRange(2))
@click.option("--lesions", is_flag=True, help="Count lesions kept and invented; twice the time.")
@resample_options
@click.option("--slices", help="Of every study: 10:20, 3,7,9 or one number, counted from 0.")
@bundle_options
@computing_options
@click.option("--deidentify", is_flag=True, help="Take what names the patient out of every output.")
@click.option("--resume", is_flag=True, help="Continue an interrupted run of the same command.")
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
    from resample_ct.device import check_device
    from resample_ct.extras import needs_extra
    from resample_ct.progress import progress_bar

    with needs_extra("report"):
        from resample_ct.comparison.conditions import Comparison
        from resample_ct.comparison.run import compare as run

    check_device(options["device"])
    common = job_of(source=studies[0], out=out, **options)
    comparison = Comparison(common, studies, series, noises, angles, lesions)
    with progress_bar() as progress:
        notes = run(comparison, resume, progress)
    for note in notes:
        click.echo(f"note: {note}", err=True)
    click.echo(f"{out}: report.html, results.json, results.csv. Research only.")
