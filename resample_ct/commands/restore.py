"""`resample-ct restore`: parse and call."""

from __future__ import annotations

from pathlib import Path

import click

from resample_ct.command import Command, option
from resample_ct.commands.job_options import (
    METHODS,
    SIMULATION,
    chosen_settings,
    device_option,
    out_folder_option,
    prior_option,
    seed_option,
    series_option,
    set_option,
    slices_option,
)

_TASKS = ("super-resolution", "inpainting", "gaussian-deblur", "nonlinear-deblur")


@click.command(cls=Command)
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@slices_option
@series_option
@option(METHODS, "--task", required=True, type=click.Choice(_TASKS), help="What the images suffer from.")
@option(
    METHODS,
    "--preset",
    default="general",
    type=click.Choice(("general", "natural")),
    help="Settings of ReSample: the paper's for any image, or for photographs.",
)
@set_option
@option(
    SIMULATION,
    "--sigma",
    default=0.01,
    type=click.FloatRange(0),
    help="Standard deviation of the noise to add, images being in 0 to 1.",
)
@prior_option
@seed_option
@device_option
@out_folder_option
def restore(
    source: Path,
    task: str,
    out: Path,
    prior: Path | None,
    preset: str,
    overrides: tuple[str, ...],
    sigma: float,
    slices: str | None,
    series: str | None,
    seed: int,
    device: str,
) -> None:
    """Degrade SOURCE, a PNG image or a study's slices, and restore it by ReSample."""
    from resample_ct.run.work_folder import refuse_out

    refuse_out(out)
    from resample_ct.device import check_device
    from resample_ct.progress import progress_bar
    from resample_ct.run import restore as restoring

    check_device(device)
    job = restoring.RestoreJob(
        source=source,
        out=out,
        task=task,
        prior=prior,
        preset=preset,
        settings=chosen_settings(preset, overrides),
        sigma=sigma,
        slices=slices,
        series=series,
        seed=seed,
        device=device,
    )
    with progress_bar() as progress:
        records = restoring.restore(job, progress)
    for record in records:
        click.echo(
            f"image {record['image']}: PSNR {record['psnr']:.2f} dB, SSIM {record['ssim']:.3f}, "
            f"residual {record['residual']:.3g}"
        )
    click.echo(f"{out}: restored and degraded images, metrics.json, run.json. Research only.")
